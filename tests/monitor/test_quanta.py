"""What has become of the quanta of a run is what Rubin's own provenance of them tells."""

from pathlib import Path
from typing import Any

import pytest
from apcampaign.bps import Stage, Step
from apcampaign.ledger import RunPaths, RunRecord, has_all_records
from apcampaign.monitor.outcomes import (
    FAILED,
    Outcomes,
    QuantaCount,
    count_quanta,
    count_quanta_by_run,
    find_left_quanta,
    read_outcomes,
)
from apcampaign.ordering.parts import find_made, find_unmade
from astropy.table import Table
from lsst.daf.butler.logging import ButlerLogRecords
from lsst.pipe.base import QuantumSuccessCaveats, TaskMetadata
from lsst.pipe.base.all_dimensions_quantum_graph_builder import AllDimensionsQuantumGraphBuilder
from lsst.pipe.base.quantum_provenance_graph import QuantumProvenanceGraph, TaskSummary
from lsst.pipe.base.tests.mocks import DirectButlerRepo, DynamicConnectionConfig

pytestmark = pytest.mark.slow

RUN = "output_run"
#: What the quanta of the detectors have left: metadata, log, output. The task after them has left nothing.
LEFT = {
    ("first", 1): "_metadata _log _made",
    ("second", 1): "_metadata _log",
    ("first", 2): "_log",
    ("first", 4): "_metadata _made",
    ("second", 4): "_metadata _log _made",
}
PARTIAL = {
    "quantum": {"caveats": QuantumSuccessCaveats.PARTIAL_OUTPUTS_ERROR.value},
    "second": {"failure": {"type": "lsst.some.Error", "message": "too few\nof all"}},
}


def connect(name: str, *dimensions: str, multiple: bool = False) -> dict[str, DynamicConnectionConfig]:
    dimensions = ("instrument", *dimensions)
    return {
        name: DynamicConnectionConfig(
            dataset_type_name=name, dimensions=list(dimensions), multiple=multiple, mock_storage_class=False
        )
    }


def make_run(repo: DirectButlerRepo, file: Path) -> None:
    """Build the graph of three tasks, one after the other, and put into the repository what they have left."""
    of_detectors = ("instrument", "detector")
    made = connect("first_made", "detector"), connect("second_made", "detector")
    repo.add_task("first", dimensions=of_detectors, inputs=connect("raw", "detector"), outputs=made[0])
    repo.add_task("second", dimensions=of_detectors, inputs=made[0], outputs=made[1])
    read = connect("second_made", "detector", multiple=True)
    repo.add_task("last", dimensions=("instrument",), inputs=read, outputs=connect("last_made"))
    components = repo.make_quantum_graph_builder(output_run=RUN).finish(attach_datastore_records=False)
    components.write(str(file))
    graph = components.assemble()
    repo.butler.collections.register(RUN)
    for label in ("first", "second"):
        for quantum in graph.build_execution_quanta(task_label=label).values():
            for name, (ref,) in quantum.outputs.items():
                ending = name.name.removeprefix(label)
                if ending in LEFT.get((label, quantum.dataId["detector"]), "").split():
                    content: dict[str, Any] = {
                        "_metadata": TaskMetadata.from_dict(PARTIAL),
                        "_log": ButlerLogRecords.from_records([]),
                    }
                    repo.butler.put(content.get(ending, {}), ref)


def record_of_graph(butler: str, run: str, graph: Path, **quanta: int) -> RunRecord:
    return RunRecord(
        campaign="camp",
        step=Step.DIFFIM,
        timestamp="1",
        butler=butler,
        inputs=(),
        output="output",
        output_run=run,
        config="",
        submit_dir="",
        graph=str(graph),
        wms_service="",
        jobs={},
        quanta=quanta,
    )


def count(task: TaskSummary) -> QuantaCount:
    return QuantaCount(
        expected=task.n_expected,
        successful=task.n_successful,
        failed=task.n_failed + task.n_wonky,
        blocked=task.n_blocked,
        unknown=task.n_unknown,
        partial=sum(map(len, task.exceptions.values())),
    )


def test_outcomes_are_those_that_rubins_provenance_graph_tells(tmp_path: Path) -> None:
    with DirectButlerRepo.make_temporary("base.yaml") as (repo, root):
        make_run(repo, tmp_path / "run.qg")
        graph = QuantumProvenanceGraph(repo.butler, [str(tmp_path / "run.qg")], use_qbb=False)
        told = graph.to_summary(do_store_logs=False).tasks
        record = record_of_graph(root, RUN, tmp_path / "run.qg")
        found: Outcomes = read_outcomes(record)
        without = count_quanta([record])
        assert count_quanta_by_run([record]) == {record.output_run: without}
        for run, quanta, done in (
            (RUN, {"second": 2}, True),
            (RUN, {"second": 3}, False),
            (RUN, {"second": 2, "last": 1}, False),
            ("another", {"second": 2}, False),
        ):
            assert (
                has_all_records(repo.butler, record_of_graph(root, run, tmp_path / "run.qg", **quanta))
                is done
            )
    assert found.counts == {label: count(task) for label, task in told.items()}
    assert list(found.counts) == ["first", "second", "last"]
    first, second, last = found.counts.values()
    # Metadata without a log contradict each other.
    assert (first.successful, first.failed, first.unknown) == (1, 2, 1)
    assert (second.successful, second.partial, second.blocked, second.unknown) == (2, 1, 1, 1)
    assert last.blocked == 1
    assert [(each.label, each.data_id["detector"], each.run, each.why) for each in found.troubles] == [
        ("first", 2, "", FAILED),
        ("first", 4, "", FAILED),
        ("second", 1, RUN, "Error: too few"),
    ]
    assert {label: (each.successful, each.blocked) for label, each in without.items()} == {
        label: (each.successful, each.blocked) for label, each in found.counts.items()
    }


