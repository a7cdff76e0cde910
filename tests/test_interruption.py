"""Tests that are ended by a signal leave nothing running of what they have started."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from apcampaign.sandbox.servers.processes import wait_until

# pytest-xdist gives workers ten seconds to end; with less, whoever does not wait for them is found out at once.
_CONFTEST = """
import time
from pathlib import Path
import pytest
from xdist.workermanage import NodeManager

pytest_plugins = ["interruption"]
NodeManager.EXIT_TIMEOUT = 0.1

@pytest.fixture(scope="session")
def server():
    path = Path(__file__).parent / "running"
    path.touch()
    yield
    time.sleep(1)
    path.unlink()
"""
# An interrupt may be lost, as in a destructor.
_TESTS = """
import contextlib
import time

def test_that_takes_long(server):
    with contextlib.suppress(KeyboardInterrupt):
        time.sleep(60)
    time.sleep(60)

def test_that_is_not_begun():
    raise AssertionError
"""


def start(folder: Path, workers: int) -> "subprocess.Popen[str]":
    folder.mkdir()
    (folder / "conftest.py").write_text(_CONFTEST)
    (folder / "test_it.py").write_text(_TESTS)
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-n", str(workers), str(folder)],
        cwd=folder,
        # Not what whoever runs these tests has given to their own pytest.
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent / "support"), "PYTEST_ADDOPTS": ""},
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_sigterm_ends_what_tests_and_their_workers_have_started(tmp_path: Path) -> None:
    servers = [tmp_path / name / "running" for name in ("alone", "worker")]
    processes = [start(server.parent, workers) for workers, server in enumerate(servers)]
    try:
        assert wait_until(lambda: all(server.exists() for server in servers), seconds=60)
        # As `timeout` does: it comes twice, the second time while servers end.
        for _ in range(2):
            for process in processes:
                process.send_signal(signal.SIGTERM)
            time.sleep(0.2)
        for process, server in zip(processes, servers, strict=True):
            said, _ = process.communicate(timeout=30)
            assert process.returncode == pytest.ExitCode.INTERRUPTED, said
            assert not server.exists(), said
            assert "AssertionError" not in said
    finally:
        for process in processes:
            process.kill()
            process.wait()
