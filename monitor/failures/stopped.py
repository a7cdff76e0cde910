"""Runs that have ended before their jobs, although none of these failed: removed, held up, or interrupted."""

__all__ = ["Stopped", "find_stopped"]

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ...common.text import count
from ..jobs import Job, JobState
from ..status import RunState

_BAD = {JobState.FAILED, JobState.HELD}


@dataclass(frozen=True, kw_only=True)
class Stopped:
    """A run that has ended before its jobs.

    Parameters
    ----------
    run
        Its name in the plan.
    state
        ``failed`` if it was removed from the queue or held up by a failure elsewhere, ``interrupted`` if the
        process that ran it has gone.
    left, jobs
        How many of its jobs have not ended, and how many it has.
    """

    run: str
    state: RunState
    left: int
    jobs: int

    remedy = "`apcampaign resume`"

    def describe(self) -> str:
        """Say it in a sentence."""
        if self.state is RunState.INTERRUPTED:
            return (
                f"the {self.run} run was interrupted before {self.left} of its {count(self.jobs, 'job')} had "
                "ended: the process that ran it has gone"
            )
        return f"the {self.run} run was removed or held up before {self.left} of its {count(self.jobs, 'job')} ran"

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values, for JSON."""
        return {
            "run": self.run,
            "state": str(self.state),
            "left": self.left,
            "jobs": self.jobs,
            "remedy": self.remedy,
        }


def find_stopped(jobs: Iterable[Job], states: Mapping[str, RunState]) -> tuple[Stopped, ...]:
    """Find the runs that have ended before their jobs, and of which no failed job tells that.

    Parameters
    ----------
    jobs
        Of the runs.
    states
        The state of each run, by its name.
    """
    by_run: dict[str, list[Job]] = {name: [] for name in states}
    for job in jobs:
        by_run.setdefault(job.run, []).append(job)
    return tuple(
        Stopped(
            run=name,
            state=state,
            left=sum(job.state is not JobState.DONE for job in by_run[name]),
            jobs=len(by_run[name]),
        )
        for name, state in states.items()
        if state is RunState.INTERRUPTED
        or (state is RunState.FAILED and not any(job.state in _BAD for job in by_run[name]))
    )