def run_visits(repo: DirectButlerRepo, run: str, where: str, failing: set[int], *done: str) -> RunRecord:
    """Make a run of some visits that leaves out what others have done; the tables of some of them fail."""
    builder = AllDimensionsQuantumGraphBuilder(
        repo.pipeline_graph,
        repo.butler,
        where=f"instrument = 'Cam1' AND {where}",
        input_collections=[repo.input_chain],
        output_run=run,
        skip_existing_in=done,
    )
    components = builder.finish(attach_datastore_records=False)
    file = Path(repo.butler._config.configDir.ospath) / f"{run}.qg"
    components.write(str(file))
    graph = components.assemble()
    repo.butler.collections.register(run)
    for label in graph.quanta_by_task:
        node = repo.pipeline_graph.tasks[label]
        repo.butler.put(node.config, node.init.config_output.dataset_type_name, run=run)
        for quantum in graph.build_execution_quanta(task_label=label).values():
            failed = label == "table" and quantum.dataId["visit"] in failing
            for name, (ref,) in quantum.outputs.items():
                if name.name.endswith("_log"):
                    repo.butler.put(ButlerLogRecords.from_records([]), ref)
                elif not failed:
                    metadata = name.name.endswith("_metadata")
                    repo.butler.put(TaskMetadata() if metadata else {}, ref)
    counts = {label: len(quanta) for label, quanta in graph.quanta_by_task.items() if quanta}
    return record_of_graph(str(repo.butler._config.configDir.ospath), run, file, **counts)


def test_quanta_that_no_newer_run_has_done_or_is_to_do_are_left() -> None:
    with DirectButlerRepo.make_temporary("base.yaml", "spatial.yaml") as (repo, _):
        made = connect("made", "visit", "detector")
        repo.add_task(
            "associate",
            dimensions=("instrument", "visit", "detector"),
            inputs=connect("raw", "visit", "detector"),
            outputs=made,
        )
        repo.add_task(
            "table",
            dimensions=("instrument", "visit"),
            inputs=connect("made", "visit", "detector", multiple=True),
            outputs=connect("table_made", "visit"),
        )
        repo.make_quantum_graph_builder()  # registers the dataset types
        first = run_visits(repo, "first", "visit IN (1, 2)", {1, 2})
        again = run_visits(repo, "again", "visit = 2", set(), "first")
        assert dict(again.quanta) == {"table": 1}
        newest = run_visits(repo, "newest", "visit = 2", set(), "again")
        (left,) = find_left_quanta(repo.butler, (newest, again, first), [newest])
        assert (left.label, left.visit, left.output_run) == ("table", 1, "first")
        # A run that counts tells itself what becomes of it.
        still = run_visits(repo, "still", "visit = 1", {1})
        assert find_left_quanta(repo.butler, (still, again, first), [still]) == ()
        assert find_left_quanta(repo.butler, (newest,), [newest]) == ()


def test_images_of_parts_are_known_as_made_or_unmade_without_the_graph_of_an_association(
    tmp_path: Path,
) -> None:
    with DirectButlerRepo.make_temporary("base.yaml", "spatial.yaml") as (repo, _):
        of_image = ("instrument", "visit", "detector")
        before = connect("raw", "visit", "detector")
        for label, product in (("subtract", "difference_image"), ("table", "dia_source_detector")):
            made = connect(product, "visit", "detector")
            repo.add_task(label, dimensions=of_image, inputs=before, outputs=made)
            before = made
        repo.make_quantum_graph_builder()  # registers the dataset types
        runs = [run_visits(repo, f"images-{visit}", f"visit = {visit}", {1}) for visit in (1, 2)]
        failed, good = (run.model_copy(update={"stage": Stage.IMAGES}) for run in runs)
        of_first = {(1, detector) for detector in range(1, failed.quanta["table"] + 1)}
        assert find_unmade(repo.butler, [failed, good]) == dict.fromkeys(of_first, True)
        assert {visit for visit, _ in find_made(repo.butler, [failed, good])} == {2}
        # A run that has not begun has failed nowhere; that of an association is not looked at.
        never = failed.model_copy(update={"output_run": "never"})
        assert find_unmade(repo.butler, [never]) == dict.fromkeys(of_first, False)
        # Of one whose graph is gone it is known what it was given.
        gone = failed.model_copy(update={"graph": "gone", "submit_dir": str(tmp_path / "submit")})
        assert find_unmade(repo.butler, [gone]) == {}
        given = Table(rows=sorted(of_first), names=("visit", "detector"))
        given.write(RunPaths(tmp_path).data_ids, format="ascii.ecsv")
        assert find_unmade(repo.butler, [gone]) == dict.fromkeys(of_first, False)
        for function in (find_made, find_unmade):
            assert not function(repo.butler, [run.model_copy(update={"stage": None}) for run in runs])
