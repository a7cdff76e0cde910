"""A campaign with faults planted in the middle ends as one without."""

import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from operators import (
    COARSE,
    COARSE_DIFFIM,
    RUN_DEADLINE,
    assert_complete,
    assert_same,
    plant,
    write_campaign,
)

pytestmark = [pytest.mark.slow, pytest.mark.postgres]

# One detector, as in the undisturbed campaign: neighbours of one visit are associated in any order.
WHERE = "detector = 94"
KILLED = {"kind": "die-after-store", "visit": 731000, "detector": 94}
ROLLED_BACK = "visit 731000, detector 94 was written to the APDB but its association failed: rolling it back"


def wait_for(condition: Any, what: str) -> None:
    deadline = time.monotonic() + RUN_DEADLINE
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen in {RUN_DEADLINE} s"
        time.sleep(0.5)


def dagmans(folder: Path) -> list[int]:
    """Find the DAGMan processes of a campaign."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_text().split("\0")
            words.append(str((process / "cwd").readlink()))  # where BPS submits with relative names
        except OSError:
            continue
        if "condor_dagman" in words[0] and any(str(folder) in word for word in words):
            found.append(int(process.name))
    return found


@pytest.mark.htcondor
def test_a_campaign_survives_failures_kills_a_restart_of_the_pool_and_a_cancellation(
    pool_operator, postgres_url, sandbox, condor_pool, undisturbed
):
    folder = pool_operator.folder
    write_campaign(folder, sandbox, where=WHERE, templates=COARSE, diffim=COARSE_DIFFIM)
    operator = plant(pool_operator, KILLED, {"kind": "fail", "label": "makeDirectWarp", "times": 2})
    operator.apcampaign("apdb", "init", "--db", postgres_url)
    operator.apcampaign("submit", "--tracts", "3828", "--no-check")
    wait_for((folder / "faults" / "fault1.0").exists, "the first failure")
    (dag,) = folder.glob("runs/*/dag/*")
    # DAGMan of the campaign and of its first run.
    killed = dagmans(folder)
    assert len(killed) == 2
    for process in killed:
        os.kill(process, signal.SIGKILL)
    logs = [dag / "campaign.dag.dagman.out", *folder.glob("runs/*/templates/*/submit/*.dag.dagman.out")]

    def wait_for_recoveries(count: int) -> None:
        done = "...done with RECOVERY mode"
        wait_for(
            lambda: all(log.read_text().count(done) >= count for log in logs), "the recovery of both DAGMans"
        )

    wait_for_recoveries(1)
    condor_pool.stop()
    assert not dagmans(folder)
    condor_pool.start()
    wait_for_recoveries(2)
    operator.apcampaign("cancel", seconds=240)
    assert condor_pool.run(["condor_q", "-allusers", "-af", "ClusterId"], seconds=30).strip() == ""
    assert "where it ended" in operator.apcampaign("resume")
    assert operator.wait_for_dag() != 0
    summary = json.loads((dag / "summary.json").read_text())
    templates, diffim = summary["steps"]
    assert templates["good"]
    assert not summary["good"]
    assert summary["verification"]["counts"] == {"unrecorded": 1}
    # What comes later on the same sky waited, and was not run without its history.
    assert diffim["quanta"]["associateApdb"]["successful"] == 0
    said = operator.apcampaign("resume")
    assert ROLLED_BACK in said
    assert " quanta to rerun: " in said
    assert "2 of 2 associateApdb" in said
    assert "where it ended" in said
    assert operator.wait_for_dag() == 0
    quanta = assert_complete(operator, postgres_url)
    assert quanta["associateApdb"] == 2
    assert_same((operator, postgres_url), undisturbed)
    assert "nothing to resume" in operator.apcampaign("resume", good=False)


@pytest.mark.htcondor
def test_a_template_that_may_be_missing_does_not_stop_a_campaign_nor_does_memory_that_helps_itself(
    pool_operator, postgres_url, sandbox
):
    folder = pool_operator.folder
    bps = {
        **COARSE["bps"],
        "pipetask": {
            "makeDirectWarp": {"requestMemory": 4096},
            "makePsfMatchedWarp": {"requestMemory": 4096},
            "selectTemplateCoaddVisits": {"numberOfRetries": 0},
            "assembleTemplateCoadd": {"numberOfRetries": 0},
        },
    }
    templates = {**COARSE, "bps": bps}
    where = "detector = 94 AND visit = 731000"
    steps = {"templates": templates, "diffim": COARSE_DIFFIM}
    write_campaign(folder, sandbox, where=where, allowMissingTemplates=30, **steps)
    operator = plant(
        pool_operator,
        # Held, until it gets twice as much.
        {"kind": "hungry", "label": "makePsfMatchedWarp", "needs": 8000},
        {"kind": "raise", "label": "assembleTemplateCoadd", "times": 1},
    )
    operator.apcampaign("apdb", "init", "--db", postgres_url)
    operator.apcampaign("submit", "--tracts", "3828", "--no-check")
    assert "has not ended" in operator.apcampaign("submit", "templates", good=False)
    assert operator.wait_for_dag() == 0
    assert (folder / "faults" / "fault0.0").exists()
    (dag,) = folder.glob("runs/*/dag/*")
    assert "1 of 4 (patch, band) that the science visits need are missing" in (dag / "gate.out").read_text()
    summary = operator.summary()
    assert summary["good"]
    assert summary["steps"][1]["products"] == 1
    assert len(summary["missing_templates"]) == 1
    assert summary["steps"][0]["quanta"]["assembleTemplateCoadd"]["successful"] == 3
    assert "1 of 4" in operator.apcampaign("summary")
    said = operator.apcampaign("resume", good=False)
    assert "are within allowMissingTemplates" in said
    assert "nothing to resume" in said


@pytest.mark.htcondor
def test_steps_by_hand_are_cancelled_and_resumed_one_by_one(
    pool_operator, postgres_url, sandbox, condor_pool, undisturbed
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
    assert "has no templates run" in operator.make("submit-diffim", good=False)
    operator.make("submit-templates", "TRACTS=3828")
    assert "has not ended" in operator.make("submit-diffim", good=False)
    held = ["condor_q", "-allusers", "-constraint", "JobStatus == 5", "-af", "HoldReason"]
    wait_for(lambda: "gone over memory limit" in condor_pool.run(held, seconds=30), "the hold")
    assert "has not ended" in operator.make("resume", good=False)
    operator.make("cancel", seconds=240)
    assert condor_pool.run(["condor_q", "-allusers", "-af", "ClusterId"], seconds=30).strip() == ""
    assert "nothing of campaign" in operator.make("cancel", good=False)
    said = operator.apcampaign("resume", "--set", "templates.pipetask.makePsfMatchedWarp.requestMemory=8192")
    assert "settings have changed: building new graphs" in said
    config = sorted(folder.glob("runs/*/templates/*/bps.yaml"))[-1]
    assert yaml.safe_load(config.read_text())["pipetask"]["makePsfMatchedWarp"]["requestMemory"] == 8192
    assert operator.wait_for_state("templates") != 0
    # No template may be missing.
    assert "4 of 4 (patch, band) that the science visits need are missing" in operator.make(
        "submit-diffim", "TRACTS=3828", good=False
    )
    assert "where it ended" in operator.make("resume")
    assert operator.wait_for_state("templates") == 0
    said = operator.apcampaign("submit", "diffim", "--templates", "2.2i/defaults", good=False)
    assert "that the science visits need are missing in 2.2i/defaults" in said
    operator.make("submit-diffim", "TRACTS=3828")
    assert operator.wait_for_state("diffim") != 0
    said = operator.make("resume")
    assert ROLLED_BACK in said
    assert "where it ended" in said
    assert operator.wait_for_state("diffim") == 0
    # The APDB is not empty any more: another run into it is refused before anything is submitted.
    write_campaign(folder, sandbox, **campaign)
    assert "is not empty" in operator.make("submit-diffim", "TRACTS=3828", good=False)
    assert len(list(folder.glob("runs/*/diffim/*/run.yaml"))) == 1
    said = operator.apcampaign("submit", "diffim", "--continue", "--no-check", "--tracts", "3828")
    assert "1 association," in said  # of the other visit
    # Cancelled after its write, and DAGMan dies before it begins the final job: what is done is not rolled back.
    wait_for((folder / "faults" / "fault3.0").exists, "the second association")
    stopped = dagmans(folder)  # of the campaign and of its run
    for dagman in stopped:
        os.kill(dagman, signal.SIGSTOP)
    with ThreadPoolExecutor() as pool:
        cancelled = pool.submit(operator.make, "cancel", seconds=240)
        removed = ["condor_q", "-allusers", "-constraint", "JobStatus == 3", "-af", "ClusterId"]
        wait_for(lambda: condor_pool.run(removed, seconds=30).strip(), "the removal")
        for dagman in stopped:
            os.kill(dagman, signal.SIGKILL)
        assert "nothing is left in the queue" in cancelled.result()
    said = operator.make("resume")
    assert "diffim: registering the outputs of" in said
    assert "rolling it back" not in said
    assert operator.wait_for_state("diffim") == 0
    assert_complete(operator, postgres_url)
    assert_same((operator, postgres_url), undisturbed)


def test_both_steps_with_parsl_and_sqlite_are_as_with_htcondor_and_postgresql(operator, sandbox, undisturbed):
    url = f"sqlite:///{operator.folder}/apdb.db"
    write_campaign(
        operator.folder, sandbox, where=WHERE, templates=COARSE, diffim=COARSE_DIFFIM, site="parsl-local"
    )
    operator.apcampaign("apdb", "init", "--db", url)
    assert "--foreground" in operator.apcampaign("submit", good=False)
    broken = plant(operator, KILLED)
    words = ["submit", "--foreground", "--tracts", "3828"]
    broken.apcampaign(*words, seconds=RUN_DEADLINE)
    assert not json.loads(broken.apcampaign("summary", "--json", good=None))["good"]
    assert "are not in a queue" in operator.apcampaign("cancel", good=False)
    said = operator.apcampaign("resume", seconds=RUN_DEADLINE)
    assert ROLLED_BACK in said
    assert "ParslService cannot continue a run that is in no campaign DAG: building new graphs" in said
    assert_complete(operator, url)
    assert_same((operator, url), undisturbed)
