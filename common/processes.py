"""Ending of a process with everything that it has started."""

__all__ = ["end_session"]

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable

_REST_GRACE = 2.0  # seconds that what outlives the first process gets, once it is asked to end


def end_session(session: int, wait: Callable[[float], object], grace: float) -> None:
    """End a process that began a session, and all that is left in it, which may not end with it.

    Parameters
    ----------
    session
        The id of the process, and so of its session.
    wait
        Waits for some seconds until the process has ended.
    grace
        Seconds that it gets after an interrupt, and again after a request to terminate, before it is killed.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        if not _signal(session, number):
            break
        with contextlib.suppress(subprocess.TimeoutExpired):
            wait(grace)
        if not _is_alive(session):
            break
    deadline = time.monotonic() + _REST_GRACE
    while _signal(session, signal.SIGTERM) and time.monotonic() < deadline:
        time.sleep(0.05)
    _signal(session, signal.SIGKILL)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def _signal(session: int, number: signal.Signals) -> bool:
    """Send a signal to all of a session; tell whether there was anything left of it."""
    try:
        os.killpg(session, number)
    except ProcessLookupError:
        return False
    return True
