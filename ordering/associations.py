"""Associations of runs: which are planned, succeeded, failed, and stored in the APDB."""

__all__ = [
    "READER",
    "WRITER",
    "Associations",
    "VisitDetector",
    "find_stored",
    "read_associations",
    "read_images",
    "read_planned",
    "read_planned_jobs",
    "read_succeeded",
]

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from ..apdb import ExpectedAssociations, read_stored
from ..common.butler import butler_errors, open_butler
from ..common.errors import UnsupportedApdbError
from ..ledger import QuantumState, RunPaths, RunRecord, has_graph, read_quanta, read_workflow

#: The tasks that read and write the APDB.
READER = "loadDiaCatalogs"
WRITER = "associateApdb"

#: What one association is of.
VisitDetector = tuple[int, int]

_log = logging.getLogger(__name__)


class _Status(StrEnum):
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Associations:
    """The associations of some runs, as the repository knows them.

    Parameters
    ----------
    runs
        The RUN collections.
    planned
        The (visit, detector)s in the runs' graphs: what the runs may have written.
    succeeded
        Those that at least one run has associated.
    failed
        Those that no run has associated, and of which the task or an upstream task failed in the newest run that
        planned them. The others have left no record.
    """

    runs: tuple[str, ...]
    planned: frozenset[VisitDetector]
    succeeded: frozenset[VisitDetector]
    failed: frozenset[VisitDetector]

    @property
    def unfinished(self) -> frozenset[VisitDetector]:
        """Those that no run has associated."""
        return self.planned - self.succeeded

    @property
    def expected(self) -> ExpectedAssociations:
        """What the APDB must hold; the numbers of sources are not known."""
        return ExpectedAssociations(
            dict.fromkeys(sorted(self.succeeded)), f"the outputs of {', '.join(self.runs)}"
        )


def read_associations(records: Iterable[RunRecord]) -> Associations:
    """Read which (visit, detector)s diffim runs were to associate, and what became of them.

    Parameters
    ----------
    records
        Runs that fill the same APDB, the oldest first.

    Raises
    ------
    RepositoryError
        If a run's graph or its outputs cannot be read.
    """
    runs = []
    status: dict[VisitDetector, _Status] = {}
    for record in records:
        runs.append(record.output_run)
        for key, found in _read_status(record).items():
            if status.get(key) is not _Status.SUCCEEDED:
                status[key] = found
    return Associations(
        runs=tuple(runs),
        planned=frozenset(status),
        succeeded=frozenset(key for key, found in status.items() if found is _Status.SUCCEEDED),
        failed=frozenset(key for key, found in status.items() if found is _Status.FAILED),
    )


def read_planned(graph: str) -> frozenset[VisitDetector]:
    """Read from a diffim run's graph which (visit, detector)s it associates.

    Raises
    ------
    RepositoryError
        If the graph cannot be read.
    """
    return frozenset(_read_keys(graph, (WRITER,)))


def read_images(graph: str) -> frozenset[VisitDetector]:
    """Read from a diffim run's graph of which (visit, detector)s it has quanta; raises as `read_planned`."""
    return frozenset(_read_keys(graph))


def _read_keys(graph: str, labels: Iterable[str] | None = None) -> Iterator[VisitDetector]:
    """Read the (visit, detector)s of the quanta of some tasks, or of all, that have one."""
    with butler_errors(f"the graph {graph} cannot be read"):
        from lsst.pipe.base.pipeline_graph import TaskImportMode
        from lsst.pipe.base.quantum_graph import PredictedQuantumGraph

        with PredictedQuantumGraph.open(graph, import_mode=TaskImportMode.DO_NOT_IMPORT) as reader:
            reader.read_thin_graph()
            quanta = reader.finish().quanta_by_task
    for label in quanta if labels is None else labels:
        for key in quanta.get(label, ()):
            if {"visit", "detector"} <= key.dimensions.names:
                yield int(key["visit"]), int(key["detector"])


def find_stored(apdb_config: str) -> frozenset[VisitDetector]:
    """Find which (visit, detector)s an APDB holds; none, with a warning, if it cannot be inspected.

    Raises
    ------
    ApdbError
        If it cannot be read.
    """
    try:
        return read_stored(apdb_config)
    except UnsupportedApdbError as reason:
        _log.warning("%s: it may already hold later visits of the same sky", reason)
        return frozenset()


def _read_status(record: RunRecord) -> dict[VisitDetector, _Status]:
    purpose = f"the associations of run {record.output_run} cannot be read from {record.graph}"
    with open_butler(record.butler, purpose) as butler:
        if not has_graph(record):
            return _read_status_without_graph(butler, record)
        from lsst.daf.butler import MissingCollectionError

        try:
            quanta = read_quanta(butler, record)
        except MissingCollectionError:  # the run's first job, which makes it, has not run
            return dict.fromkeys(read_planned(record.graph), _Status.UNKNOWN)
        known = {QuantumState.SUCCESSFUL: _Status.SUCCEEDED, QuantumState.UNKNOWN: _Status.UNKNOWN}
        return {
            (int(each.data_id["visit"]), int(each.data_id["detector"])): known.get(each.state, _Status.FAILED)
            for each in quanta
            if each.label == WRITER
        }


def _read_status_without_graph(butler: Any, record: RunRecord) -> dict[VisitDetector, _Status]:
    """Read from a run's jobs and from the repository what has become of its associations."""
    status = dict.fromkeys(read_planned_jobs(record), _Status.UNKNOWN)
    return status | dict.fromkeys(read_succeeded(butler, [record.output_run]), _Status.SUCCEEDED)


def read_planned_jobs(record: RunRecord) -> frozenset[VisitDetector]:
    """Read from the jobs of a diffim run, instead of from its graph, which (visit, detector)s it associates.

    Raises
    ------
    LedgerError
        If they cannot be read.
    """
    jobs = read_workflow(RunPaths(Path(record.submit_dir).parent), record.output_run).nodes.values()
    return frozenset(
        (int(job.tags["visit"]), int(job.tags["detector"]))
        for job in jobs
        if WRITER in job.quanta and {"visit", "detector"} <= job.tags.keys()
    )


def read_succeeded(butler: Any, runs: Iterable[str]) -> frozenset[VisitDetector]:
    """Read which associations of some RUN collections the repository knows as done, or as without work.

    Parameters
    ----------
    butler
        A Butler of the repository.
    runs
        The RUN collections; those that are not there are left out.
    """
    from lsst.daf.butler import MissingDatasetTypeError

    known = set(butler.collections.query("*"))
    collections = [run for run in runs if run in known]
    if not collections:
        return frozenset()
    try:
        refs = butler.query_datasets(
            f"{WRITER}_metadata", collections, limit=None, explain=False, find_first=False
        )
    except MissingDatasetTypeError:
        return frozenset()
    return frozenset((int(ref.dataId["visit"]), int(ref.dataId["detector"])) for ref in refs)
