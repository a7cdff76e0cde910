"""Jobs of runs whose associations BPS orders itself: by jobs that do nothing, or by DAGs inside of the DAG."""

from pathlib import Path

import pytest
from apcampaign.ledger import RunPaths, read_workflow, write_nodes
from apcampaign.lifecycle.adoption.jobs import read_prepared_jobs
from apcampaign.monitor import JobState
from apcampaign.monitor.run_reader import RunReader
from raw_runs import leave_raw_runs

pytestmark = pytest.mark.slow

_NOOP = 'JOB wms_noop_association_{0} "${{CTRL_BPS_HTCONDOR_DIR}}/noop.sub" NOOP'
_SUMMARY = 'SET_JOB_ATTR bps_job_summary= "pipetaskInit:1;diffim:1;association:3;finalJob:1"'
_FINAL = 'FINAL finalJob "finalJob.sub" DIR "jobs/finalJob"'
_EVENT = """{kind} ({cluster}.000.000) 2026-11-25 20:53:00 {what}
    DAG Node: {node}
...
"""
_END = "\t(1) Normal termination (return value {code})"


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    (graph,) = leave_raw_runs(tmp_path_factory.mktemp("raw")).diffim.glob("*.qg")
    return graph


def describe(folder: Path, name: str, label: str) -> str:
    """Write the submit description of a job, and give its line in the DAG."""
    where = folder / "jobs" / label
    where.mkdir(parents=True, exist_ok=True)
    memory = "(LastJobStatus =?= 5) ? min({int(4096 * pow(2, NumJobStarts)), 9999}) : "
    memory += "min({max({4096, MemoryUsage ?: 0}), 9999})"
    (where / f"{name}.sub").write_text(f'request_memory={memory}\n+bps_job_label = "{label}"\n')
    return f'JOB {name} "{name}.sub" DIR "jobs/{label}"'


def write_dag(folder: Path, *lines: str) -> Path:
    ordinary = [
        describe(folder, name, name.partition("_")[0]) for name in ("pipetaskInit", "diffim_1", "finalJob")
    ]
    dag = folder / "run.dag"
    dag.write_text(
        "\n".join([*ordinary[:2], "PARENT pipetaskInit CHILD diffim_1", *lines, _SUMMARY, _FINAL, ""])
    )
    return dag


def log(dag: Path, *jobs: tuple[str, int, int]) -> None:
    """Write the log of a DAG whose jobs have ended: the name, the id and the exit code of each."""
    text = ""
    for node, cluster, code in jobs:
        text += _EVENT.format(kind="000", cluster=cluster, what="Job submitted", node=node)
        end = f"Job terminated.\n{_END.format(code=code)}"
        text += _EVENT.format(kind="005", cluster=cluster, what=end, node=node)
    dag.with_name(f"{dag.name}.nodes.log").write_text(text)


def test_jobs_that_do_nothing_are_left_out_and_those_before_them_are_waited_for(
    tmp_path: Path, graph: Path
) -> None:
    jobs = [describe(tmp_path, f"association_{number}", "association") for number in (1, 2, 3)]
    dag = write_dag(
        tmp_path,
        *jobs,
        _NOOP.format(1),
        _NOOP.format(2),
        "PARENT diffim_1 CHILD association_1",
        "PARENT association_1 CHILD wms_noop_association_1",
        "PARENT wms_noop_association_1 CHILD association_2",
        "PARENT association_2 CHILD wms_noop_association_2",
        "PARENT wms_noop_association_2 CHILD association_3",
    )
    found = read_prepared_jobs(dag, graph)
    assert not found.damage
    waits = {name: node.parents for name, node in found.workflow.nodes.items()}
    assert waits["association_3"] == ("association_2",)
    assert waits["association_2"] == ("association_1",)
    assert waits["association_1"] == ("diffim_1",)
    assert len(waits) == 6
    assert found.workflow.nodes["association_1"].request_memory == 4096


def test_jobs_inside_of_dags_inside_are_read_from_the_logs_of_those(tmp_path: Path, graph: Path) -> None:
    lines = []
    for number in (1, 2):
        group = f"wms_group_association_{number}"
        inside = tmp_path / "subdags" / group / f"group_association_{number}.dag"
        inside.parent.mkdir(parents=True)
        names = [f"association_{number}", *(["association_3"] if number == 2 else [])]
        jobs = [describe(tmp_path, name, "association").replace('DIR "', 'DIR "../../') for name in names]
        inside.write_text("\n".join([*jobs, "SET_JOB_ATTR x= 1", ""]))
        lines += [f"SUBDAG EXTERNAL {group} {inside.name} DIR subdags/{group}"]
        lines += [f'JOB wms_check_status_{group} "check.sub" DIR "subdags/{group}"']
    lines += [
        "PARENT diffim_1 CHILD wms_group_association_1",
        "PARENT wms_group_association_1 CHILD wms_check_status_wms_group_association_1",
        "PARENT wms_check_status_wms_group_association_1 CHILD wms_group_association_2",
        describe(tmp_path, "association_4", "association"),
        "PARENT wms_group_association_2 CHILD association_4",
    ]
    dag = write_dag(tmp_path, *lines)
    found = read_prepared_jobs(dag, graph)
    assert not found.damage
    waits = {name: set(node.parents) for name, node in found.workflow.nodes.items()}
    assert waits["association_1"] == {"diffim_1"}
    assert waits["association_2"] == waits["association_3"] == {"association_1"}
    assert waits["association_4"] == {"association_2", "association_3"}
    # So they are remembered.
    files = RunPaths(tmp_path / "run")
    write_nodes(files, found.workflow, tmp_path)
    files.submit.symlink_to(tmp_path)
    again = read_workflow(files, "run").nodes
    assert {name: node.parents for name, node in again.items()} == {
        name: node.parents for name, node in found.workflow.nodes.items()
    }
    assert {node.folder.resolve() for node in again.values()} == {
        node.folder.resolve() for node in found.workflow.nodes.values()
    }
    noop = ("wms_noop_association_1", 0, 0)
    log(dag, ("pipetaskInit", 1, 0), ("diffim_1", 2, 0), ("wms_group_association_1", 3, 0), noop)
    log(inside.parents[1] / "wms_group_association_1" / "group_association_1.dag", ("association_1", 4, 0))
    log(inside, ("association_2", 6, 1))
    reader = RunReader(files.folder / "submit" / "run.dag", read_workflow(files, "run"))
    states = {job.name: job.state for job in reader.read()}
    assert states["association_1"] is JobState.DONE
    assert states["association_2"] is JobState.FAILED
    assert states["association_4"] is JobState.PRUNED
    assert reader.inner_managers == {3}
    assert len(reader.dags) == 3
