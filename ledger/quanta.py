"""What has become of the quanta of a run: its graph is compared with what the repository holds of it.

``QuantumProvenanceGraph`` of ``lsst.pipe.base`` tells the same, and more of several runs of the same quanta. For
one run it takes four times as long: it imports all tasks, lists the versions of all packages, and asks twice for
each dataset type of the graph, also for those that the run has not made.
"""

__all__ = ["Quantum", "QuantumState", "has_all_records", "read_quanta"]

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ..common.butler import query_run
from .records import RunRecord

#: How the names of what each quantum leaves end.
_METADATA, _LOG = _RECORDS = ("_metadata", "_log")


class QuantumState(StrEnum):
    """What has become of a quantum; a blocked one lacks an input, and an unknown one has left no record."""

    SUCCESSFUL = "successful"
    FAILED = "failed"
    BLOCKED = "blocked"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Quantum:
    """A quantum of a run.

    Parameters
    ----------
    label
        Its task.
    data_id
        Its data id.
    state
        What has become of it.
    metadata
        The reference of its metadata if it was successful and has not made all that the graph predicts; only where
        that was asked for.
    """

    label: str
    data_id: Mapping[str, int | str]
    state: QuantumState
    metadata: Any = None


def read_quanta(butler: Any, record: RunRecord, *, incomplete: bool = False) -> list[Quantum]:
    """Read what has become of the quanta of a run.

    Parameters
    ----------
    butler
        The run's repository.
    record
        The run, which still has its graph.
    incomplete
        Whether to find those that have not made all of their outputs.

    Returns
    -------
    quanta
        All of the graph, in the order of the pipeline and of their data ids.

    Raises
    ------
    lsst.daf.butler.MissingCollectionError
        If the repository does not know the run.
    """
    from lsst.pipe.base.pipeline_graph import TaskImportMode
    from lsst.pipe.base.quantum_graph import PredictedQuantumGraph

    found: dict[tuple[str, tuple[Any, ...]], Any] = {}
    ids: set[Any] = set()
    for name, refs in query_run(butler, record.output_run, ("",) if incomplete else _RECORDS):
        ids.update(ref.id for ref in refs)
        if name.endswith(_RECORDS):
            found.update(((name, ref.dataId.required_values), ref) for ref in refs)
    with PredictedQuantumGraph.open(record.graph, import_mode=TaskImportMode.DO_NOT_IMPORT) as reader:
        reader.read_thin_graph()
        graph = reader.finish()
        if incomplete:
            reader.read_quantum_datasets()
        predicted = reader.components.quantum_datasets
    states = dict(_find_states(graph, found.keys()))
    quanta = []
    for label, members in graph.quanta_by_task.items():
        for data_id in sorted(members):
            quantum = members[data_id]
            lacks = (
                incomplete
                and states[quantum] is QuantumState.SUCCESSFUL
                and not ids.issuperset(predicted[quantum].iter_output_dataset_ids())
            )
            quanta.append(
                Quantum(
                    label=label,
                    data_id=dict(data_id.required),
                    state=states[quantum],
                    metadata=found[f"{label}{_METADATA}", data_id.required_values] if lacks else None,
                )
            )
    return quanta


def has_all_records(butler: Any, record: RunRecord) -> bool:
    """Tell whether all quanta of a run have left metadata and a log, by their numbers only.

    Reading the graph, and what each has left, takes a second. With a task that keeps no log this is false.
    """
    from lsst.daf.butler import MissingCollectionError, MissingDatasetTypeError

    try:
        with butler.query() as query:
            return all(
                query.datasets(f"{label}{ending}", record.output_run, find_first=False).count() == number
                for label, number in record.quanta.items()
                for ending in _RECORDS
            )
    except (MissingCollectionError, MissingDatasetTypeError):
        return False


def _find_states(graph: Any, found: Any) -> Iterator[tuple[Any, QuantumState]]:
    """Tell from metadata and logs what has become of each quantum of a graph.

    A task that failed leaves a log only. One that left neither was blocked if a quantum before it failed or was
    blocked; else it has not run yet, or was killed. Metadata without a log contradict each other.
    """
    import networkx

    quanta = graph.quantum_only_xgraph
    blocking = set()
    for quantum in networkx.topological_sort(quanta):
        node = quanta.nodes[quantum]
        label, values = node["task_label"], node["data_id"].required_values
        has_log = (f"{label}{_LOG}", values) in found
        if (f"{label}{_METADATA}", values) in found:
            complete = has_log or node["pipeline_node"].log_output is None
            yield quantum, QuantumState.SUCCESSFUL if complete else QuantumState.FAILED
        elif has_log:
            blocking.add(quantum)
            yield quantum, QuantumState.FAILED
        elif blocking.isdisjoint(quanta.predecessors(quantum)):
            yield quantum, QuantumState.UNKNOWN
        else:
            blocking.add(quantum)
            yield quantum, QuantumState.BLOCKED
