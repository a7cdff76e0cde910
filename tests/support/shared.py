"""What the workers of pytest-xdist share: the first that needs it makes it, the last that leaves stops it."""

__all__ = ["copy_sandbox", "shared_sandbox", "shared_server"]

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from apcampaign.sandbox.create import Sandbox, create_sandbox
from apcampaign.sandbox.servers import CondorPool, PostgresServer
from apcampaign.sandbox.servers.processes import locked
from apcampaign.sandbox.survey import SandboxSize

# Seconds that a worker waits for another one, on two busy cores.
_DEADLINE = 300


@contextmanager
def shared_server[Server: (CondorPool, PostgresServer)](server: Server, folder: Path) -> Iterator[Server]:
    """Start a server, unless another worker has, and stop it when no worker uses it any more.

    Parameters
    ----------
    server
        The server, the same for all workers.
    folder
        Where the workers that use it are noted.
    """
    mine = folder / "users" / os.environ.get("PYTEST_XDIST_WORKER", "alone")
    lock = folder / "lock"
    with locked(lock, seconds=_DEADLINE, doing="starting the server that the workers share"):
        mine.parent.mkdir(parents=True, exist_ok=True)
        mine.touch()
        server.start()
    try:
        yield server
    finally:
        with locked(lock, seconds=_DEADLINE, doing="stopping the server that the workers share"):
            mine.unlink()
            if not any(mine.parent.iterdir()):
                server.stop()


def shared_sandbox(folder: Path, size: SandboxSize) -> Sandbox:
    """Create a sandbox that is only copied, or give the one that another worker has created."""
    with locked(folder / "lock", seconds=_DEADLINE, doing="creating the sandbox that the workers copy"):
        return create_sandbox(folder / "sandbox", size)


def copy_sandbox(sandbox: Sandbox, folder: Path) -> Sandbox:
    """Copy a sandbox, with what is in its repository."""
    shutil.copytree(sandbox.folder, folder)
    copy = Sandbox(folder.resolve(), sandbox.size)
    (folder / "campaign.yaml").write_text(yaml.safe_dump(copy.campaign(), sort_keys=False))
    return copy
