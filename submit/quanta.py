"""What became of a run's quanta: a run is good when its quanta are, whatever its last job says."""

__all__ = ["QuantaCount", "QuantaTrouble", "count_quanta", "find_troubled_quanta"]

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..common.errors import SubmissionError
from .ledger import RunRecord


@dataclass(frozen=True, kw_only=True)
class QuantaCount:
    """Outcomes of the quanta of one label.

    Parameters
    ----------
    expected
        In the run's graph.
    successful, failed, blocked, unknown
        By outcome; ``blocked`` never began since an input was missing; ``unknown`` left no trace.
    """

    expected: int
    successful: int
    failed: int
    blocked: int
    unknown: int

    @property
    def good(self) -> bool:
        """Whether all were successful."""
        return self.successful == self.expected


def count_quanta(record: RunRecord, *, from_files: bool = False) -> dict[str, QuantaCount]:
    """Read the outcomes of a run's quanta from its graph and the repository.

    Parameters
    ----------
    record
        The run.
    from_files
        Whether to look for the outputs' files rather than ask the repository, which knows of them only
        when the run's final job has ended.

    Returns
    -------
    counts
        By task label, in the pipeline's order.

    Raises
    ------
    SubmissionError
        If graph or repository cannot be read.
    """
    summary = _read_provenance(record, from_files=from_files)
    if summary is None:
        return {
            label: QuantaCount(expected=count, successful=0, failed=0, blocked=0, unknown=count)
            for label, count in record.quanta.items()
        }
    return {
        label: QuantaCount(
            expected=task.n_expected,
            successful=task.n_successful,
            failed=task.n_failed + task.n_wonky,
            blocked=task.n_blocked,
            unknown=task.n_unknown,
        )
        for label, task in summary.tasks.items()
    }


@dataclass(frozen=True, kw_only=True)
class QuantaTrouble:
    """Quanta of one label that failed, or that count as done and have made nothing.

    Parameters
    ----------
    label
        Of the task.
    failed
        The data ids of those that failed.
    messages
        How often the middleware said what of them.
    empty
        The data ids of those that made nothing, since an input was missing or they found no work.
    exceptions
        How often quanta that made some of their outputs raised what.
    """

    label: str
    failed: tuple[Mapping[str, str | int], ...]
    messages: Mapping[str, int]
    empty: tuple[Mapping[str, str | int], ...]
    exceptions: Mapping[str, int]


def find_troubled_quanta(record: RunRecord, *, from_files: bool = False) -> tuple[QuantaTrouble, ...]:
    """Find the quanta of a run that did not make what they should, whatever became of their jobs.

    Parameters and errors are those of `count_quanta`.
    """
    summary = _read_provenance(record, from_files=from_files, read_caveats="exhaustive")
    if summary is None:
        return ()
    found = []
    for label, task in summary.tasks.items():
        failed = [*task.failed_quanta, *task.wonky_quanta]
        # The middleware's mark of «all outputs are missing» is the star.
        empty = [dict(data_id) for code, ids in task.caveats.items() if "*" in code for data_id in ids]
        if failed or empty or task.exceptions:
            found.append(
                QuantaTrouble(
                    label=label,
                    failed=tuple(dict(quantum.data_id) for quantum in failed),
                    messages=Counter(message for quantum in failed for message in quantum.messages),
                    empty=tuple(empty),
                    exceptions={name: len(raised) for name, raised in task.exceptions.items()},
                )
            )
    return tuple(found)


def _read_provenance(record: RunRecord, *, from_files: bool, read_caveats: str | None = None) -> Any:
    """Summarise a run's quanta; `None` if not even its first job, which makes its collection, has run."""
    from lsst.daf.butler import Butler, MissingCollectionError
    from lsst.pipe.base.quantum_provenance_graph import QuantumProvenanceGraph

    try:
        with Butler.from_config(record.butler) as butler:
            graph = QuantumProvenanceGraph(
                butler,
                [record.graph],
                collections=None if from_files else [record.output_run],
                use_qbb=from_files,
                read_caveats=read_caveats,
            )
            return graph.to_summary(butler, do_store_logs=False)
    except MissingCollectionError:
        return None
    except Exception as error:
        raise SubmissionError(
            f"the outcome of run {record.output_run} cannot be read from {record.graph} and {record.butler}: "
            f"{type(error).__name__}: {error}"
        ) from error
