"""Progress of one step in numbers: its jobs by label, and its expected end."""

__all__ = ["Estimate", "LabelProgress", "count_labels", "estimate_end"]

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev

from ..common.text import format_duration
from .jobs import AttemptOutcome, Job, JobState

_TO_COME = {JobState.UNREADY, JobState.IDLE, JobState.RUNNING}
#: Seconds after which nothing having run is a pause, and no more the turn of somebody else's jobs.
_PAUSE = 1800.0
Key = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class LabelProgress:
    """The jobs of one label.

    Parameters
    ----------
    label
        As BPS calls it.
    counts
        Jobs by state; states that no job is in are left out.
    retried
        Jobs that are done, but not at the first attempt.
    seconds
        The mean run time of a job, if any is done.
    """

    label: str
    counts: Mapping[JobState, int]
    retried: int
    seconds: float | None

    @property
    def total(self) -> int:
        """The number of jobs."""
        return sum(self.counts.values())


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """When a step is expected to end.

    Parameters
    ----------
    jobs_per_hour
        The recent rate.
    concurrency
        The recent mean number of jobs that ran at a time.
    seconds
        From now until the end.
    uncertainty
        Of that, one standard deviation. It knows how run times scatter and how few have been seen, not what the
        queue or others will do.
    """

    jobs_per_hour: float
    concurrency: float
    seconds: float
    uncertainty: float

    def describe(self) -> str:
        """Say it in a line."""
        return (
            f"{self.jobs_per_hour:.0f} jobs an hour, {self.concurrency:.1f} at a time; ends in about "
            f"{format_duration(self.seconds)} ± {format_duration(self.uncertainty)}"
        )


def count_labels(jobs: Sequence[Job]) -> tuple[LabelProgress, ...]:
    """Count jobs by label, in the order in which the labels come."""
    by_label: dict[str, list[Job]] = {}
    for job in jobs:
        by_label.setdefault(job.label, []).append(job)
    return tuple(
        LabelProgress(
            label=label,
            counts=dict(Counter(job.state for job in members)),
            retried=sum(job.state is JobState.DONE and len(job.attempts) > 1 for job in members),
            seconds=fmean(taken) if (taken := _runtimes(members)) else None,
        )
        for label, members in by_label.items()
    )


def estimate_end(jobs: Sequence[Job], now: float) -> Estimate | None:
    """Estimate the end from how long jobs took, how many ran at a time, and which wait for which.

    The time is the longer of two: the work that is left, divided by the recent concurrency, and the critical path.

    Parameters
    ----------
    jobs
        The jobs of a step, of all its runs.
    now
        In seconds since 1970 (UTC).

    Returns
    -------
    estimate
        `None` if nothing is left that can run by itself, or nothing has been done yet. Jobs that are held, and
        those that wait for them, are not counted on.
    """
    blocked = _find_behind_held(jobs)
    left = [job for job in jobs if job.state in _TO_COME and job.key not in blocked]
    taken: dict[str, list[float]] = {}
    for job in jobs:
        if job.state is JobState.DONE:
            taken.setdefault(job.label, []).extend(_runtimes([job]))
    every = [seconds for of_label in taken.values() for seconds in of_label]
    if not left or not every:
        return None
    mean, scatter = fmean(every), pstdev(every)
    expected: dict[str, float] = {}
    work, variance = 0.0, 0.0
    for label, count in Counter(job.label for job in left).items():
        if seen := taken.get(label):
            expected[label] = fmean(seen)
            spread = pstdev(seen) if len(seen) > 1 else expected[label] / 2
            variance += count * spread**2 + (count * spread) ** 2 / len(seen)
        else:
            # Nothing of this label has run: taken to be like the others, and as uncertain as it is long.
            expected[label] = mean
            variance += (count * max(mean, scatter)) ** 2
        work += count * expected[label]
    for job in left:
        if job.state is JobState.RUNNING and job.last and job.last.started:
            # One that runs for longer than was expected is not done yet.
            work -= min(now - job.last.started, 0.9 * expected[job.label])
    begun = min(a.started for job in jobs for a in job.attempts if a.started is not None)
    window = _window(jobs, begun, now)
    ended, active, concurrency = _activity(jobs, now - window, now)
    seconds = max(work / concurrency, _critical_path(left, expected), 0.0)
    relative = math.sqrt(variance) / work if work > 0 else 0.0
    # How well the few jobs that have ended tell the concurrency.
    relative = math.hypot(relative, 1 / math.sqrt(max(ended, 1)))
    return Estimate(
        jobs_per_hour=3600 * ended / active,
        concurrency=concurrency,
        seconds=seconds,
        uncertainty=seconds * relative,
    )


