"""The steps of a campaign one by one, through failures and cancellations, end as one campaign DAG without."""

import json
import os
import re
import signal
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import yaml
from apcampaign.sandbox.survey import SandboxSize, Survey
from apcampaign.scripts.exits import ExitCode
from forked import run_forked
from interference import KILLED, ROLLED_BACK, WHERE, dagmans, wait_for
from operators import (
    COARSE,
    COARSE_DIFFIM,
    RUN_DEADLINE,
    Operator,
    assert_complete,
    assert_same,
    plant,
    write_campaign,
)

KILLED_AFTER_SUBMISSION = """
import os, signal, sys
from apcampaign.scripts.cli import main
from apcampaign.submit.executors import htcondor
submit_file = htcondor.submit_file

def submit_and_die(path, locks):
    submit_file(path, locks)
    os.kill(os.getpid(), signal.SIGKILL)

htcondor.submit_file = submit_and_die
main()
"""
pytestmark = [pytest.mark.slow(minutes=3), pytest.mark.htcondor, pytest.mark.postgres]


def submit_at_once(operator: Operator, *words: str) -> dict[int, str]:
    """Submit twice at the same moment, and tell what each has said, by its exit code."""

    def submit(_: int) -> tuple[int, str]:
        done = run_forked(["submit", *words], cwd=operator.folder, env=operator.environment, timeout=240)
        return done.returncode, f"{done.stdout}\n{done.stderr}"

    with ThreadPoolExecutor() as pool:
        return dict(pool.map(submit, range(2)))


