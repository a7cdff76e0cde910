"""Outcomes of quanta by label: a run is good when its quanta are, whatever its last job says."""

__all__ = ["QuantaCount", "add_counts", "count_quanta"]

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ...common.butler import butler_errors, open_butler
from ...ledger import RunRecord


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


def count_quanta(records: Iterable[RunRecord], *, partial: bool = False) -> dict[str, QuantaCount]:
    """Count the outcomes of the quanta of some runs, from their graphs and from what the repository knows of them.

    Parameters
    ----------
    records
        The runs. The repository knows their outputs when their final jobs have ended.
    partial
        Whether to count partial outputs too: the metadata of all quanta that lack an output are read for that.

    Returns
    -------
    counts
        Summed over the runs, by task label, in the pipeline's order.

    Raises
    ------
    RepositoryError
        If a graph or a repository cannot be read.
    """
    by_repository: dict[str, list[RunRecord]] = {}
    for record in records:
        by_repository.setdefault(record.butler, []).append(record)
    counts = []
    for repository, runs in by_repository.items():
        with open_butler(repository, f"the outcomes of quanta cannot be read from {repository}") as butler:
            counts += [_count(butler, record, partial=partial) for record in runs]
    return add_counts(counts)


def add_counts(counts: Iterable[Mapping[str, QuantaCount]]) -> dict[str, QuantaCount]:
    """Add up counts by label."""
    total: dict[str, QuantaCount] = {}
    for each in counts:
        for label, count in each.items():
            total[label] = total[label] + count if label in total else count
    return total


def _count(butler: Any, record: RunRecord, *, partial: bool) -> dict[str, QuantaCount]:
    with butler_errors(f"the outcomes of run {record.output_run} cannot be read from {record.graph}"):
        from lsst.daf.butler import MissingCollectionError
        from lsst.pipe.base.quantum_provenance_graph import QuantumProvenanceGraph

        try:
            caveats = "lazy" if partial else None
            graph = QuantumProvenanceGraph(butler, [record.graph], use_qbb=False, read_caveats=caveats)
        except MissingCollectionError:  # the run's first job, which makes it, has not run
            return {
                label: QuantaCount(expected=count, successful=0, failed=0, blocked=0, unknown=count)
                for label, count in record.quanta.items()
            }
        return {
            label: QuantaCount(
                expected=task.n_expected,
                successful=task.n_successful,
                # A «wonky» quantum succeeded at first, or its records contradict each other.
                failed=task.n_failed + task.n_wonky,
                blocked=task.n_blocked,
                unknown=task.n_unknown,
                partial=sum(map(len, task.exceptions.values())),
            )
            for label, task in graph.to_summary(butler, do_store_logs=False).tasks.items()
        }
