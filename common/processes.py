"""Our own processes: how seldom memory is collected, and how one ends with everything that it has started."""

__all__ = ["collect_seldom", "end_session", "end_with_parent"]

import contextlib
import ctypes
import gc
import os
import signal
import subprocess
import sys
import time

_KILLED = 5.0  # seconds; a killed process ends when the kernel gets to it
_PR_SET_PDEATHSIG = 1  # of Linux: which signal a process gets when the one that started it has ended


def collect_seldom() -> None:
    """Let Python look for garbage once in a million new containers.

    By default it looks once in 2,000 at the youngest, and again and again at all that is imported: a tenth of the
    CPU time of a command that imports Butler, for nothing. It still looks, so that a long watch does not grow.
    """
    gc.set_threshold(1_000_000)


def end_session(process: "subprocess.Popen[bytes]", grace: float, *, rest: float = 2.0) -> None:
    """End a process that began a session, and all that is left in it, which may not end with it.

    Parameters
    ----------
    process
        The process; it was started with ``start_new_session``.
    grace
        Seconds that it gets after an interrupt, and again after a request to terminate, before it is killed.
    rest
        Seconds that what outlives it gets after a request to terminate.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        if not _signal(process.pid, number):
            break
        try:
            process.wait(grace)
        except subprocess.TimeoutExpired:
            continue
        break
    # What was killed may still be writing: it is waited for as well, so that its files can be removed.
    for number, seconds in ((signal.SIGTERM, rest), (signal.SIGKILL, _KILLED)):
        deadline = time.monotonic() + seconds
        while (left := _signal(process.pid, number)) and time.monotonic() < deadline:
            time.sleep(0.05)
        if not left:
            break


def end_with_parent(parent: int, grace: float) -> None:
    """Let this process end, with its process group, when the one that started it has ended, however that ended.

    They are interrupted, as by `end_session`. Only on Linux a process is told that its parent has gone.

    Parameters
    ----------
    parent
        The id of the process that started this one, which leads a process group. If it has gone already, this
        ends at once.
    grace
        Seconds after which it is killed if it goes on nevertheless.
    """

    def end(*_: object) -> None:
        if os.getppid() == parent:
            return
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGALRM, lambda *_: os.killpg(0, signal.SIGKILL))
        signal.setitimer(signal.ITIMER_REAL, grace)
        os.killpg(0, signal.SIGINT)

    signal.signal(signal.SIGHUP, end)
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGHUP)
    end()  # if it went before it was asked for


def _signal(session: int, number: signal.Signals) -> bool:
    """Send a signal to all of a session; tell whether there was anything left of it."""
    try:
        os.killpg(session, number)
    except ProcessLookupError:
        return False
    return True
