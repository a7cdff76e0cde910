"""Order of visits in BPS's workflow of a run: the edges between its jobs that associate."""

__all__ = ["add_order"]

import logging
from collections.abc import Mapping
from typing import Any

from ..bps import CampaignConfig, Ordering
from ..common.butler import open_butler
from ..common.errors import PreconditionError
from ..common.text import count
from .associations import ASSOCIATION, READER, WRITER, VisitDetector, find_stored
from .guards import refuse_out_of_order
from .overlaps import Overlaps

_log = logging.getLogger(__name__)


def add_order(
    workflow: Any,
    campaign: CampaignConfig,
    apdb_config: str,
    deferred: Mapping[VisitDetector, int] | None = None,
) -> int:
    """Make the association of each (visit, detector) wait for those that must come before it.

    What has already been associated has no job and needs no edge.

    Parameters
    ----------
    workflow
        BPS's workflow of a diffim run; it gets the edges.
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
    edges
        How many there are.

    Raises
    ------
    PreconditionError
        If a later visit of the same sky has already been associated, or BPS settings keep the association of
        one (visit, detector) from being one job.
    RepositoryError
        If the repository has no region or no time for a (visit, detector).
    ApdbError
        If the APDB cannot be read.
    """
    if campaign.diffim.ordering is Ordering.NONE:
        return 0
    jobs = _find_jobs(workflow)
    if not jobs:
        return 0
    deferred = deferred or {}
    with open_butler(campaign.butler, "the order of visits cannot be found") as butler:
        overlaps = Overlaps.read(butler, campaign.instrument, jobs, find_stored(apdb_config))
    late = overlaps.find_late()
    refuse_out_of_order({key: later for key, later in late.items() if key not in deferred}, apdb_config)
    edges = overlaps.edges(campaign.diffim.ordering, deferred)
    for parent, child in edges:
        workflow.add_job_relationships(jobs[parent], jobs[child])
    _log.info(
        "order of visits (%s): %s between %s",
        campaign.diffim.ordering,
        count(len(edges), "edge"),
        count(len(jobs), "association"),
    )
    return len(edges)


def _find_jobs(workflow: Any) -> dict[VisitDetector, str]:
    """Find the job that associates each (visit, detector)."""
    jobs = {}
    for name in workflow:
        job = workflow.get_job(name)
        if {READER, WRITER} & set(getattr(job, "quanta_counts", ())):
            if job.label != ASSOCIATION or not {"visit", "detector"} <= set(job.tags):
                raise PreconditionError(
                    f"job {name} ({job.label}) reads or writes the APDB, but is not of one visit and detector in "
                    f"the cluster {ASSOCIATION!r}, so that visits cannot be ordered",
                    remedy="leave that cluster as it is in the campaign's bps settings, or set "
                    "`diffim: {ordering: none}`",
                )
            jobs[int(job.tags["visit"]), int(job.tags["detector"])] = name
    return jobs
