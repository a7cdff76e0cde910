"""Quanta that runs of before have not done, though their images are associated, and that no newer run has."""

__all__ = ["LeftQuantum", "find_left_quanta"]

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...ledger import QuantumState, RunRecord, has_graph, read_quanta

#: A task, and the values of the data id of one of its quanta.
type _Key = tuple[str, tuple[Any, ...]]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class LeftQuantum:
    """A quantum that no run has done, and that is in no run that counts.

    Parameters
    ----------
    label
        Its task.
    visit
        Of which visit.
    data_id
        Its data id.
    output_run
        The RUN collection of the last run that was to do it.
    """

    label: str
    visit: int
    data_id: Mapping[str, int | str]
    output_run: str


def find_left_quanta(
    butler: Any, runs: Iterable[RunRecord], current: Sequence[RunRecord]
) -> tuple[LeftQuantum, ...]:
    """Find the quanta that runs which the newest ones continue have left undone.

    Those of tasks that the newest ones do not have any more are none of them, nor are those of no visit.

    Parameters
    ----------
    butler
        The repository of the runs, as an `lsst.daf.butler.Butler`.
    runs
        The runs of a step, the newest first.
    current
        Those that count.

    Raises
    ------
    Exception
        What Butler raises; `apcampaign.common.butler.open_butler` translates that.
    """
    known = set(butler.collections.query("*"))
    registered = [run for run in runs if run.output_run in known]
    older = [run for run in registered if run not in current]
    # Runs of years have millions of datasets: these are counted, and only those looked at that are too few.
    lacking = _find_lacking(butler, older)
    if not lacking:
        return ()
    made = _read_made(butler, registered, lacking)
    done = frozenset().union(*made.values())
    left: dict[_Key, LeftQuantum] = {}
    for run in older:  # the newest first
        found = Counter(label for label, _ in made[run.output_run])
        if all(found[label] >= run.quanta.get(label, 0) for label in lacking):
            continue
        if not has_graph(run):
            _log.warning("what %s has left undone is not known: its graph is gone or cut off", run.output_run)
            continue
        for key, quantum in _list_undone(butler, run):
            if key not in done:
                left.setdefault(key, quantum)
    return _leave_out_current(left, current) if left else ()


def _find_lacking(butler: Any, runs: Sequence[RunRecord]) -> frozenset[str]:
    """Find the tasks of which some runs have not done all quanta together."""
    from lsst.daf.butler import MissingDatasetTypeError

    expected: Counter[str] = Counter()
    for run in runs:
        expected.update(run.quanta)
    collections = [run.output_run for run in runs]
    lacking = set()
    for label, number in expected.items():
        try:
            with butler.query() as query:
                found = query.datasets(f"{label}_metadata", collections, find_first=False).count()
        except MissingDatasetTypeError:
            found = 0
        if found < number:
            lacking.add(label)
    return frozenset(lacking)


def _read_made(butler: Any, runs: Sequence[RunRecord], labels: Collection[str]) -> dict[str, set[_Key]]:
    """Read which quanta of some tasks each run has done."""
    from lsst.daf.butler import MissingDatasetTypeError

    collections = [run.output_run for run in runs]
    made: dict[str, set[_Key]] = {name: set() for name in collections}
    for label in labels:
        try:
            refs = butler.query_datasets(
                f"{label}_metadata", collections, find_first=False, limit=None, explain=False
            )
        except MissingDatasetTypeError:
            continue
        for ref in refs:
            made[ref.run].add((label, ref.dataId.required_values))
    return made


def _list_undone(butler: Any, run: RunRecord) -> Iterator[tuple[_Key, LeftQuantum]]:
    """List the quanta of a run that are not done, of those that are of a visit."""
    for quantum in read_quanta(butler, run):
        visit = quantum.data_id.get("visit", quantum.data_id.get("exposure"))
        if quantum.state is QuantumState.SUCCESSFUL or visit is None:
            continue
        key = (quantum.label, tuple(quantum.data_id.values()))
        yield (
            key,
            LeftQuantum(
                label=quantum.label, visit=int(visit), data_id=quantum.data_id, output_run=run.output_run
            ),
        )


def _leave_out_current(
    left: Mapping[_Key, LeftQuantum], current: Sequence[RunRecord]
) -> tuple[LeftQuantum, ...]:
    """Leave out what runs that count are to do, and what their pipelines do not do any more."""
    from lsst.pipe.base.pipeline_graph import TaskImportMode
    from lsst.pipe.base.quantum_graph import PredictedQuantumGraph

    labels: set[str] = set()
    planned: set[_Key] = set()
    for run in current:
        if not has_graph(run):
            return ()  # nobody knows what it was to do
        with PredictedQuantumGraph.open(run.graph, import_mode=TaskImportMode.DO_NOT_IMPORT) as reader:
            reader.read_thin_graph()
            graph = reader.finish()
        labels |= set(graph.pipeline_graph.tasks)
        planned |= {
            (label, data_id.required_values)
            for label, members in graph.quanta_by_task.items()
            for data_id in members
        }
    return tuple(quantum for key, quantum in left.items() if quantum.label in labels and key not in planned)
