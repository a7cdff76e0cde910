"""Memory that a task takes for crowded images, and what becomes of a job that takes more than it has requested."""

__all__ = ["take_memory"]

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

_MEBIBYTE = 2**20


@contextmanager
def take_memory(least: float) -> Iterator[None]:
    """Let this process be at least so large as long as the block lasts.

    Where HTCondor gives jobs a control group, the kernel kills one that is larger than it may be. A private pool
    cannot do that, so the process then does to itself what the kernel would: HTCondor sees the same, holds the
    job, and BPS has it released with a larger request (``memoryMultiplier``).

    Parameters
    ----------
    least
        MiB.
    """
    missing = max(0, int(least - _resident()))
    taken = np.ones(missing * _MEBIBYTE, np.uint8)  # zeros would take no memory before they are read
    limit = _requested()
    if limit is not None and least > limit:
        os.kill(os.getpid(), signal.SIGKILL)
    yield
    del taken


def _resident() -> float:
    """Measure how large this process is, MiB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / _MEBIBYTE


def _requested() -> float | None:
    """Read how many MiB this job has requested; `None` if it is none of HTCondor's.

    The slot of its first attempt may be larger, since HTCondor uses slots again for smaller jobs. What it has
    requested after it was held, its description does not tell while it runs; then its slot does.
    """
    files = [os.environ.get(name) for name in ("_CONDOR_JOB_AD", "_CONDOR_MACHINE_AD")]
    if None in files:
        return None
    import classad2

    job, machine = (classad2.parseOne(Path(str(file)).read_text(encoding="utf-8")) for file in files)
    return float(machine.eval("Memory") if job.get("NumHolds", 0) else job.eval("RequestMemory"))
