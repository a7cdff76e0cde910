"""A campaign with faults planted in the middle ends as one without."""

import os
import signal

import pytest
from interference import KILLED, WHERE, dagmans, wait_for
from operators import COARSE, COARSE_DIFFIM, assert_complete, assert_same, plant, write_campaign

pytestmark = [pytest.mark.slow(minutes=3), pytest.mark.htcondor, pytest.mark.postgres]


def test_a_campaign_survives_failures_kills_a_restart_of_the_pool_and_a_cancellation(
    pool_operator, postgres_url, sandbox, condor_pool, reference
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
    assert operator.wait_for_dag() == 0
    # What comes later on the same sky waited until the association that was killed was repeated.
    (settled,) = folder.glob("runs/*/diffim/*/order/settled.log")
    assert "rolling it back" in settled.read_text()
    quanta = assert_complete(operator, postgres_url)
    assert quanta["associateApdb"] == 2
    assert_same((operator, postgres_url), reference.wait())
    assert "nothing to resume" in operator.apcampaign("resume", good=False)
