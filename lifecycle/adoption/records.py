"""Records that make a submit directory a run of the campaign."""

__all__ = ["write_records"]

import shutil
import tempfile
from pathlib import Path

import yaml

from ...bps import dump_campaign
from ...common.files import make_folder, write_atomically
from ...ledger import RunPaths, write_nodes, write_run
from .adoption import Adoption

_HEADER = """\
# The settings with which BPS submitted this run, as far as its record needs them, read by `apcampaign adopt`
# from {}
"""


def write_records(adoption: Adoption, files: RunPaths) -> None:
    """Write what the readers of runs need, the run's record last: without it the folder is no run.

    Parameters
    ----------
    adoption
        A run that can be adopted.
    files
        The run's files.

    Raises
    ------
    OSError
        If they cannot be written.
    """
    found, record, campaign = adoption.found, adoption.record, adoption.campaign
    assert found and record and campaign  # noqa: S101, PT018 - the absence of one is an obstacle
    config = yaml.safe_dump(found.settings.as_config(files.submit), sort_keys=False, allow_unicode=True)
    write_atomically(files.campaign, dump_campaign(campaign))
    write_atomically(files.config, _HEADER.format(found.folder) + config)
    write_nodes(files, found.workflow, found.folder)
    for number, log in enumerate(found.parsl_logs):
        _link(files.folder / "runinfo" / f"{number:03}", log.parent)
    _link(files.submit, found.folder)
    write_run(files, record)


def _link(path: Path, target: Path) -> None:
    """Let a path lead to a folder, instead of to where it leads now."""
    make_folder(path.parent)
    for leftover in path.parent.glob(".link-*"):  # of one that was killed
        shutil.rmtree(leftover)
    with tempfile.TemporaryDirectory(prefix=".link-", dir=path.parent) as folder:
        link = Path(folder) / path.name
        link.symlink_to(target)
        link.replace(path)
