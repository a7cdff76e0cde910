"""What became of a run's quanta: a run is good when its quanta are, whatever its last job says."""

__all__ = ["QuantaCount", "count_quanta"]

from dataclasses import dataclass

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


def count_quanta(record: RunRecord) -> dict[str, QuantaCount]:
    """Read the outcomes of a run's quanta from its graph and the repository, which the final job tells of them.

    Parameters
    ----------
    record
        The run.

    Returns
    -------
    counts
        By task label, in the pipeline's order.

    Raises
    ------
    SubmissionError
        If graph or repository cannot be read.
    """
    from lsst.daf.butler import Butler, MissingCollectionError
    from lsst.pipe.base.quantum_provenance_graph import QuantumProvenanceGraph

    try:
        with Butler.from_config(record.butler) as butler:
            graph = QuantumProvenanceGraph(
                butler,
                [record.graph],
                collections=[record.output_run],
                use_qbb=False,
                read_caveats=None,
            )
            summary = graph.to_summary(butler, do_store_logs=False)
    except MissingCollectionError:  # not even the first job, which makes it, has run
        return {
            label: QuantaCount(expected=count, successful=0, failed=0, blocked=0, unknown=count)
            for label, count in record.quanta.items()
        }
    except Exception as error:
        raise SubmissionError(
            f"the outcome of run {record.output_run} cannot be read from {record.graph} and {record.butler}: "
            f"{type(error).__name__}: {error}"
        ) from error
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
