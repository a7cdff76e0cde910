"""Coadds that wait for visits: a part leaves out what an undivided step would not make either.

In an undivided step the job of a coadd waits for all of its warps. A part of coadds has a graph of its own, which
is built when the parts with its visits have ended: what these have not made is not in it, and the coadd would be
made of fewer visits, and never again, since it is there.
"""

__all__ = ["CoaddId", "find_needed", "leave_out", "leave_out_unfinished"]

import logging
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from ...bps import PlannedRun, Stage
from ...bps.shape import TaskShape
from ...common.butler import open_butler
from ...common.text import count
from ...ledger import QuantumState, RunRecord, has_all_records, has_graph, read_quanta, read_run
from ..preflight.pipelines import load_graph, read_pipeline_graph
from ..preflight.run_spec import make_run_spec
from ..work import Work
from .shapes import list_tasks

#: Tract, patch and band.
type CoaddId = tuple[int, str, int]
#: What of an image a quantum is of: values of exposure, visit and detector, as far as it has them.
type _Image = frozenset[tuple[str, int]]

_IMAGE = ("exposure", "visit", "detector")
_SHOWN = 5

_log = logging.getLogger(__name__)


def leave_out_unfinished(work: Work, run: PlannedRun) -> PlannedRun:
    """Leave those coadds out of a part that lie under visits with quanta that are not done; other parts stay.

    What the tasks themselves say cannot be done is done: such an image is in no coadd.

    Parameters
    ----------
    work
        What is executed; the parts that this one waits for have ended.
    run
        The run that is about to be prepared.

    Raises
    ------
    RepositoryError
        If a graph or the repository cannot be read.
    LedgerError
        If a record cannot be read.
    """
    if run.stage is not Stage.COADDS:
        return run
    files = [work.workspace.paths.run(work.plan.find(name)) for name in work.plan.parents(run)]
    before = [
        record for each in files if each.record.exists() if (record := read_run(each)).stage is Stage.VISITS
    ]
    with open_butler(
        work.workspace.campaign.butler, f"what {run.name} has to wait for cannot be found"
    ) as butler:
        undone = {
            image
            for record in before
            if has_graph(record) and not has_all_records(butler, record)
            for image in _find_undone(butler, work, run, record)
        }
        waiting = _find_coadds(butler, run, undone) if undone else frozenset()
    if not waiting:
        return run
    named = ", ".join(
        f"tract {tract} patch {patch} {band}" for tract, band, patch in sorted(waiting)[:_SHOWN]
    )
    more = " and more" if len(waiting) > _SHOWN else ""
    _log.warning(
        "%s: left out until all of their visits are done (`apcampaign resume`): %s: %s%s",
        run.name,
        count(len(waiting), "coadd"),
        named,
        more,
    )
    return replace(run, query=leave_out(run.query, waiting))


def leave_out(query: str, coadds: Collection[CoaddId]) -> str:
    """Narrow the data query of a part to what is not of some coadds."""
    terms = [f"({query})"]
    for (tract, band), group in groupby(sorted(coadds), key=lambda each: each[:2]):
        patches = ", ".join(str(patch) for *_, patch in group)
        terms.append(f"NOT (tract = {tract} AND band = '{band}' AND patch IN ({patches}))")
    return " AND ".join(terms)


def find_needed(of_coadds: Iterable[TaskShape], of_visits: Sequence[TaskShape]) -> frozenset[str]:
    """Find the labels of those tasks of visits of which coadds are made, directly or through others of them.

    Parameters
    ----------
    of_coadds
        The tasks of coadds.
    of_visits
        Those of visits, each after those whose outputs it reads.
    """
    read = {name for task in of_coadds for name in task.inputs}
    needed = set()
    for task in reversed(of_visits):
        if task.outputs & read:
            needed.add(task.label)
            read |= task.inputs
    return frozenset(needed)


def _find_undone(butler: Any, work: Work, run: PlannedRun, record: RunRecord) -> Iterator[_Image]:
    """Find the images of which quanta of a run are not done that coadds are made of; not its metrics."""
    undone = _list_undone(butler, record)
    if not undone:
        return
    labels = {label for label, _ in undone}
    graph, _ = load_graph(make_run_spec(work.workspace, run, os.environ), butler)
    if graph is not None:  # if not, preparing it says why
        labels &= find_needed(list_tasks(graph), list_tasks(read_pipeline_graph(record.graph)))
    for label, data_id in undone:
        if label not in labels:
            continue
        if image := frozenset((name, int(data_id[name])) for name in _IMAGE if name in data_id):
            yield image


def _list_undone(butler: Any, record: RunRecord) -> list[tuple[str, Mapping[str, Any]]]:
    """List the quanta of a run that are not done: their task, and their data id."""
    from lsst.daf.butler import MissingCollectionError

    try:
        quanta = read_quanta(butler, record)
    except MissingCollectionError:  # its first job, which makes it, has not run
        return list(_list_planned(record))
    return [(each.label, each.data_id) for each in quanta if each.state is not QuantumState.SUCCESSFUL]


def _list_planned(record: RunRecord) -> Iterator[tuple[str, Mapping[str, Any]]]:
    from lsst.pipe.base.pipeline_graph import TaskImportMode
    from lsst.pipe.base.quantum_graph import PredictedQuantumGraph

    with PredictedQuantumGraph.open(record.graph, import_mode=TaskImportMode.DO_NOT_IMPORT) as reader:
        reader.read_thin_graph()
        graph = reader.finish()
    for label, members in graph.quanta_by_task.items():
        yield from ((label, dict(data_id.required)) for data_id in members)


def _find_coadds(butler: Any, run: PlannedRun, undone: Collection[_Image]) -> frozenset[CoaddId]:
    """Find the coadds of a run that lie under some images."""
    kinds = {tuple(name for name in _IMAGE if name in dict(image)) for image in undone}
    with butler.query() as query:
        rows = (
            query.join_dataset_search("raw", [name for name in run.inputs if name != run.output])
            .where(run.query)
            .data_ids(["instrument", *_IMAGE, "skymap", "tract", "patch"])
        )
        return frozenset(
            (int(row["tract"]), str(row["band"]), int(row["patch"]))
            for row in rows
            if any(frozenset((name, int(row[name])) for name in kind) in undone for kind in kinds)
        )
