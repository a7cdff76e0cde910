"""Order of visits in BPS's workflow of a run: the edges between its jobs that associate."""

__all__ = ["Order", "add_order"]

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..bps import CampaignConfig, Ordering
from ..common.butler import open_butler
from ..common.errors import PreconditionError
from ..common.text import count
from .associations import READER, WRITER, VisitDetector, find_stored
from .guards import refuse_out_of_order
from .overlaps import Overlaps

_log = logging.getLogger(__name__)


@dataclass
class _Jobs:
    """The names of the jobs of one association: that which writes, and those which read."""

    writer: str
    readers: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Order:
    """The order of visits in a workflow.

    Parameters
    ----------
    edges
        The names of jobs, in pairs: the second waits for the first. Those that waited already are not among them.
    writers
        The name of the job that writes each association.
    """

    edges: tuple[tuple[str, str], ...] = ()
    writers: Mapping[VisitDetector, str] = field(default_factory=dict)


def add_order(
    workflow: Any,
    clustered: Any,
    campaign: CampaignConfig,
    apdb_config: str,
    deferred: Mapping[VisitDetector, int] | None = None,
) -> Order:
    """Make the association of each (visit, detector) wait for those that must come before it.

    What has already been associated has no job and needs no edge. Jobs are known by their quanta: how these are
    clustered does not matter, as long as the jobs can wait for each other.

    Parameters
    ----------
    workflow
        BPS's workflow of a diffim run; it gets the edges.
    clustered
        BPS's clustered quantum graph, of which the workflow was made.
    campaign
        Whose run it is; its ``diffim.ordering`` says who waits for whom.
    apdb_config
        The APDB that the run fills.
    deferred
        (visit, detector)s that others are not to wait for, from `apcampaign.ordering.find_deferred`: they
        come after the others of their sky, those with a larger number after those with a smaller one. They are not
        refused when they are out of time order.

    Returns
    -------
    order
        The edges, and the jobs between which they are.

    Raises
    ------
    PreconditionError
        If a later visit of the same sky has already been associated, or jobs would have to wait for themselves.
    RepositoryError
        If the repository has no region or no time for a (visit, detector).
    ApdbError
        If the APDB cannot be read.
    """
    if campaign.diffim.ordering is Ordering.NONE:
        return Order()
    jobs = _find_jobs(clustered)
    if not jobs:
        return Order()
    deferred = deferred or {}
    with open_butler(campaign.butler, "the order of visits cannot be found") as butler:
        overlaps = Overlaps.read(butler, campaign.instrument, jobs, find_stored(apdb_config))
    late = overlaps.find_late()
    refuse_out_of_order({key: later for key, later in late.items() if key not in deferred}, apdb_config)
    waits = overlaps.edges(campaign.diffim.ordering, deferred)
    edges = tuple(
        dict.fromkeys(
            edge
            for parent, child in waits
            for edge in _list_edges(jobs[parent], jobs[child])
            if not workflow.has_edge(*edge)
        )
    )
    for before, after in edges:
        workflow.add_job_relationships(before, after)
    _refuse_circle(workflow)
    _log.info(
        "order of visits (%s): %s between %s",
        campaign.diffim.ordering,
        count(len(edges), "edge"),
        count(len(jobs), "association"),
    )
    return Order(edges, {key: each.writer for key, each in jobs.items()})


def _find_jobs(clustered: Any) -> dict[VisitDetector, _Jobs]:
    """Find the jobs that associate each (visit, detector).

    The reader is of a group, which only the graph relates to a visit.
    """
    home = {
        quantum: cluster.name
        for cluster in clustered.clusters()
        if {READER, WRITER} & set(cluster.quanta_counts)
        for quantum in cluster.qgraph_node_ids
    }
    jobs: dict[VisitDetector, _Jobs] = {}
    for quantum, name in home.items():
        info = clustered.get_quantum_info(quantum)
        if info["task_label"] != WRITER:
            continue
        readers = {
            home[before]
            for before in clustered.qxgraph.predecessors(quantum)
            if clustered.get_quantum_info(before)["task_label"] == READER
        }
        key = int(info["data_id"]["visit"]), int(info["data_id"]["detector"])
        jobs[key] = _Jobs(name, readers)
    return jobs


def _list_edges(before: _Jobs, after: _Jobs) -> list[tuple[str, str]]:
    """List the edges with which one association waits for another: all of it, or if need be its writer."""
    if before.writer == after.writer:
        raise PreconditionError(
            f"job {before.writer} associates two visits of the same sky, so that they cannot be ordered",
            remedy="give the cluster of the association the dimensions visit,detector in the campaign's bps "
            "settings, or set `diffim: {ordering: none}`",
        )
    first = after.readers - {before.writer} or {after.writer}
    return [(before.writer, name) for name in sorted(first)]


def _refuse_circle(workflow: Any) -> None:
    import networkx

    if networkx.is_directed_acyclic_graph(workflow):
        return
    names = ", ".join(edge[0] for edge in networkx.find_cycle(workflow)[:5])
    raise PreconditionError(
        f"with the order of visits, jobs would wait for themselves: {names}",
        remedy="leave the clusters of loadDiaCatalogs and associateApdb as they are in the campaign's bps "
        "settings, or set `diffim: {ordering: none}`",
    )
