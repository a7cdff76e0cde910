"""Ending of what a command has started."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from apcampaign.common.processes import end_session
from interference import heed_signals

#: A program that passes interrupts on to nobody: its child, and that one's, go on alone.
STUBBORN = """
sh -c 'trap "" INT; sh -c "trap \\"\\" INT TERM; touch begun; sleep 60" & wait' &
trap 'exit 3' INT; touch begun-too; wait
"""


def alive(session: int) -> list[str]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            _, _, rest = stat.read_text().rpartition(") ")
        except OSError:
            continue
        state, _, group = rest.split()[:3]
        if int(group) == session and state != "Z":
            found.append(stat.parent.name)
    return found


def test_what_outlives_its_parent_is_ended_too(tmp_path: Path):
    process = subprocess.Popen(
        ["sh", "-c", STUBBORN],
        cwd=tmp_path,
        start_new_session=True,
        preexec_fn=heed_signals,  # what is ignored cannot be trapped
    )
    deadline = time.monotonic() + 10
    while not ((tmp_path / "begun").exists() and (tmp_path / "begun-too").exists()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    end_session(process, 5, rest=0.1)
    assert process.returncode == 3
    assert alive(process.pid) == []


def test_what_has_ended_is_left_alone(tmp_path: Path):
    process = subprocess.Popen(["true"], start_new_session=True)
    process.wait(10)
    end_session(process, 0.1)
    assert process.returncode == 0


def test_what_ignores_every_request_is_killed(tmp_path: Path):
    process = subprocess.Popen(
        ["sh", "-c", 'trap "" INT TERM; touch begun; while :; do sleep 60; done'],
        cwd=tmp_path,
        start_new_session=True,
    )
    while not (tmp_path / "begun").exists():
        time.sleep(0.01)
    end_session(process, 0.05, rest=0.1)
    assert process.returncode == -signal.SIGKILL


#: A process that starts another, and is killed: before that one has heard of it, or after.
LEFT = """
import os, signal, subprocess, sys, time
from pathlib import Path
from apcampaign.common.processes import end_with_parent
place, when = Path(sys.argv[1]), sys.argv[2]
if parent := int(sys.argv[3]):
    child = subprocess.Popen(["sleep", "60"])
    if when == "before":
        while os.getppid() == parent:
            time.sleep(0.01)
    end_with_parent(parent, 0.2)
    (place / "begun").touch()
    while True:
        try:
            time.sleep(60)
        except KeyboardInterrupt:  # as what nobody has told to end
            (place / "interrupted").touch()
else:
    words = [sys.executable, "-c", os.environ["LEFT"], str(place), when, str(os.getpid())]
    child = subprocess.Popen(words, start_new_session=True)
    (place / "session").write_text(str(child.pid))
    while when == "after" and not (place / "begun").exists():
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("when", ["before", "after"])
def test_what_a_killed_process_has_started_ends_with_it(tmp_path: Path, when: str) -> None:
    words = [sys.executable, "-c", LEFT, str(tmp_path), when, "0"]
    killed = subprocess.run(words, env={**os.environ, "LEFT": LEFT}, timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL
    session = int((tmp_path / "session").read_text())
    deadline = time.monotonic() + 30
    while alive(session):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert (tmp_path / "interrupted").exists() == (when == "after")
