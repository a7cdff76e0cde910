"""Which associations a run was to make, and which of them the repository knows as done."""

__all__ = ["Associations", "read_associations", "read_planned"]

from collections.abc import Iterable
from dataclasses import dataclass

from ..apdb import Expectation
from ..common.errors import SubmissionError
from .ledger import RunRecord

WRITER = "associateApdb"


@dataclass(frozen=True)
class Associations:
    """The associations of some runs.

    Parameters
    ----------
    finished
        What the APDB must hold of them. Numbers of sources are not known.
    begun
        The (visit, detector)s in the runs' graphs: what they may have written.
    """

    finished: Expectation
    begun: frozenset[tuple[int, int]]


def read_associations(records: Iterable[RunRecord]) -> Associations:
    """Find the (visit, detector)s that diffim runs were to associate, and those that they have.

    Parameters
    ----------
    records
        Runs that fill the same APDB.

    Raises
    ------
    SubmissionError
        If a run's graph or its outputs cannot be read.
    """
    from lsst.daf.butler import Butler, MissingCollectionError
    from lsst.pipe.base.quantum_provenance_graph import QuantumInfoStatus, QuantumProvenanceGraph

    finished: dict[tuple[int, int], int | None] = {}
    begun: set[tuple[int, int]] = set()
    runs = []
    for record in records:
        runs.append(record.output_run)
        begun |= read_planned(record.graph)
        try:
            with Butler.from_config(record.butler) as butler:
                graph = QuantumProvenanceGraph(butler, [record.graph], read_caveats=None, use_qbb=False)
        except MissingCollectionError:
            continue  # not even its first job has run
        except Exception as error:
            raise SubmissionError(
                f"what run {record.output_run} has done cannot be read from {record.graph}: "
                f"{type(error).__name__}: {error}"
            ) from error
        for quantum in graph.quanta.get(WRITER, ()):
            info = graph.get_quantum_info(quantum)
            if info["status"] is QuantumInfoStatus.SUCCESSFUL:
                finished[int(info["data_id"]["visit"]), int(info["data_id"]["detector"])] = None
    expectation = Expectation(finished, f"the outputs of {', '.join(runs)}")
    return Associations(expectation, frozenset(begun))


def read_planned(graph: str) -> frozenset[tuple[int, int]]:
    """Read from a diffim run's graph which (visit, detector)s it associates.

    Raises
    ------
    SubmissionError
        If the graph cannot be read.
    """
    from lsst.pipe.base.pipeline_graph import TaskImportMode
    from lsst.pipe.base.quantum_graph import PredictedQuantumGraph

    try:
        with PredictedQuantumGraph.open(graph, import_mode=TaskImportMode.DO_NOT_IMPORT) as reader:
            reader.read_thin_graph()
            found = reader.finish().quanta_by_task
            quanta = found.get(WRITER, ())
            return frozenset((int(key["visit"]), int(key["detector"])) for key in quanta)
    except Exception as error:
        raise SubmissionError(f"the graph {graph} cannot be read: {type(error).__name__}: {error}") from error
