"""A submission that is asked to end while BPS builds its graph."""

import os
import signal
import subprocess
from pathlib import Path

import pytest
from interference import WORKER, find_processes, heed_signals, wait_for
from operators import COARSE, COMMAND, Operator, write_campaign

pytestmark = pytest.mark.slow(minutes=0.3)


def processes_of(folder: Path) -> dict[int, str]:
    """Find the processes that name a folder, or work in it."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_text().replace("\0", " ")
            place = str((process / "cwd").readlink())
        except OSError:
            continue
        if (str(folder) in words or place.startswith(str(folder))) and int(process.name) != os.getpid():
            found[int(process.name)] = words
    return found


def test_nothing_goes_on_and_nothing_half_made_is_left(operator: Operator, sandbox) -> None:
    write_campaign(operator.folder, sandbox, templates=COARSE, site="parsl-local")
    words = [str(COMMAND), "submit", "templates", "--no-check"]
    begun = subprocess.Popen(
        words,
        cwd=operator.folder,
        env=dict(operator.environment),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        preexec_fn=heed_signals,
    )
    try:
        wait_for(
            lambda: begun.poll() is not None or find_processes(operator.folder, WORKER),
            "the preparation of a run by BPS",
        )
        assert begun.returncode is None, begun.communicate()[1]
        # As a terminal that is closed does.
        begun.send_signal(signal.SIGHUP)
        begun.send_signal(signal.SIGTERM)
        _, said = begun.communicate(timeout=60)
    finally:
        begun.kill()
    assert begun.returncode == 128 + signal.SIGHUP, said
    assert b"Traceback" not in said
    assert processes_of(operator.folder) == {}
    assert list(operator.folder.glob("runs/*/*/*/")) == []
