"""Provenance of runs' quanta, read from the runs' files: available while a run is still active."""

__all__ = ["QuantaTrouble", "Unregistered", "find_troubled_quanta", "read_unregistered"]

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...common.butler import butler_errors
from ...ledger import RunRecord
from ...ordering import WRITER, VisitDetector
from .quanta import QuantaCount

DataId = Mapping[str, str | int]


@dataclass(frozen=True, kw_only=True)
class QuantaTrouble:
    """Quanta of one label that raised an exception, or that count as done and have made nothing.

    Parameters
    ----------
    label
        Of the task.
    failed
        The data ids of those that failed with an exception.
    partial
        The data ids of those that made some of their outputs, and raised an exception after that.
    empty
        The data ids of those that made nothing, since an input was missing or they found no work.
    exceptions
        How often which was raised, the most frequent first.
    """

    label: str
    failed: list[DataId] = field(default_factory=list)
    partial: list[DataId] = field(default_factory=list)
    empty: list[DataId] = field(default_factory=list)
    exceptions: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Unregistered:
    """The outcomes of a run that the repository does not know of yet.

    Parameters
    ----------
    counts
        Outcomes of its quanta by task label, in the pipeline's order.
    associated
        The (visit, detector)s that it has associated.
    """

    counts: Mapping[str, QuantaCount]
    associated: frozenset[VisitDetector]


def find_troubled_quanta(records: Iterable[RunRecord]) -> tuple[QuantaTrouble, ...]:
    """Find the quanta of some runs that did not make what they should, whatever became of their jobs.

    No repository is changed, and none need know the runs' outputs yet. Quanta that were killed leave no record,
    and are left out like those that have not run.

    Parameters
    ----------
    records
        The runs.

    Returns
    -------
    troubles
        Put together by task label, of those that have any, in the pipeline's order, the quanta of a label by data
        id.

    Raises
    ------
    RepositoryError
        If a graph or a repository cannot be read.
    """
    found: dict[str, QuantaTrouble] = {}
    for record in records:
        with _open_provenance(record) as graph:
            _collect(graph, found)
    return tuple(
        _sort(trouble) for trouble in found.values() if trouble.failed or trouble.partial or trouble.empty
    )


def read_unregistered(record: RunRecord) -> Unregistered:
    """Read the outcomes of a run from its files, whether or not its final job has told the repository.

    The repository is not changed.

    Raises
    ------
    RepositoryError
        If graph or repository cannot be read.
    """
    with _open_provenance(record) as graph:
        from lsst.pipe.base import QuantumAttemptStatus

        outcomes = {
            QuantumAttemptStatus.SUCCESSFUL: "successful",
            QuantumAttemptStatus.FAILED: "failed",
            QuantumAttemptStatus.ABORTED: "failed",
            QuantumAttemptStatus.ABORTED_SUCCESS: "failed",
            QuantumAttemptStatus.BLOCKED: "blocked",
        }
        numbers = {
            label: {"expected": 0, "successful": 0, "failed": 0, "blocked": 0, "unknown": 0}
            for label in graph.quanta_by_task
        }
        associated = set()
        for _, quantum in graph.quantum_only_xgraph.nodes(data=True):
            label, outcome = quantum["task_label"], outcomes.get(quantum["status"], "unknown")
            numbers[label]["expected"] += 1
            numbers[label][outcome] += 1
            if label == WRITER and outcome == "successful":
                data_id = quantum["data_id"]
                associated.add((int(data_id["visit"]), int(data_id["detector"])))
    counts = {label: QuantaCount(**each) for label, each in numbers.items()}
    return Unregistered(counts=counts, associated=frozenset(associated))


@contextmanager
def _open_provenance(record: RunRecord) -> Iterator[Any]:
    """Make a run's provenance graph from what its jobs left, and throw it away afterwards."""
    with (
        butler_errors(f"the quanta of {record.output_run} cannot be read from {record.graph}"),
        tempfile.TemporaryDirectory(prefix="apcampaign-") as folder,
    ):
        from lsst.pipe.base.quantum_graph import ProvenanceQuantumGraph
        from lsst.pipe.base.quantum_graph.aggregator import AggregatorConfig, aggregate_graph

        file = str(Path(folder) / "provenance.qg")
        config = AggregatorConfig(
            output_path=file, dry_run=True, register_dataset_types=False, update_output_chain=False
        )
        aggregate_graph(record.graph, record.butler, config)
        with ProvenanceQuantumGraph.from_args(file, datasets=()) as (graph, _):
            yield graph


def _collect(graph: Any, found: dict[str, QuantaTrouble]) -> None:
    """Add what a provenance graph tells by label."""
    from lsst.pipe.base import QuantumAttemptStatus, QuantumSuccessCaveats

    for label in graph.quanta_by_task:
        found.setdefault(label, QuantaTrouble(label=label))
    for _, quantum in graph.quantum_only_xgraph.nodes(data=True):
        trouble = found[quantum["task_label"]]
        data_id = dict(quantum["data_id"].required)
        raised, caveats = quantum["exception"], quantum["caveats"] or QuantumSuccessCaveats.NO_CAVEATS
        if raised:
            what = f"{raised.type_name}: {_first_line(raised.message)}"
            trouble.exceptions[what] = trouble.exceptions.get(what, 0) + 1
            failed = quantum["status"] is QuantumAttemptStatus.FAILED
            (trouble.failed if failed else trouble.partial).append(data_id)
        elif caveats & QuantumSuccessCaveats.ALL_OUTPUTS_MISSING:
            trouble.empty.append(data_id)


def _sort(trouble: QuantaTrouble) -> QuantaTrouble:
    """Sort what was found in the order of a graph's UUIDs."""
    return QuantaTrouble(
        label=trouble.label,
        failed=sorted(trouble.failed, key=_data_id_key),
        partial=sorted(trouble.partial, key=_data_id_key),
        empty=sorted(trouble.empty, key=_data_id_key),
        exceptions=dict(sorted(trouble.exceptions.items(), key=lambda item: (-item[1], item[0]))),
    )


def _data_id_key(data_id: DataId) -> list[tuple[str, str | int]]:
    return sorted(data_id.items())


def _first_line(message: Any) -> str:
    return str(message).strip().partition("\n")[0]
