"""Runs that version 0.1 has recorded, in ``runs-0.1.tar.xz``, and what it said of them.

The archive holds three campaigns, each with its ``campaign.yaml`` and ``runs/``: ``complete``; ``cancelled``
while its first step ran; ``steps``, submitted by hand one after the other, the second one cancelled. ``said``
holds the JSON of its commands. Absolute paths begin with a placeholder. Their repository and APDBs are not in it.
"""

__all__ = ["continue_older", "unpack_older_runs"]

import platform
import tarfile
from pathlib import Path

import yaml
from apcampaign.sandbox.create import Sandbox
from apcampaign.sandbox.servers import CondorPool
from operators import COARSE, COARSE_DIFFIM, Operator, shell_environment

_ARCHIVE = Path(__file__).with_name("runs-0.1.tar.xz")
_PLACEHOLDER = b"@ROOT@"
#: Another Python by itself is a reason for new graphs, whatever this one is.
_PYTHON = b"python: 3.13.0", f"python: {platform.python_version()}".encode()


def unpack_older_runs(folder: Path, sandbox: Path) -> Path:
    """Unpack the runs.

    Parameters
    ----------
    folder
        Where they go.
    sandbox
        The sandbox whose repository takes the place of theirs.

    Returns
    -------
    folder
        The folder as it is written in the files.
    """
    folder = folder.resolve()
    with tarfile.open(_ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix != ".qg":
            path.write_bytes(path.read_bytes().replace(_PLACEHOLDER, bytes(folder)))
    (folder / "dc2").mkdir()
    (folder / "dc2" / "sandbox").symlink_to(sandbox)
    return folder


def continue_older(folder: Path, name: str, sandbox: Sandbox, pool: CondorPool, url: str) -> Operator:
    """Make whoever continues one of the campaigns, with a pool, and an empty APDB in place of its own."""
    unpack_older_runs(folder, sandbox.folder)
    operator = Operator(folder / name, shell_environment(sandbox, pool))
    for record in operator.folder.glob("runs/*/*/*/run.yaml"):
        record.write_bytes(record.read_bytes().replace(*_PYTHON))
    # New graphs go into few large jobs.
    campaign = yaml.safe_load((operator.folder / "campaign.yaml").read_text())
    campaign |= {"templates": COARSE, "diffim": COARSE_DIFFIM}
    (operator.folder / "campaign.yaml").write_text(yaml.safe_dump(campaign))
    (config,) = operator.folder.glob("runs/*/apdb_config.yaml")
    config.unlink()
    operator.apcampaign("apdb", "init", "--db", url)
    return operator
