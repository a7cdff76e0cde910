"""A campaign with a fault planted in the middle ends as one without."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from operators import Operator, assert_complete, write_campaign

pytestmark = [pytest.mark.slow, pytest.mark.htcondor, pytest.mark.postgres]


def plant(operator: Operator, *faults: dict[str, Any]) -> Operator:
    """Give the jobs of an operator faults (see faults/sitecustomize.py)."""
    folder = operator.folder / "faults"
    folder.mkdir(exist_ok=True)
    shutil.copy(Path(__file__).parent / "faults" / "sitecustomize.py", folder)
    named = [{"name": f"fault{number}", **fault} for number, fault in enumerate(faults)]
    (folder / "faults.json").write_text(json.dumps(named))
    return Operator(operator.folder, {**operator.environment, "PYTHONPATH": str(folder)})


def test_an_association_killed_after_its_write_is_taken_back_and_run_again(
    pool_operator, postgres_url, sandbox
):
    # One detector, so that the later visit waits for the one that is killed. And a job that fails twice first.
    write_campaign(pool_operator.folder, sandbox, where="detector = 94")
    operator = plant(
        pool_operator,
        {"kind": "die-after-store", "visit": 731000, "detector": 94},
        {"kind": "fail", "label": "makeDirectWarp", "times": 2},
    )
    operator.apcampaign("apdb", "init", "--db", postgres_url)
    operator.apcampaign("submit", "--tracts", "3828")
    assert operator.wait_for_chain() != 0
    (chain,) = operator.folder.glob("runs/*/chain/*")
    summary = json.loads((chain / "summary.json").read_text())
    templates, diffim = summary["steps"]
    assert templates["good"]  # the failures before were retried
    assert not summary["good"]
    assert summary["verification"]["counts"] == {"unrecorded": 1}
    # What comes later on the same sky waited, and was not run without its history.
    assert diffim["quanta"]["associateApdb"]["successful"] == 0
    said = operator.apcampaign("resume")
    assert (
        "visit 731000, detector 94 is in the APDB, but its association did not end well: taking it back"
        in said
    )
    assert "2 of 2 associateApdb to run again" in said
    assert operator.wait_for_chain() == 0
    quanta = assert_complete(operator, postgres_url)
    assert quanta["associateApdb"] == 2
    said = operator.apcampaign("resume", good=False)
    assert "nothing to resume" in said


def test_a_cancelled_chain_leaves_nothing_and_goes_on_with_other_settings(
    pool_operator, postgres_url, sandbox, condor_pool
):
    write_campaign(pool_operator.folder, sandbox, where="detector = 94")
    # Fails again and again, until it gets more memory.
    operator = plant(pool_operator, {"kind": "fail", "label": "makePsfMatchedWarp", "times": 100})
    operator.apcampaign("apdb", "init", "--db", postgres_url)
    operator.apcampaign("submit", "--tracts", "3829")
    assert "still going on" in operator.apcampaign("resume", good=False)
    assert "has not ended" in operator.apcampaign("submit", "templates", good=False)
    operator.apcampaign("cancel", seconds=240)
    assert condor_pool.run(["condor_q", "-allusers", "-af", "ClusterId"], seconds=30).strip() == ""
    assert "nothing of campaign" in operator.apcampaign("cancel", good=False)
    said = pool_operator.apcampaign(
        "resume", "--set", "templates.pipetask.makePsfMatchedWarp.requestMemory=2100"
    )
    assert "to run again" in said
    assert operator.wait_for_chain() == 0
    (config,) = [
        path for path in operator.folder.glob("runs/*/templates/*/bps.yaml") if "2100" in path.read_text()
    ]
    assert yaml.safe_load(config.read_text())["pipetask"]["makePsfMatchedWarp"]["requestMemory"] == 2100
    assert_complete(pool_operator, postgres_url)
