"""Resources that jobs used against those that they requested, by label, and what to request next time."""

__all__ = ["Hours", "LabelUsage", "core_hours", "measure_usage", "suggest_settings"]

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..bps import Step
from ..monitor import Attempt, AttemptOutcome, Job, JobState
from ..monitor.outcomes import Spread

#: A choice: a quarter above the most that was ever used. Other data may need more, and a job that is held for its
#: memory loses a whole execution, while a request that is a little too large only keeps some memory idle.
_HEADROOM = 1.25
#: Requests are rounded up to this, MiB: they are no better known.
_STEP = 256
#: The middleware's imports alone take about 170 MiB.
_LEAST = 512
#: A request that is nearer than this share to the suggestion is left as it is: so much the most varies anyway.
_CLOSE = 0.15
#: HTCondor looks at a job's memory after eight seconds, then every five minutes, so that it misses the peak of
#: executions that are shorter than this, seconds.
_LONG = 600
#: HTCondor's codes of a hold that a larger request would have avoided: the job exceeded its memory (34), or BPS's
#: own rule for jobs that were killed by a signal (3, subcode 34).
_MEMORY_HOLDS = {(34, 0), (3, 34)}


@dataclass(frozen=True)
class Hours:
    """Core-hours: of attempts that succeeded, that failed or were interrupted, and that are running."""

    good: float = 0.0
    bad: float = 0.0
    open: float = 0.0

    @property
    def total(self) -> float:
        """All of them."""
        return self.good + self.bad + self.open

    @property
    def good_percent(self) -> float | None:
        """The good part of what has ended."""
        ended = self.good + self.bad
        return 100 * self.good / ended if ended else None

    def __add__(self, other: "Hours") -> "Hours":
        return Hours(self.good + other.good, self.bad + other.bad, self.open + other.open)


@dataclass(frozen=True, kw_only=True)
class LabelUsage:
    """What the jobs of a label used.

    Parameters
    ----------
    step, label
        Which jobs.
    states
        How many there are in each state.
    attempts
        How many executions were started.
    wall
        Seconds of the executions that succeeded.
    waited
        Seconds that they waited in the queue.
    memory
        The most that executions used, MiB, as their tasks noted it; as HTCondor measured it where they did not.
    exact
        Whether their tasks noted it. HTCondor only looks now and then.
    requested_memory
        What the jobs request at first, MiB: the largest.
    cores
        What they request.
    cpu_percent
        How busy the cores were that they held; `None` if nothing ran long enough to tell.
    hours
        Core-hours.
    memory_holds
        Executions that were held since they used too much memory.
    """

    step: Step | None
    label: str
    states: Mapping[JobState, int]
    attempts: int
    wall: Spread | None
    waited: Spread | None
    memory: Spread | None
    exact: bool
    requested_memory: float | None
    cores: int
    cpu_percent: float | None
    hours: Hours
    memory_holds: int = 0

    @property
    def jobs(self) -> int:
        """How many jobs there are."""
        return sum(self.states.values())

    @property
    def suggested_memory(self) -> int | None:
        """What to request next time, MiB; `None` if the request is fine or nothing was measured."""
        if self.memory is None or not self.requested_memory or not self._is_known:
            return None
        needed = self.memory.most * _HEADROOM
        if self.memory_holds:
            needed = max(needed, self.requested_memory * 2)
        wanted = max(_LEAST, math.ceil(needed / _STEP) * _STEP)
        near = abs(wanted - self.requested_memory) <= _CLOSE * self.requested_memory
        return None if near else wanted

    @property
    def _is_known(self) -> bool:
        return self.exact or bool(self.memory_holds) or (self.wall is not None and self.wall.lower >= _LONG)


def core_hours(jobs: Iterable[Job], now: float) -> Hours:
    """Add up the core-hours of jobs; ``now`` ends the executions that are running, seconds since 1970."""
    good = bad = active = 0.0
    for job in jobs:
        for attempt in job.attempts:
            if attempt.started is None:
                continue
            hours = max(0.0, (attempt.ended or now) - attempt.started) * job.request_cpus / 3600
            if attempt.ended is None:
                active += hours
            elif attempt.outcome is AttemptOutcome.DONE:
                good += hours
            else:
                bad += hours
    return Hours(good, bad, active)


