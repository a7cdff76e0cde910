"""Removal of jobs from the queue that nobody waits for."""

__all__ = ["remove_jobs"]

import time
from collections.abc import Collection
from pathlib import Path

from ..common.condor import PlacedJob, find_below, remove_below
from ..common.errors import SchedulerError

_DEADLINE = 180.0  # seconds; a job may take its time to end
_POLL = 1.0


def remove_jobs(folder: Path, jobs: Collection[PlacedJob]) -> None:
    """Remove jobs of a campaign from the queue, with what they submit meanwhile, and return when none is left.

    Parameters
    ----------
    folder
        The campaign's folder.
    jobs
        The jobs.

    Raises
    ------
    SchedulerError
        If HTCondor does not answer, or one is left after three minutes.
    """
    ids = {job.id for job in jobs}
    deadline = time.monotonic() + _DEADLINE
    while True:
        remove_below(folder, ids, "apcampaign doctor")
        queued = find_below(folder)
        ids |= {job.id for job in queued if job.parent in ids}
        left = sorted(job.id for job in queued if job.id in ids)
        if not left:
            return
        if time.monotonic() > deadline:
            shown = " ".join(left)
            raise SchedulerError(
                f"these jobs are still in the queue: {shown}", remedy=f"see `condor_q -hold {shown}`"
            )
        time.sleep(_POLL)