def test_steps_by_hand_are_cancelled_and_resumed_one_by_one(
    pool_operator, postgres_url, sandbox, condor_pool, reference
):
    folder = pool_operator.folder
    # BPS's default multiplier would let a job that was held for memory go with twice as much.
    hungry = {"requestMemory": 4096, "numberOfRetries": 1}
    pipetask = {"makeDirectWarp": hungry, "makePsfMatchedWarp": hungry}
    bps = {**COARSE["bps"], "memoryMultiplier": 1, "numberOfRetries": 0, "pipetask": pipetask}
    campaign = {"where": WHERE, "templates": {**COARSE, "bps": bps}, "diffim": COARSE_DIFFIM}
    first_visit = {**COARSE_DIFFIM, "where": "visit = 731000"}
    write_campaign(folder, sandbox, **{**campaign, "diffim": first_visit})
    operator = plant(
        pool_operator,
        KILLED,
        {"kind": "hungry", "label": "makePsfMatchedWarp", "needs": 8000},
        {"kind": "fail", "label": "assembleTemplateCoadd", "times": 1},
        {"kind": "hang", "label": "analyzeAssociatedDiaSourceTable", "visit": 731100, "times": 1},
    )
    assert "make apdb-init" in operator.make("submit-diffim", good=False)
    operator.make("apdb-init", f"DB={postgres_url}")
    assert "has no templates run" in operator.apcampaign("submit", "diffim", "--wait", good=False)
    # With BPS, which leaves it to the campaign while it is in the queue.
    submit = operator.submit_by_hand("ApTemplate-DC2-bps.yaml", "--tracts", "3828")
    (adopted,) = json.loads(operator.apcampaign("adopt", str(submit), "--tracts", "3828", "--json"))["runs"]
    assert (adopted["progress"], adopted["notes"]) == ("active", [])
    assert "has not ended" in operator.apcampaign("submit", "diffim", good=False)
    held = ["condor_q", "-allusers", "-constraint", "JobStatus == 5", "-af", "HoldReason"]
    wait_for(lambda: "gone over memory limit" in condor_pool.run(held, seconds=30), "the hold")
    assert "has not ended" in operator.apcampaign("resume", good=False)
    operator.make("cancel", seconds=240)
    assert condor_pool.run(["condor_q", "-allusers", "-af", "ClusterId"], seconds=30).strip() == ""
    assert "nothing of campaign" in operator.apcampaign("cancel", good=False)
    said = operator.apcampaign("resume", "--set", "templates.pipetask.makePsfMatchedWarp.requestMemory=8192")
    assert "settings have changed: building new graphs" in said
    config = sorted(folder.glob("runs/*/templates/*/bps.yaml"))[-1]
    assert yaml.safe_load(config.read_text())["pipetask"]["makePsfMatchedWarp"]["requestMemory"] == 8192
    assert operator.wait_for_run("templates") != 0
    # No template may be missing.
    assert "4 of 4 (patch, band) that the science visits need are missing" in operator.make(
        "submit-diffim", "TRACTS=3828", good=False
    )
    assert "where it ended" in operator.make("resume")
    # It waits for the templates, as `make submit-diffim` does.
    elsewhere = ["--wait", "--templates", "2.2i/defaults"]
    said = operator.apcampaign("submit", "diffim", *elsewhere, good=False, seconds=RUN_DEADLINE)
    assert operator.wait_for_run("templates") == 0
    assert "that the science visits need are missing in 2.2i/defaults" in said
    # Killed when HTCondor has taken its DAG, but before it has remembered that.
    operator.run(
        sys.executable, "-c", KILLED_AFTER_SUBMISSION, "submit", "diffim", "--tracts", "3828", good=False
    )
    assert "has not ended" in operator.apcampaign("submit", "diffim", good=False)
    assert operator.wait_for_run("diffim") != 0
    said = operator.apcampaign("resume")
    assert ROLLED_BACK in said
    assert "where it ended" in said
    assert operator.wait_for_run("diffim") == 0
    # The APDB is not empty any more: another run into it is refused before anything is submitted.
    write_campaign(folder, sandbox, **campaign)
    assert "is not empty" in operator.apcampaign("submit", "diffim", "--tracts", "3828", good=False)
    assert len(list(folder.glob("runs/*/diffim/*/run.yaml"))) == 1
    # Two schedules at once: one goes on with the night after, the other is told that it is not its turn.
    night = f"{Survey(SandboxSize(visits=2)).visits[1].day_obs}.."
    told = submit_at_once(operator, "--night", night, "--no-check", "--tracts", "3828")
    assert sorted(told) == [0, ExitCode.NOT_NOW], told
    assert re.search("is being submitted by|has been submitted|has not ended", told[ExitCode.NOT_NOW])
    assert f"night {night[:8]}: 1 visit, 1 image: 1 new" in told[0]
    assert "1 association," in told[0]  # of the other visit
    assert len(list(folder.glob("runs/*/diffim/*/run.yaml"))) == 2
    # Cancelled after its write, and DAGMan dies before it begins the final job: what is done is not rolled back.
    wait_for((folder / "faults" / "fault3.0").exists, "the second association")
    stopped = dagmans(folder)  # of the campaign and of its run
    for dagman in stopped:
        os.kill(dagman, signal.SIGSTOP)
    with ThreadPoolExecutor() as pool:
        cancelled = pool.submit(operator.apcampaign, "cancel", seconds=240)
        removed = ["condor_q", "-allusers", "-constraint", "JobStatus == 3", "-af", "ClusterId"]
        wait_for(lambda: condor_pool.run(removed, seconds=30).strip(), "the removal")
        for dagman in stopped:
            os.kill(dagman, signal.SIGKILL)
        assert "nothing is left in the queue" in cancelled.result()
    said = operator.apcampaign("resume")
    assert "diffim: registering the outputs of" in said
    assert "rolling it back" not in said
    assert operator.wait_for_run("diffim") == 0
    assert_complete(operator, postgres_url)
    (report,) = folder.glob("runs/*/report.html")
    nights = {str(visit.day_obs) for visit in Survey(SandboxSize(visits=2)).visits}
    assert {night for night in nights if f"<td>{night}</td>" in report.read_text()} == nights
    assert_same((operator, postgres_url), reference.wait())
