"""What campaigns whose jobs are broken, killed and cancelled have in common."""

__all__ = [
    "KILLED",
    "ROLLED_BACK",
    "WHERE",
    "WORKER",
    "dagmans",
    "find_processes",
    "heed_signals",
    "wait_for",
]

import signal
import time
from pathlib import Path
from typing import Any

from operators import RUN_DEADLINE

# One detector, as in the reference campaign: neighbours of one visit are associated in any order.
WHERE = "detector = 94"
KILLED = {"kind": "die-after-store", "visit": 731000, "detector": 94}
ROLLED_BACK = "visit 731000, detector 94 was written to the APDB but its association failed: rolling it back"

#: On the command line of the process in which BPS prepares a run.
WORKER = "apcampaign.submit.bps_process.worker"


def wait_for(condition: Any, what: str) -> None:
    deadline = time.monotonic() + RUN_DEADLINE
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen in {RUN_DEADLINE} s"
        time.sleep(0.5)


def find_processes(folder: Path, *words: str) -> list[int]:
    """Find the processes with some words on their command line that belong to a campaign."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_text().split("\0")
            where = [*line, str((process / "cwd").readlink())]  # where BPS submits with relative names
        except OSError:
            continue
        if {*words} <= {Path(line[0]).name, *line} and any(str(folder) in word for word in where):
            found.append(int(process.name))
    return found


def dagmans(folder: Path) -> list[int]:
    """Find the DAGMan processes of a campaign."""
    return find_processes(folder, "condor_dagman")


def heed_signals() -> None:
    """Let a process that is started (its ``preexec_fn``) be interrupted, and left by its terminal.

    In the background of a shell, or with nohup, tests have these signals ignored, and so has what they start.
    """
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
