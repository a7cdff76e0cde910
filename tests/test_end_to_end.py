"""Both steps of a small campaign, by the doors a user has, on real servers."""

import json

import pytest
from operators import RUN_DEADLINE, assert_complete, write_campaign

pytestmark = pytest.mark.slow


@pytest.mark.htcondor
@pytest.mark.postgres
def test_both_steps_chained_inside_htcondor(undisturbed, condor_pool):
    operator, url = undisturbed
    (chain,) = operator.folder.glob("runs/*/chain/*")
    assert json.loads((chain / "summary.json").read_text())["good"]
    assert "all 9 (patch, band)" in (chain / "gate.out").read_text()
    assert operator.wait_for_state("templates") == operator.wait_for_state("diffim") == 0
    assert_complete(operator, url)
    # Associations of the two visits, whose sky overlaps, are ordered by plain edges.
    (dag,) = operator.folder.glob("runs/*/diffim/*/submit/*.dag")
    first, second = sorted(
        {
            line.split()[1].split("_")[1]
            for line in dag.read_text().splitlines()
            if line.startswith("JOB association_")
        }
    )
    assert f"PARENT association_{first}_93 CHILD " in dag.read_text()
    assert f" association_{second}_93" in dag.read_text()
    # Nothing is left in the queue.
    assert condor_pool.run(["condor_q", "-allusers", "-af", "ClusterId"], seconds=30).strip() == ""


@pytest.mark.htcondor
@pytest.mark.postgres
def test_the_steps_by_hand_with_make(pool_operator, postgres_url, sandbox):
    operator = pool_operator
    write_campaign(operator.folder, sandbox, where="detector = 94")
    assert "make apdb-init" in operator.make("submit-diffim", good=False)
    operator.make("apdb-init", f"DB={postgres_url}")
    said = operator.make("submit-diffim", good=False)
    assert "has no templates run" in said
    operator.make("submit-templates", "TRACTS=3828 3829")
    said = operator.make("submit-diffim", good=False)
    assert "has not ended" in said
    assert operator.wait_for_state("templates") == 0
    said = operator.apcampaign("submit", "diffim", "--templates", "2.2i/defaults", good=False)
    assert "of 12 (patch, band) that the science visits need are missing in 2.2i/defaults" in said
    operator.make("submit-diffim")
    assert operator.wait_for_state("diffim") == 0
    quanta = assert_complete(operator, postgres_url)
    assert quanta["associateApdb"] == 4
    # The APDB is not empty any more: another run into it is refused before anything is submitted.
    said = operator.make("submit-diffim", good=False)
    assert "is not empty" in said
    assert len(list(operator.folder.glob("runs/*/diffim/*/run.yaml"))) == 1


@pytest.mark.postgres
def test_both_steps_in_the_foreground_with_parsl(operator, postgres_url):
    operator.apcampaign("apdb", "init", "--db", postgres_url)
    said = operator.apcampaign("submit", "--site", "parsl-local", good=False)
    assert "--foreground" in said
    words = ["submit", "--foreground", "--site", "parsl-local", "--tracts", "3829"]
    operator.apcampaign(*words, seconds=RUN_DEADLINE)
    assert_complete(operator, postgres_url)
