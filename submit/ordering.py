"""The order of visits in a run's workflow: plain edges between the jobs that associate."""

__all__ = ["ASSOCIATION", "READER", "WRITER", "add_order", "read_associated", "refuse_overtaken"]

import logging
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..apdb import read_stored
from ..bps import Campaign, Ordering
from ..common.errors import ForeignApdbError, SubmissionError
from .footprints import read_footprints
from .order import chain_edges, find_overtaken, order_edges

#: The cluster of jobs that read and write the APDB (see `apcampaign.bps.build_config`), and its tasks.
ASSOCIATION = "association"
READER = "loadDiaCatalogs"
WRITER = "associateApdb"

VisitDetector = tuple[int, int]

_log = logging.getLogger(__name__)
_SHOWN = 5


def add_order(
    workflow: Any, campaign: Campaign, apdb_config: str, late: Mapping[VisitDetector, int] | None = None
) -> int:
    """Make the association of each (visit, detector) wait for those that must come before it.

    What has been associated already has no job and needs no edge. What is to be associated too late is refused.

    Parameters
    ----------
    workflow
        BPS's workflow of a diffim run; it gets the edges.
    campaign
        Whose run it is; its ``diffim.ordering`` says who waits for whom.
    apdb_config
        The APDB that the run fills.
    late
        (visit, detector)s that others shall not wait for: they come after the others of their sky, those with
        a larger number after those with a smaller one. They are not refused.

    Returns
    -------
    edges
        How many there are.

    Raises
    ------
    SubmissionError
        If a later visit of the same sky has been associated already, or BPS settings keep the association of
        one (visit, detector) from being one job.
    ApdbError
        If the APDB cannot be read.
    """
    if campaign.diffim.ordering is Ordering.NONE:
        return 0
    from lsst.daf.butler import Butler

    jobs = _find_jobs(workflow)
    keys = sorted(jobs)
    if not keys:
        return 0
    stored = sorted(read_associated(apdb_config) - set(keys))
    with Butler.from_config(campaign.butler) as butler:
        footprints, ranks = read_footprints(butler, campaign.instrument, [*keys, *stored])
    late = late or {}
    refuse_overtaken(keys, stored, footprints, ranks, late, apdb_config)
    turns = [late.get(key, 0) * len(ranks) + rank for key, rank in zip(keys, ranks, strict=False)]
    if campaign.diffim.ordering is Ordering.TOTAL:
        edges = chain_edges([(turn, detector) for turn, (_, detector) in zip(turns, keys, strict=True)])
    else:
        edges = order_edges(footprints[: len(keys)], turns)
    for parent, child in edges:
        workflow.add_job_relationships(jobs[keys[parent]], jobs[keys[child]])
    _log.info(
        "order of visits (%s): %d edges between %d associations",
        campaign.diffim.ordering,
        len(edges),
        len(keys),
    )
    return len(edges)


def read_associated(apdb_config: str) -> frozenset[VisitDetector]:
    """Read which (visit, detector)s an APDB holds; none if it is of a kind that cannot be looked into.

    Raises
    ------
    ApdbError
        If it cannot be read.
    """
    try:
        return read_stored(apdb_config)
    except ForeignApdbError as reason:
        _log.warning("%s: later visits of the same sky may be in it already", reason)
        return frozenset()


def refuse_overtaken(
    keys: Sequence[VisitDetector],
    stored: Sequence[VisitDetector],
    footprints: Sequence[npt.NDArray[np.int64]],
    ranks: Sequence[int],
    exempt: Collection[VisitDetector],
    apdb_config: str,
) -> None:
    """Refuse to associate what is earlier than what the APDB holds of the same sky.

    Parameters
    ----------
    keys, stored
        The (visit, detector)s to associate, and those in the APDB.
    footprints, ranks
        Of both, one after the other, as `apcampaign.submit.footprints.read_footprints` gives them.
    exempt
        Those that may come late.
    apdb_config
        The APDB, for the message.

    Raises
    ------
    SubmissionError
        If there is one.
    """
    every = [*keys, *stored]
    done = [False] * len(keys) + [True] * len(stored)
    overtaken = {
        every[i]: every[j]
        for i, j in find_overtaken(footprints, ranks, done).items()
        if every[i] not in exempt
    }
    if overtaken:
        shown = ", ".join(
            f"visit {visit} detector {detector} (by visit {later} detector {other})"
            for (visit, detector), (later, other) in list(overtaken.items())[:_SHOWN]
        )
        more = f" and {len(overtaken) - _SHOWN} more" if len(overtaken) > _SHOWN else ""
        raise SubmissionError(
            f"{len(overtaken)} associations would come too late: the APDB {apdb_config} holds later visits of the "
            f"same sky already, which would miss their history: {shown}{more}; take an empty APDB, take the later "
            "ones back first (`apcampaign apdb rollback`), or, if these have failed before, let them come late "
            "with `apcampaign resume --past-failures`"
        )


def _find_jobs(workflow: Any) -> dict[VisitDetector, str]:
    """Find the job that associates each (visit, detector)."""
    jobs = {}
    for name in workflow:
        job = workflow.get_job(name)
        if {READER, WRITER} & set(getattr(job, "quanta_counts", ())):
            if job.label != ASSOCIATION or not {"visit", "detector"} <= set(job.tags):
                raise SubmissionError(
                    f"job {name} ({job.label}) reads or writes the APDB, but is not of one visit and detector "
                    f"in the cluster {ASSOCIATION!r}, so the order of visits cannot be made; leave that cluster "
                    "as it is in the campaign's bps settings, or set diffim: ordering: none"
                )
            jobs[int(job.tags["visit"]), int(job.tags["detector"])] = name
    return jobs