def measure_usage(
    jobs: Iterable[Job], now: float, task_memory: Callable[[Step, str], Spread | None] | None = None
) -> list[LabelUsage]:
    """Summarise jobs by step and label, in the order in which the labels come.

    Parameters
    ----------
    jobs
        The jobs of any number of runs.
    now
        When they were read, seconds since 1970.
    task_memory
        Finds the memory of a step's jobs of a label, as their tasks noted it.
    """
    groups: dict[tuple[Step | None, str], list[Job]] = defaultdict(list)
    for job in jobs:
        groups[job.step, job.label].append(job)
    return [
        _measure(
            step, label, group, now, task_memory(step, label) if task_memory and step is not None else None
        )
        for (step, label), group in groups.items()
    ]


def _measure(
    step: Step | None, label: str, jobs: Sequence[Job], now: float, noted: Spread | None
) -> LabelUsage:
    attempts = [attempt for job in jobs for attempt in job.attempts]
    done = [attempt for attempt in attempts if attempt.outcome is AttemptOutcome.DONE]
    wall = [seconds for attempt in done if (seconds := attempt.wall_seconds) is not None]
    waited = [
        attempt.started - attempt.queued
        for attempt in done
        if attempt.started is not None and attempt.queued is not None
    ]
    memory = [attempt.memory for attempt in attempts if attempt.memory]
    requests = [request for job in jobs if (request := job.request_memory or _first_request(job))]
    cores = max((job.request_cpus for job in jobs), default=1)
    return LabelUsage(
        step=step,
        label=label,
        states=Counter(job.state for job in jobs),
        attempts=sum(attempt.started is not None for attempt in attempts),
        wall=Spread.of(wall),
        waited=Spread.of(waited),
        memory=noted or Spread.of(memory),
        exact=noted is not None,
        requested_memory=max(requests, default=None),
        cores=cores,
        cpu_percent=_cpu_percent(done, cores),
        hours=core_hours(jobs, now),
        memory_holds=sum(
            attempt.outcome is AttemptOutcome.HELD
            and (attempt.hold_code, attempt.hold_subcode or 0) in _MEMORY_HOLDS
            for attempt in attempts
        ),
    )


def _first_request(job: Job) -> float | None:
    return job.attempts[0].memory_request if job.attempts else None


def _cpu_percent(attempts: Collection[Attempt], cores: int) -> float | None:
    measured = [
        (attempt.cpu_seconds, attempt.wall_seconds)
        for attempt in attempts
        if attempt.cpu_seconds is not None and attempt.wall_seconds
    ]
    wall = sum(seconds for _, seconds in measured)
    # HTCondor rounds to seconds, so that little run time tells little.
    return 100 * sum(cpu for cpu, _ in measured) / (wall * cores) if wall >= 10 else None


def suggest_settings(
    usage: Iterable[LabelUsage], clusters: Mapping[Step, Collection[str]]
) -> dict[str, dict[str, Any]]:
    """Write as in a campaign file what to request next time.

    Parameters
    ----------
    usage
        What was measured.
    clusters
        The labels of each step that are clusters of tasks.

    Returns
    -------
    settings
        ``{step: {"bps": {section: {label: {"requestMemory": MiB}}}}}``, without what is fine as it is.
    """
    settings: dict[str, dict[str, Any]] = {}
    for each in usage:
        if each.step is None or (memory := each.suggested_memory) is None:
            continue
        bps = settings.setdefault(str(each.step), {"bps": {}})["bps"]
        if each.label == "finalJob":
            bps["finalJob"] = {"requestMemory": memory}
        else:
            section = "cluster" if each.label in clusters.get(each.step, ()) else "pipetask"
            bps.setdefault(section, {})[each.label] = {"requestMemory": memory}
    return settings
