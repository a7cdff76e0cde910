"""Both steps of a small campaign, by the commands that a user has, on real servers."""

import json
import re
from fnmatch import fnmatch

import pytest
from operators import COMMAND, ROOT, assert_complete

pytestmark = pytest.mark.slow


@pytest.mark.htcondor
@pytest.mark.postgres
def test_both_steps_in_one_campaign_dag(undisturbed, reference):
    operator, url = undisturbed
    (dag,) = operator.folder.glob("runs/*/dag/*")
    summary = json.loads((dag / "summary.json").read_text())
    assert summary["good"]
    again = json.loads(operator.apcampaign("summary", "--json"))
    again["verification"]["seconds"] = summary["verification"]["seconds"]
    assert again == summary
    assert "all 4 (patch, band)" in (dag / "gate.out").read_text()
    for submit in operator.folder.glob(
        "runs/*/*/*/submit"
    ):  # BPS knows them too: it exits with 0 for SUCCEEDED
        operator.run(str(COMMAND.with_name("bps")), "status", "--id", str(submit))
    assert_complete(operator, url)
    status = json.loads(operator.apcampaign("status", "--json"))
    assert not status["active"]
    nodes = ["templates", "gate", "prepare-diffim", "diffim", "summary"]
    assert {node["name"]: node["state"] for node in status["dag"]} == dict.fromkeys(nodes, "done")
    assert [step["state"] for step in status["steps"]] == ["done", "done"]
    assert not json.loads(operator.apcampaign("failures", "--quanta", "--json"))["groups"]
    # Associations of the two visits, whose sky overlaps, are ordered by plain edges.
    (run_dag,) = operator.folder.glob("runs/*/diffim/*/submit/*.dag")
    first, second = sorted(
        {
            line.split()[1].split("_")[1]
            for line in run_dag.read_text().splitlines()
            if line.startswith("JOB association_")
        }
    )
    assert f"PARENT association_{first}_94 CHILD " in run_dag.read_text()
    assert f" association_{second}_94" in run_dag.read_text()
    # Nothing is left in the queue.
    assert reference.pool.run(["condor_q", "-allusers", "-af", "ClusterId"], seconds=30).strip() == ""


@pytest.mark.htcondor
@pytest.mark.postgres
def test_the_files_of_a_campaign_are_documented(undisturbed):
    (folder,) = undisturbed[0].folder.glob("runs/*")
    text = (ROOT / "docs" / "files.md").read_text()
    known = {re.sub(r"<\w+>", "*", name.rstrip("/")) for name in re.findall(r"`([^`\s]+)`", text)}
    # Of a node the kind is known, and not the name; DAGMan names its files after the DAG.
    known = known - {"*.*"} | {"*.sub", "*.out", "*.err", "campaign.dag.*", "templates", "diffim", "dag"}
    for each in (folder, *folder.glob("dag/*"), *folder.glob("templates/*"), *folder.glob("diffim/*")):
        for file in each.iterdir() if each.is_dir() else [each]:
            assert any(fnmatch(file.name, name) for name in known), file
