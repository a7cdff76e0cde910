"""A campaign with faults planted in the middle ends as one without."""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from operators import (
    COARSE,
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
TAKEN_BACK = "visit 731000, detector 94 is in the APDB, but its association did not end well: taking it back"


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
        except OSError:
            continue
        if "condor_dagman" in words[0] and any(str(folder) in word for word in words):
            found.append(int(process.name))
    return found


@pytest.mark.htcondor
def test_a_chain_survives_failures_kills_and_a_restart_of_the_pool(
    pool_operator, postgres_url, sandbox, condor_pool, undisturbed
):
    folder = pool_operator.folder
    write_campaign(folder, sandbox, where=WHERE, bps=COARSE)
    operator = plant(pool_operator, KILLED, {"kind": "fail", "label": "makeDirectWarp", "times": 2})
    operator.apcampaign("apdb", "init", "--db", postgres_url)
    operator.apcampaign("submit", "--tracts", "3828", "--no-check")
    wait_for((folder / "faults" / "fault1.0").exists, "the first failure")
    (chain,) = folder.glob("runs/*/chain/*")
    # DAGMan of the chain and of its first run.
    killed = dagmans(folder)
    assert len(killed) == 2
    for process in killed:
        os.kill(process, signal.SIGKILL)
    log = chain / "chain.dag.dagman.out"
    wait_for(lambda: "RECOVERY mode" in log.read_text(), "DAGMan's recovery")
    condor_pool.stop()
    assert not dagmans(folder)
    condor_pool.start()
    assert operator.wait_for_chain() != 0
    summary = json.loads((chain / "summary.json").read_text())
    templates, diffim = summary["steps"]
    assert templates["good"]
    assert not summary["good"]
    assert summary["verification"]["counts"] == {"unrecorded": 1}
    # What comes later on the same sky waited, and was not run without its history.
    assert diffim["quanta"]["associateApdb"]["successful"] == 0
    said = operator.apcampaign("resume")
    assert TAKEN_BACK in said
    assert "2 of 2 associateApdb to run again" in said
    assert "HTCondor goes on where it ended" in said
    assert operator.wait_for_chain() == 0
    quanta = assert_complete(operator, postgres_url)
    assert quanta["associateApdb"] == 2
    assert_same((operator, postgres_url), undisturbed)
    assert "nothing to resume" in operator.apcampaign("resume", good=False)


@pytest.mark.htcondor
def test_a_chain_without_enough_memory_is_cancelled_and_goes_on_with_more(
    pool_operator, postgres_url, sandbox, condor_pool, undisturbed
):
    folder = pool_operator.folder
    hungry = {"requestMemory": 2048, "memoryMultiplier": 1}  # with BPS's default, 2, it would help itself
    bps = {
        "cluster": {"makeWarp": COARSE["cluster"]["makeWarp"]},  # one patch can fail alone
        "pipetask": {
            "makeDirectWarp": {"requestMemory": 2048},
            "makePsfMatchedWarp": {"requestMemory": 2048},
            "selectTemplateCoaddVisits": {"numberOfRetries": 0},
            "assembleTemplateCoadd": {"numberOfRetries": 0},
            "subtractImages": hungry,
        },
    }
    write_campaign(folder, sandbox, where=WHERE, bps=bps, allowMissingTemplates=20)
    operator = plant(
        pool_operator,
        # Helps itself: the second time it gets twice as much.
        {"kind": "hungry", "label": "makePsfMatchedWarp", "needs": 4000},
        {"kind": "fail", "label": "assembleTemplateCoadd", "times": 1},
        {"kind": "hungry", "label": "subtractImages", "needs": 8000},
    )
    operator.apcampaign("apdb", "init", "--db", postgres_url)
    operator.apcampaign("submit", "--tracts", "3828", "--no-check")
    assert "has not ended" in operator.apcampaign("submit", "templates", good=False)
    constraint = ["-constraint", "JobStatus == 5", "-af", "HoldReason"]

    def is_held() -> bool:
        return "memory" in condor_pool.run(["condor_q", "-allusers", *constraint], seconds=30) and any(
            (folder / "faults").glob("fault2.*")
        )

    wait_for(is_held, "the hold")
    # One failed template was within the tolerance.
    (chain,) = folder.glob("runs/*/chain/*")
    assert "1 of 6 (patch, band) that the science visits need are missing" in (chain / "gate.out").read_text()
    said = operator.apcampaign("resume", good=False)
    assert "still going on" in said
    assert "of its jobs held, such as diffim_731000_94: Job raised a signal 9" in said
    operator.apcampaign("cancel", seconds=240)
    assert condor_pool.run(["condor_q", "-allusers", "-af", "ClusterId"], seconds=30).strip() == ""
    assert "nothing of campaign" in operator.apcampaign("cancel", good=False)
    said = operator.apcampaign("resume", "--set", "diffim.pipetask.subtractImages.requestMemory=8192")
    assert "templates: 1 of 6 assembleTemplateCoadd to run again: 1 failed" in said
    assert operator.wait_for_chain() == 0
    config = sorted(folder.glob("runs/*/diffim/*/bps.yaml"))[-1]
    assert yaml.safe_load(config.read_text())["pipetask"]["subtractImages"]["requestMemory"] == 8192
    assert_complete(operator, postgres_url)
    assert_same((operator, postgres_url), undisturbed)
    # The gate tells that the templates come from two runs.
    gate = sorted(folder.glob("runs/*/chain/*/gate.out"))[-1].read_text()
    assert "are there (those that are there: 1 from u/" in gate


@pytest.mark.htcondor
def test_the_steps_by_hand_with_make(pool_operator, postgres_url, sandbox):
    folder = pool_operator.folder
    write_campaign(folder, sandbox, where=WHERE, bps={**COARSE, "numberOfRetries": 0})
    operator = plant(pool_operator, KILLED, {"kind": "fail", "label": "assembleTemplateCoadd", "times": 1})
    assert "make apdb-init" in operator.make("submit-diffim", good=False)
    operator.make("apdb-init", f"DB={postgres_url}")
    assert "has no templates run" in operator.make("submit-diffim", good=False)
    operator.make("submit-templates", "TRACTS=3828 3829")
    assert "has not ended" in operator.make("submit-diffim", good=False)
    assert operator.wait_for_state("templates") != 0
    assert "of 12 (patch, band) that the science visits need are missing" in operator.make(
        "submit-diffim", good=False
    )
    assert "HTCondor goes on where it ended" in operator.make("resume")
    assert operator.wait_for_state("templates") == 0
    said = operator.apcampaign("submit", "diffim", "--templates", "2.2i/defaults", good=False)
    assert "of 12 (patch, band) that the science visits need are missing in 2.2i/defaults" in said
    operator.make("submit-diffim", "TRACTS=3828")
    assert operator.wait_for_state("diffim") != 0
    said = operator.make("resume")
    assert TAKEN_BACK in said
    assert "HTCondor goes on where it ended" in said
    assert operator.wait_for_state("diffim") == 0
    # The APDB is not empty any more: another run into it is refused before anything is submitted.
    assert "is not empty" in operator.make("submit-diffim", good=False)
    assert len(list(folder.glob("runs/*/diffim/*/run.yaml"))) == 1
    said = operator.apcampaign("submit", "diffim", "--continue", "--no-check")
    assert "2 association" in said  # the other tract's
    assert operator.wait_for_state("diffim") == 0
    assert_complete(operator, postgres_url)


def test_both_steps_in_the_foreground_with_parsl(operator, postgres_url, sandbox, undisturbed):
    write_campaign(operator.folder, sandbox, where=WHERE, bps=COARSE, site="parsl-local")
    operator.apcampaign("apdb", "init", "--db", postgres_url)
    assert "--foreground" in operator.apcampaign("submit", good=False)
    broken = plant(operator, KILLED)
    words = ["submit", "--foreground", "--tracts", "3828"]
    broken.apcampaign(*words, seconds=RUN_DEADLINE)
    assert not json.loads(broken.apcampaign("summary", "--json", good=None))["good"]
    assert "are not in a queue" in operator.apcampaign("cancel", good=False)
    said = operator.apcampaign("resume", seconds=RUN_DEADLINE)
    assert TAKEN_BACK in said
    assert "ParslService cannot go on with a run that has ended: building a new graph" in said
    assert_complete(operator, postgres_url)
    assert_same((operator, postgres_url), undisturbed)
