"""What was gathered from a visit while some of its images were not done, and is made again with them.

In an undivided step the table of a visit waits for all images of the visit. In a divided one these may be of
another part: where they failed, the table was made of the others. When `apcampaign resume` has made them, it would
stay so, since it is there.
"""

__all__ = ["forget_outdated", "list_gathered", "list_images"]

import logging
from collections.abc import Collection, Iterator
from typing import Any
from uuid import UUID

from ...bps import PlannedRun, Stage
from ...common.butler import butler_errors, open_butler
from ...common.text import count
from ...ledger import Ledger, RunRecord, find_continued, has_graph, read_run
from ...ordering import READER, WRITER
from ..work import Work

_log = logging.getLogger(__name__)


def forget_outdated(work: Work, run: PlannedRun) -> None:
    """Remove what earlier runs of a part have gathered from visits of which images have been made since.

    Nothing that associations have made is removed: their rows are in the APDB.

    Parameters
    ----------
    work
        What is executed; the parts that this one waits for have ended.
    run
        The run that is about to be prepared. Where it is prepared, nothing is removed any more.

    Raises
    ------
    RepositoryError
        If a graph or the repository cannot be read, or the repository cannot be written to.
    LedgerError
        If a record cannot be read.
    """
    again = run.division not in ("", run.timestamp)
    if (
        not again
        or run.stage not in (Stage.IMAGES, Stage.ANALYSIS)
        or work.workspace.paths.run(run).record.exists()
    ):
        return
    before = [parent for name in work.plan.parents(run) if (parent := work.plan.find(name)).step is run.step]
    files = [work.workspace.paths.run(parent) for parent in before]
    made = [read_run(each) for each in files if each.record.exists()]
    visits = {visit for record in made if has_graph(record) for visit in list_images(record)}
    earlier = _find_earlier(work.workspace.read_ledger(), run) if visits else []
    outdated = {dataset for record in earlier for dataset in list_gathered(record, visits)}
    if not outdated:
        return
    butler = work.workspace.campaign.butler
    purpose = f"what {run.name} has gathered from incomplete visits cannot be removed from {butler}"
    with open_butler(butler, purpose, writeable=True) as repository:
        refs = [ref for each in outdated if (ref := repository.get_dataset(each)) is not None]
        repository.pruneDatasets(refs, disassociate=True, unstore=True, purge=True)
    if refs:
        _log.info(
            "%s: %s gathered from visits that were incomplete: made again",
            run.name,
            count(len(refs), "dataset"),
        )


def list_images(record: RunRecord) -> frozenset[int]:
    """List the visits of which a run was to make images, or to associate them."""
    graph = _read_graph(record, whole=False)
    return frozenset(
        int(data_id["visit"])
        for members in graph.quanta_by_task.values()
        for data_id in members
        if {"visit", "detector"} <= set(data_id.dimensions.names)
    )


def list_gathered(record: RunRecord, visits: Collection[int]) -> Iterator[UUID]:
    """List the datasets that a run was to make of whole visits, and of these, but for those of associations."""
    import networkx

    graph = _read_graph(record, whole=True)
    quanta = graph.quantum_only_xgraph
    of_visits = {
        quantum
        for quantum, node in quanta.nodes(data=True)
        if "visit" in (names := node["data_id"].dimensions.names)
        and "detector" not in names
        and int(node["data_id"]["visit"]) in visits
    }
    for quantum in of_visits:
        found = {quantum, *networkx.descendants(quanta, quantum)}
        if not any(quanta.nodes[each]["task_label"] in (READER, WRITER) for each in found):
            yield from (dataset for each in found for dataset in graph.bipartite_xgraph.successors(each))


def _find_earlier(ledger: Ledger, run: PlannedRun) -> list[RunRecord]:
    return [
        record
        for record in find_continued(ledger, run.step)
        if (record.part, record.division) == (run.part, run.division) and has_graph(record)
    ]


def _read_graph(record: RunRecord, *, whole: bool) -> Any:
    with butler_errors(f"the graph {record.graph} cannot be read"):
        from lsst.pipe.base.pipeline_graph import TaskImportMode
        from lsst.pipe.base.quantum_graph import PredictedQuantumGraph

        with PredictedQuantumGraph.open(record.graph, import_mode=TaskImportMode.DO_NOT_IMPORT) as reader:
            if whole:
                reader.read_all()
            else:
                reader.read_thin_graph()
            return reader.finish()
