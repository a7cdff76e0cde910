"""A run is prepared by one process at a time, whatever becomes of the process that asked for it."""

import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from apcampaign.bps import CampaignConfig, Plan, plan_campaign
from apcampaign.ledger import Workspace, write_run
from apcampaign.submit.bps_process import prepare_or_reuse, worker
from apcampaign.submit.bps_process.driver import _hold_preparation
from apcampaign.submit.work import Work
from run_records import record_of

# A process that prepares a run: its child, as BPS's process does, inherits the lock and outlives it.
FIRST = """
import os, signal, subprocess, sys
from pathlib import Path
from apcampaign.ledger import RunPaths
from apcampaign.submit.bps_process.driver import _hold_preparation
files = RunPaths(Path(sys.argv[1]))
with _hold_preparation(files) as lock:
    code = "import os, sys, time; time.sleep(1.5); os.rename(sys.argv[1], sys.argv[2])"
    words = [sys.executable, "-c", code, str(files.folder / "ready"), str(files.record)]
    subprocess.Popen(words, pass_fds=(lock,), start_new_session=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    content = {"name": "camp", "butler": "/repo/dc2", "tracts": [3828], "inCollection": "2.2i/defaults"}
    return Workspace(CampaignConfig.model_validate(content), tmp_path)


@pytest.fixture
def plan(workspace: Workspace) -> Plan:
    return plan_campaign(workspace.campaign)


def test_the_second_waits_for_what_the_first_has_left_and_takes_its_run(
    workspace: Workspace, plan: Plan, caplog: pytest.LogCaptureFixture
) -> None:
    run = plan.find("templates")
    files = workspace.paths.run(run)
    record = record_of(workspace, run, service="lsst.ctrl.bps.htcondor.HTCondorService")
    write_run(files, record)
    files.record.rename(files.folder / "ready")
    killed = subprocess.run([sys.executable, "-c", FIRST, str(files.folder)], timeout=60, check=False)
    assert killed.returncode < 0
    assert not files.record.exists()
    with caplog.at_level(logging.INFO):
        assert prepare_or_reuse(Work(workspace=workspace, plan=plan), run) == record
    assert f"waiting for another process, which prepares {files.folder}" in caplog.text


def test_the_lock_of_a_folder_that_was_thrown_away_is_none(workspace: Workspace, plan: Plan) -> None:
    files = workspace.paths.run(plan.find("templates"))
    with _hold_preparation(files):
        files.prepare_lock.unlink()
        begun = time.monotonic()
        with _hold_preparation(files) as again:
            assert again
        assert time.monotonic() - begun < 1


def test_bps_prepares_nothing_for_a_process_that_has_gone(workspace: Workspace, plan: Plan) -> None:
    run = plan.find("templates")
    folder = workspace.paths.run(run).folder
    request = worker.Request(
        folder=folder, runs=workspace.runs, run=run, error=folder / "error.json", parent=os.getpid() + 1
    )
    if not (child := os.fork()):
        os.setsid()
        try:
            worker._work(request)
        except KeyboardInterrupt:
            os._exit(7)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 7
    assert not folder.exists()
