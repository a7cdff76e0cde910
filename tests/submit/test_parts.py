"""A campaign whose steps are divided into parts makes the same as an undivided one, quantum by quantum."""

import json
import os
import signal
from collections import Counter

import pytest
import yaml
from interference import find_processes, wait_for
from operators import (
    COARSE,
    COARSE_DIFFIM,
    Operator,
    assert_complete,
    assert_same,
    make_operator,
    write_campaign,
)

pytestmark = [pytest.mark.slow(minutes=4), pytest.mark.htcondor, pytest.mark.postgres]


def read_quanta(operator: Operator) -> Counter[tuple[str, str]]:
    """Read from the graphs of a campaign how often each quantum is in one of them."""
    from lsst.pipe.base.pipeline_graph import TaskImportMode
    from lsst.pipe.base.quantum_graph import PredictedQuantumGraph

    found: Counter[tuple[str, str]] = Counter()
    for graph in operator.folder.glob("runs/*/*/*/submit/*.qg"):
        step = graph.relative_to(operator.folder).parts[2]
        with PredictedQuantumGraph.open(graph, import_mode=TaskImportMode.DO_NOT_IMPORT) as reader:
            reader.read_thin_graph()
            for label, quanta in reader.finish().quanta_by_task.items():
                found.update((f"{step} {label}", str(dict(key.required))) for key in quanta)
    return found


@pytest.fixture
def divided(tmp_path, sandbox, condor_pool, postgres_server):
    folder = tmp_path / f"parts-{tmp_path.name}"
    folder.mkdir()
    operator = make_operator(folder, sandbox, condor_pool)
    write_campaign(
        folder,
        sandbox,
        where="detector = 94",
        prepareMemory=600,  # by batch jobs, of which the pool has as many as slots
        tracts=[3828],
        templates={**COARSE, "parts": 2},
        # What has its default changes nothing, and is for a task that the other stages do not have.
        diffim={**COARSE_DIFFIM, "parts": 2, "config": {"associateApdb:saveLogOutput": True}},
    )
    name = folder.name.replace("-", "_")
    postgres_server.create_database(name)
    url = postgres_server.url(name)
    operator.apcampaign("apdb", "init", "--db", url)
    return operator, url


def kill_in_the_middle(folder, pool):
    """Kill a node of the campaign DAG that prepares a part, and remove the DAGMan of another whose jobs run."""
    log = "runs/*/templates/*/prepare.log"  # that of the first part is there already
    wait_for(lambda: len(list(folder.glob(log))) > 1, "the preparation of a part by a node")
    for process in find_processes(folder, "node", "prepare"):
        os.kill(process, signal.SIGKILL)
    part = next(folder.glob("runs/*/templates/*-visits-1"))
    wait_for(lambda: find_processes(part, "run-qbb"), "a job of the first part")
    pool.run(["condor_rm", "-constraint", 'DAGNodeName == "templates-visits-1"'], seconds=60)


def test_parts_killed_in_the_middle_make_the_same_as_the_whole_and_each_quantum_is_in_one_of_them(
    divided, reference, condor_pool
):
    operator, url = divided
    said = operator.apcampaign("submit")
    assert "templates: 4 parts" in said
    assert "diffim: 8 parts" in said
    kill_in_the_middle(operator.folder, condor_pool)
    assert operator.wait_for_dag() == 1
    status = json.loads(operator.apcampaign("status", "--json"))
    assert {step["state"] for step in status["steps"]} == {"failed"}
    assert "where it ended" in operator.apcampaign("resume")
    code = operator.wait_for_dag()
    (dag,) = operator.folder.glob("runs/*/dag/*")
    assert code == 0, (dag / "campaign.dag.dagman.out").read_text()[-3000:]
    undisturbed = reference.wait()
    assert read_quanta(operator) == read_quanta(undisturbed[0])
    assert_complete(operator, url)
    assert_same((operator, url), undisturbed)
    plan = yaml.safe_load((dag / "plan.yaml").read_text())
    assert len(plan["runs"]) == 12
    status = json.loads(operator.apcampaign("status", "--json"))
    assert [(step["step"], len(step["runs"]), step["state"]) for step in status["steps"]] == [
        ("templates", 4, "done"),
        ("diffim", 8, "done"),
    ]
