"""Lock against two submissions of a step at a time; the second is told who holds it."""

__all__ = ["submission_lock"]

import fcntl
import getpass
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from ..common.errors import PreconditionError


@contextmanager
def submission_lock(folder: Path) -> Iterator[None]:
    """Hold the right to submit runs of a step.

    The lock is the kernel's (``flock``): it ends with the process that holds it, however that ends, so
    that there is no stale one. The file it is on only says whose it is.

    Parameters
    ----------
    folder
        The folder of the step's runs.

    Raises
    ------
    PreconditionError
        If somebody else is submitting; it says who, where and since when.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "submission.lock"
    with path.open("a+", encoding="utf-8") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            holder = stream.read().strip() or "somebody"
            raise PreconditionError(
                f"the {folder.name} step of campaign {folder.parent.name} is being submitted by {holder}",
                remedy="wait until that has ended, and see `apcampaign runs`",
            ) from None
        stream.truncate(0)
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        stream.write(f"{getpass.getuser()} on {socket.gethostname()} (process {os.getpid()}) since {now}\n")
        stream.flush()
        try:
            yield
        finally:
            stream.truncate(0)
