"""A campaign whose steps are divided into parts makes the same as an undivided one, quantum by quantum."""

import getpass
import json
import os
import signal
from collections import Counter

import pytest
import yaml
from apcampaign.common.errors import ApdbError
from apcampaign.ordering import find_stored
from apcampaign.submit.nodes import close_run
from interference import KILLED, find_processes, wait_for
from operators import (
    COARSE,
    COARSE_DIFFIM,
    Operator,
    assert_complete,
    assert_same,
    make_operator,
    plant,
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
    # Of the first part of the association, on which nobody may build then.
    operator = plant(make_operator(folder, sandbox, condor_pool), KILLED)
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
    (settled,) = operator.folder.glob("runs/*/diffim/*-association-1/order/settled.log")
    assert "rolling it back" in settled.read_text()
    status = json.loads(operator.apcampaign("status", "--json"))
    assert [(step["step"], len(step["runs"]), step["state"]) for step in status["steps"]] == [
        ("templates", 4, "done"),
        ("diffim", 8, "done"),
    ]
    forget_association(operator, 731000)
    said = operator.apcampaign("resume", good=False)
    assert "1 association built on what failed ones have written: visit 731100 detector 94" in said
    assert "`apcampaign doctor --fix`" in said
    told = operator.apcampaign("doctor", good=False)
    assert (
        "has rows of visit 731000 detector 94, whose association failed; built on that: visit 731100" in told
    )
    assert "roll back the association of visit 731100" in told
    # Nobody is let go on behind a part of which something is left in the APDB.
    runs, (config,) = operator.folder / "runs", operator.folder.glob("runs/*/apdb_config.yaml")
    with pytest.raises(ApdbError, match="later associations built on"):
        close_run(dag, runs, "diffim-association-1", 1)
    forget_association(operator, 731100)
    close_run(dag, runs, "diffim-association-2", 1)
    assert find_stored(str(config)) == {(731000, 94)}


def forget_association(operator: Operator, visit: int) -> None:
    """Let the repository not know it, as if it had been killed after its write."""
    from lsst.daf.butler import Butler

    output = f"u/{getpass.getuser()}/{operator.folder.name}/diffim"
    where = f"instrument = 'LSSTCam-imSim' AND visit = {visit}"
    repository = yaml.safe_load((operator.folder / "campaign.yaml").read_text())["butler"]
    with Butler.from_config(repository, writeable=True) as butler:
        refs = [
            ref
            for name in ("associateApdb_metadata", "associateApdb_log", "apdb_marker", "dia_source_apdb")
            for ref in butler.query_datasets(name, output, where=where, limit=None)
        ]
        butler.pruneDatasets(refs, disassociate=True, unstore=True, purge=True)
