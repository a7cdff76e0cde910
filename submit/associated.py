"""Which associations a run has finished, from its own files: also before its final job told the repository."""

__all__ = ["read_finished"]

from collections.abc import Iterable

from ..apdb import Expectation
from ..common.errors import SubmissionError
from .ledger import RunRecord

WRITER = "associateApdb"


def read_finished(records: Iterable[RunRecord]) -> Expectation:
    """Find the (visit, detector)s whose association has been finished by any of some diffim runs.

    Parameters
    ----------
    records
        Runs that fill the same APDB.

    Returns
    -------
    expectation
        What the APDB must hold, and all that it may hold. Numbers of sources are not known.

    Raises
    ------
    SubmissionError
        If a run's graph or its outputs cannot be read.
    """
    from lsst.daf.butler import Butler
    from lsst.pipe.base.quantum_provenance_graph import QuantumInfoStatus, QuantumProvenanceGraph

    finished: dict[tuple[int, int], int | None] = {}
    runs = []
    for record in records:
        runs.append(record.output_run)
        try:
            with Butler.from_config(record.butler) as butler:
                # With use_qbb it is the files that are asked for, not the registry.
                graph = QuantumProvenanceGraph(butler, [record.graph], read_caveats=None, use_qbb=True)
        except Exception as error:
            raise SubmissionError(
                f"what run {record.output_run} has done cannot be read from {record.graph}: "
                f"{type(error).__name__}: {error}"
            ) from error
        for key in graph.quanta.get(WRITER, ()):
            info = graph.get_quantum_info(key)
            if info["status"] is QuantumInfoStatus.SUCCESSFUL:
                finished[int(info["data_id"]["visit"]), int(info["data_id"]["detector"])] = None
    return Expectation(finished, f"the outputs of {', '.join(runs)}")
