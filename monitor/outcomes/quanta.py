"""Outcomes of quanta by label: a run is good when its quanta are, whatever its last job says."""

__all__ = [
    "FAILED",
    "Outcomes",
    "QuantaCount",
    "QuantumTrouble",
    "add_counts",
    "count_quanta",
    "count_quanta_by_run",
    "read_outcomes",
]

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ...common.butler import butler_errors, open_butler
from ...ledger import Quantum, QuantumState, RunRecord, has_graph, read_quanta

#: Why a quantum that failed has made nothing: its log tells more.
FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class QuantaCount:
    """Outcomes of the quanta of one label.

    Parameters
    ----------
    expected
        In the graphs of the runs.
    successful, failed, blocked, unknown
        By outcome; ``blocked`` never started since an input was missing; ``unknown`` left no record.
    partial
        Those of the successful ones that made only some of their outputs, since an algorithm could not do with the
        data; 0 if that was not asked for.
    """

    expected: int
    successful: int
    failed: int
    blocked: int
    unknown: int
    partial: int = 0

    @property
    def good(self) -> bool:
        """Whether all were successful."""
        return self.successful == self.expected

    def __add__(self, other: "QuantaCount") -> "QuantaCount":
        return QuantaCount(
            expected=self.expected + other.expected,
            successful=self.successful + other.successful,
            failed=self.failed + other.failed,
            blocked=self.blocked + other.blocked,
            unknown=self.unknown + other.unknown,
            partial=self.partial + other.partial,
        )


@dataclass(frozen=True, kw_only=True)
class QuantumTrouble:
    """A quantum that did not make all that it was to make.

    Parameters
    ----------
    label
        Its task.
    data_id
        Its data id.
    run
        The RUN collection in which it was run; empty if it failed.
    why
        The exception; empty if it is in its log only.
    """

    label: str
    data_id: Mapping[str, int | str]
    run: str = ""
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Outcomes:
    """Outcomes of the quanta of a run.

    Parameters
    ----------
    counts
        By task label, in the pipeline's order.
    troubles
        The quanta that did not make all that they were to make, without blocked ones, in the same order.
    """

    counts: dict[str, QuantaCount]
    troubles: tuple[QuantumTrouble, ...] = ()


def read_outcomes(record: RunRecord) -> Outcomes:
    """Read the outcomes of the quanta of a run, with those that made only some of their outputs.

    The metadata of all quanta that lack an output are read for that.

    Raises
    ------
    RepositoryError
        If the graph or the repository cannot be read.
    """
    with open_butler(record.butler, f"the outcomes of quanta cannot be read from {record.butler}") as butler:
        return _read(butler, record, caveats=True)


def count_quanta(records: Iterable[RunRecord]) -> dict[str, QuantaCount]:
    """Count the outcomes of the quanta of some runs, from their graphs and from what the repository knows of them.

    Of a run whose graph is gone or cut off, those are successful whose metadata the repository has.

    Parameters
    ----------
    records
        The runs. The repository knows their outputs when their final jobs have ended.

    Returns
    -------
    counts
        Summed over the runs, by task label, in the pipeline's order.

    Raises
    ------
    RepositoryError
        If a graph or a repository cannot be read.
    """
    return add_counts(count_quanta_by_run(records).values())


def count_quanta_by_run(records: Iterable[RunRecord]) -> dict[str, dict[str, QuantaCount]]:
    """Count the outcomes as `count_quanta` does, for each run: by its RUN collection, then by task label."""
    by_repository: dict[str, list[RunRecord]] = {}
    for record in records:
        by_repository.setdefault(record.butler, []).append(record)
    counts = {}
    for repository, runs in by_repository.items():
        with open_butler(repository, f"the outcomes of quanta cannot be read from {repository}") as butler:
            for record in runs:
                counts[record.output_run] = _read(butler, record, caveats=False).counts
    return counts


def add_counts(counts: Iterable[Mapping[str, QuantaCount]]) -> dict[str, QuantaCount]:
    """Add up counts by label."""
    total: dict[str, QuantaCount] = {}
    for each in counts:
        for label, count in each.items():
            total[label] = total[label] + count if label in total else count
    return total


def _count_without_graph(butler: Any, record: RunRecord) -> dict[str, QuantaCount]:
    """Count the quanta of a run by what its record and the repository know."""
    from lsst.daf.butler import MissingCollectionError, MissingDatasetTypeError

    counts = {}
    for label, expected in record.quanta.items():
        try:
            name = f"{label}_metadata"
            found = butler.query_datasets(
                name, record.output_run, limit=None, explain=False, find_first=False
            )
        except (MissingCollectionError, MissingDatasetTypeError):
            found = []
        made = min(len(found), expected)
        counts[label] = QuantaCount(
            expected=expected, successful=made, failed=0, blocked=0, unknown=expected - made
        )
    return counts


def _read(butler: Any, record: RunRecord, *, caveats: bool) -> Outcomes:
    if not has_graph(record):
        return Outcomes(counts=_count_without_graph(butler, record))
    with butler_errors(f"the outcomes of run {record.output_run} cannot be read from {record.graph}"):
        from lsst.daf.butler import MissingCollectionError

        try:
            quanta = read_quanta(butler, record, incomplete=caveats)
        except MissingCollectionError:  # the run's first job, which makes it, has not run
            counts = {
                label: QuantaCount(expected=count, successful=0, failed=0, blocked=0, unknown=count)
                for label, count in record.quanta.items()
            }
            return Outcomes(counts=counts)
        troubles = tuple(trouble for each in quanta if (trouble := _find_trouble(butler, record, each)))
    states: dict[str, Counter[QuantumState]] = {}
    for quantum in quanta:
        states.setdefault(quantum.label, Counter())[quantum.state] += 1
    partial = Counter(trouble.label for trouble in troubles if trouble.run and trouble.why)
    counts = {
        label: QuantaCount(
            expected=number.total(),
            successful=number[QuantumState.SUCCESSFUL],
            failed=number[QuantumState.FAILED],
            blocked=number[QuantumState.BLOCKED],
            unknown=number[QuantumState.UNKNOWN],
            partial=partial[label],
        )
        for label, number in states.items()
    }
    return Outcomes(counts=counts, troubles=troubles)


def _find_trouble(butler: Any, record: RunRecord, quantum: Quantum) -> QuantumTrouble | None:
    """Tell why a quantum has not made all that it was to make; `None` if it has, or if only its state tells."""
    if quantum.state is QuantumState.FAILED:
        return QuantumTrouble(label=quantum.label, data_id=quantum.data_id, why=FAILED)
    if quantum.metadata is None:
        return None
    from lsst.pipe.base import QuantumSuccessCaveats

    metadata = butler.get(quantum.metadata, storageClass="TaskMetadata")
    try:
        caveats = QuantumSuccessCaveats(int(metadata["quantum"]["caveats"]))
    except LookupError:
        return None
    if not caveats:
        return None
    trouble = QuantumTrouble(label=quantum.label, data_id=quantum.data_id, run=record.output_run)
    if not caveats & QuantumSuccessCaveats.PARTIAL_OUTPUTS_ERROR:
        return trouble
    try:
        failure = metadata[quantum.label]["failure"]
    except LookupError:
        return trouble
    what = str(failure["message"]).strip().partition("\n")[0]
    return replace(trouble, why=f"{str(failure['type']).rpartition('.')[2]}: {what}")