def _find_behind_held(jobs: Sequence[Job]) -> set[Key]:
    """Find the jobs that wait for one that is held: its descendants, and the last job of its run."""
    behind = {job.key for job in jobs if job.state is JobState.HELD}
    if not behind:
        return behind
    holding = {run for run, _ in behind}
    waiting = [job for job in jobs if job.state is JobState.UNREADY and job.run in holding]
    grown = True
    while grown:
        grown = False
        for job in waiting:
            if job.key not in behind and (not job.parents or not behind.isdisjoint(job.parent_keys)):
                behind.add(job.key)
                grown = True
    return behind


def _runtimes(jobs: Sequence[Job]) -> list[float]:
    return [
        seconds
        for job in jobs
        for attempt in job.attempts
        if attempt.outcome is AttemptOutcome.DONE and (seconds := attempt.wall_seconds) is not None
    ]


def _window(jobs: Sequence[Job], begun: float, now: float) -> float:
    """Choose how far back «recent» goes: half an hour, or longer if fewer than ten jobs ended in that."""
    ends = sorted((a.ended for job in jobs for a in job.attempts if a.ended and a.started), reverse=True)
    tenth = ends[min(9, len(ends) - 1)]
    return max(min(now - begun, max(1800.0, now - tenth)), 1.0)


def _activity(jobs: Sequence[Job], since: float, now: float) -> tuple[int, float, float]:
    """Count the jobs that succeeded in an interval, the seconds of it in which any ran, and their mean number.

    Pauses do not count: after a cancellation and before what continues it nothing could run.
    """
    ended, busy = 0, 0.0
    intervals = []
    for job in jobs:
        for attempt in job.attempts:
            if attempt.started is None:
                continue
            end = now if attempt.ended is None else attempt.ended
            ended += attempt.outcome is AttemptOutcome.DONE and end >= since
            if (first := max(attempt.started, since)) < (last := min(end, now)):
                busy += last - first
                intervals.append((first, last))
    active = max(now - since - _pauses(intervals, since, now), 1.0)
    return ended, active, busy / active if busy else 1.0


def _pauses(intervals: Sequence[tuple[float, float]], since: float, now: float) -> float:
    """Add up the times in which nothing ran for long."""
    paused, reached = 0.0, since
    for first, last in (*sorted(intervals), (now, now)):
        if first - reached > _PAUSE:
            paused += first - reached
        reached = max(reached, last)
    return paused


def _critical_path(left: Sequence[Job], expected: Mapping[str, float]) -> float:
    """Add up the run times along the longest path of jobs that wait for each other."""
    by_key = {job.key: job for job in left}
    length: dict[Key, float] = {}
    for start in by_key:
        stack = [start]
        while stack:
            key = stack[-1]
            if key in length:
                stack.pop()
                continue
            job = by_key[key]
            before = [parent for parent in job.parent_keys if parent in by_key]
            if missing := [parent for parent in before if parent not in length]:
                stack.extend(missing)
                continue
            length[key] = expected[job.label] + max((length[parent] for parent in before), default=0.0)
            stack.pop()
    return max(length.values(), default=0.0)
