"""A plugin of pytest: SIGTERM ends the tests as Ctrl-C does, with all that they and their workers have started.

By default it would end the process at once, and its servers would go on.
"""

import os
import signal
import threading
import time
from pathlib import Path
from types import FrameType

import pytest

#: Seconds in which a worker ends its servers; pytest-xdist by itself would kill it after ten.
_DEADLINE = 120

#: Seconds after which an interrupt that nobody took note of is repeated.
_PATIENCE = 4

_interrupted = False
_last_signal = float("-inf")


def pytest_configure() -> None:
    """Interrupt the tests at SIGTERM."""
    signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    global _last_signal
    # It may come twice, as from `timeout`, or after Ctrl-C: that must not end what ends the servers.
    if _interrupted or time.monotonic() < _last_signal + _PATIENCE / 2:
        return
    _last_signal = time.monotonic()
    threading.Thread(target=_insist, daemon=True).start()
    raise KeyboardInterrupt


def _insist() -> None:
    # Python loses what is raised within a destructor or a callback of its collector, and a signal that another
    # thread takes does not wake the main one.
    time.sleep(_PATIENCE)
    if not _interrupted:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)


@pytest.hookimpl(tryfirst=True)
def pytest_keyboard_interrupt() -> None:
    """Take note that the tests were interrupted, in whatever way, before anybody begins to tell of it."""
    global _interrupted
    _interrupted = True


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Interrupt the workers too, and wait until they have ended."""
    if not _interrupted or not session.config.pluginmanager.hasplugin("dsession"):
        return
    # Of a process that has workers they are the only children.
    tasks = Path("/proc/self/task").glob("*/children")
    workers = [int(pid) for task in tasks for pid in task.read_text().split()]
    for pid in workers:
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _DEADLINE
    while any(map(_is_running, workers)) and time.monotonic() < deadline:
        time.sleep(0.1)


def _is_running(pid: int) -> bool:
    # Its end is left to be seen by whoever has started it.
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """End a worker that was interrupted: it would wait for more to do."""
    if _interrupted and hasattr(config, "workerinput"):
        os._exit(pytest.ExitCode.INTERRUPTED)
