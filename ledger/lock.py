"""Lock against two submissions of a step at a time; the second is told who holds it."""

__all__ = ["is_submitting", "read_holder", "submission_lock"]

import contextlib
import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from ..common.errors import BusyError
from ..common.files import look_into_own, make_folder, naming, open_own, try_lock
from ..common.identity import user_name

_LONGEST = 500  # bytes of what the file says of its holder


@contextmanager
def submission_lock(folder: Path) -> Iterator[int]:
    """Hold the right to submit runs of a step.

    The lock is the kernel's (``flock``): it ends with the processes that hold it, however they end, so
    that there is no stale one. The file it is on only says whose it is.

    Parameters
    ----------
    folder
        The folder of the step's runs.

    Yields
    ------
    handle
        The open file that is locked: a process that inherits it holds the lock too.

    Raises
    ------
    BusyError
        If somebody else is submitting; it says who, where and since when.
    FileError
        If the lock's file is none of ours, or cannot be locked.
    OSError
        If its folder cannot be written to.
    """
    make_folder(folder)
    path = folder / "submission.lock"
    handle = open_own(path)
    try:
        if not try_lock(handle, path):
            raise BusyError(
                f"the {folder.name} step of campaign {folder.parent.name} is being submitted by {_name(handle)}",
                remedy="wait until that has ended, and see `apcampaign runs`",
            )
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        holder = f"{user_name()} on {socket.gethostname()} (process {os.getpid()}) since {now}\n"
        with naming(path):
            os.ftruncate(handle, 0)
            os.write(handle, holder.encode(errors="replace"))
        try:
            yield handle
        finally:
            with contextlib.suppress(OSError):
                os.ftruncate(handle, 0)
    finally:
        os.close(handle)


def is_submitting(folder: Path) -> bool:
    """Tell whether somebody is submitting runs of a step, or runs them in the foreground; as `read_holder`."""
    return bool(read_holder(folder))


def read_holder(folder: Path) -> str:
    """Read who is submitting runs of a step, or runs them in the foreground; empty if nobody does.

    Parameters
    ----------
    folder
        The folder of the step's runs.

    Raises
    ------
    FileError
        If the lock's file is none of ours.
    """
    try:
        handle = look_into_own(folder / "submission.lock")
    except OSError:
        return ""  # it is not there, or nobody can lock there
    try:
        # Released: whoever takes it now is not disturbed.
        if os.pread(handle, 1, 0):
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _name(handle)
    except OSError:
        return ""
    finally:
        os.close(handle)
    return ""


def _name(handle: int) -> str:
    return os.pread(handle, _LONGEST, 0).decode(errors="replace").strip() or "somebody"
