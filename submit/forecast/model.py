"""Forecast as values: jobs of a label, a run, the campaign."""

__all__ = ["Forecast", "JobForecast", "RunForecast"]

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ...bps import PlannedRun
from ...common.html import html_lines, html_table
from ...common.text import format_duration


@dataclass(frozen=True, kw_only=True)
class JobForecast:
    """The jobs of a label.

    Parameters
    ----------
    label
        The task, or the cluster of tasks.
    quanta
        The number of quanta by task.
    jobs
        The number of jobs, at most.
    seconds
        The mean duration of a job.
    cores, memory
        The request of each: cores, and MiB; 0 where that is not a number.
    disk
        MiB of all their outputs.
    depth
        The number of them that must run one after another.
    sources
        Where their durations were measured, or `apcampaign.submit.forecast.costs.GUESS`.
    parents
        The labels whose jobs they wait for.
    """

    label: str
    quanta: dict[str, int]
    jobs: int
    seconds: float
    cores: int
    memory: int
    disk: float
    depth: int
    sources: tuple[str, ...]
    parents: tuple[str, ...]

    @property
    def core_hours(self) -> float:
        """Core-hours of all of them."""
        return self.jobs * self.seconds * self.cores / 3600

    @property
    def origins(self) -> tuple[str, ...]:
        """The same as `sources`, with the parts of a step that were run together named once."""
        return tuple(dict.fromkeys(map(_name_origin, self.sources)))

    def as_dict(self) -> dict[str, Any]:
        """Convert it to plain values, for JSON."""
        return {
            "label": self.label,
            "jobs": self.jobs,
            "quanta": self.quanta,
            "seconds": round(self.seconds, 1),
            "core_hours": round(self.core_hours, 3),
            "cores": self.cores,
            "memory": self.memory,
            "disk_mib": round(self.disk, 3),
            "depth": self.depth,
            "sources": list(self.sources),
            "parents": list(self.parents),
        }


@dataclass(frozen=True, kw_only=True)
class RunForecast:
    """A run of the campaign.

    Parameters
    ----------
    run
        The run that would be submitted now.
    parents
        The names of the runs that must have ended before.
    selection
        What its data query selects: the number of visits, detectors, patches, ….
    jobs
        By label, in an order in which they can run.
    pause
        The most seconds between the end of a job and the begin of one that waits for it, although a slot is free.
    """

    run: PlannedRun
    parents: tuple[str, ...] = ()
    selection: dict[str, int]
    jobs: tuple[JobForecast, ...]
    pause: float = 0.0

    @property
    def quanta(self) -> int:
        """The number of quanta of all tasks."""
        return sum(sum(job.quanta.values()) for job in self.jobs)

    @property
    def work_seconds(self) -> float:
        """How long it takes on one slot."""
        return sum(job.jobs * job.seconds for job in self.jobs)

    @property
    def critical_seconds(self) -> float:
        """How long its critical path takes: the whole run, with as many slots as it can use."""
        return self._longest_path(lambda job: job.seconds * job.depth)

    @property
    def paused_seconds(self) -> float:
        """How long its jobs wait at most although slots are free: a pause before each in the longest chain."""
        return self.pause * self._longest_path(lambda job: job.depth)

    def _longest_path(self, length: Callable[[JobForecast], float]) -> float:
        ends: dict[str, float] = {}
        for job in self.jobs:
            begin = max((ends[parent] for parent in job.parents if parent in ends), default=0.0)
            ends[job.label] = begin + (length(job) if job.jobs else 0.0)
        return max(ends.values(), default=0.0)

    def wall_seconds(self, slots: int) -> tuple[float, float]:
        """Compute how long it takes on some slots: at least, and at most.

        The upper bound is that of Graham (1969) for any order of jobs that keeps the slots busy, and the pauses in
        which a batch system does not.
        """
        work = self.work_seconds / slots
        least = max(work, self.critical_seconds)
        return least, work + self.critical_seconds * (1 - 1 / slots) + self.paused_seconds

    def describe(self, slots: int) -> str:
        """Say in a line how much it is, and how long it takes on some slots."""
        least, most = self.wall_seconds(slots)
        return (
            f"{self.run.name}: {self.quanta:,} quanta in {sum(job.jobs for job in self.jobs):,} jobs at most; "
            f"{format_duration(least)} to {format_duration(most)} on {slots:,} slots"
        )

    def as_dict(self, slots: int) -> dict[str, Any]:
        """Convert it to plain values, for JSON; the time is that on some slots."""
        return {
            "run": self.run.name,
            "step": str(self.run.step),
            "output_run": self.run.output_run,
            "selection": self.selection,
            "quanta": self.quanta,
            "wall_seconds": [round(value) for value in self.wall_seconds(slots)],
            "jobs": [job.as_dict() for job in self.jobs],
        }


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """A campaign.

    Parameters
    ----------
    campaign
        Its name.
    slots
        The number of slots that it runs on.
    runs
        In an order in which they can be executed.
    notes
        What could not be found out, and what is assumed.
    parts
        Into what its steps are divided, in lines.
    """

    campaign: str
    slots: int
    runs: tuple[RunForecast, ...]
    notes: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()

    @property
    def wall_seconds(self) -> tuple[float, float]:
        """How long it takes, at least and at most, without the building of quantum graphs.

        The bounds are those of a run, for all jobs of all runs: the work on all slots, and the critical path
        through the runs.
        """
        work = sum(run.work_seconds for run in self.runs) / self.slots
        least = self._longest_path(lambda run: run.wall_seconds(self.slots)[0])
        critical = self._longest_path(lambda run: run.critical_seconds)
        paused = self._longest_path(lambda run: run.paused_seconds)
        return max(work, least), work + critical * (1 - 1 / self.slots) + paused

    def _longest_path(self, seconds: Callable[[RunForecast], float]) -> float:
        ends: dict[str, float] = {}
        for each in self.runs:
            begin = max((ends[parent] for parent in each.parents if parent in ends), default=0.0)
            ends[each.run.name] = begin + seconds(each)
        return max(ends.values(), default=0.0)

    @property
    def core_hours(self) -> float:
        """Core-hours of all jobs."""
        return sum(job.core_hours for run in self.runs for job in run.jobs)

    @property
    def disk(self) -> float:
        """MiB of all outputs."""
        return sum(job.disk for run in self.runs for job in run.jobs)

    def describe(self) -> str:
        """Say in a line what all of it takes."""
        least, most = self.wall_seconds
        return (
            f"campaign {self.campaign}: {self.core_hours:,.1f} core-hours, {self.disk / 1024:,.1f} GiB; "
            f"{format_duration(least)} to {format_duration(most)}, besides the building of the quantum graphs"
        )

    def _repr_html_(self) -> str:
        """Draw it for a notebook: the jobs of each run, and what all of it takes."""
        columns = ("label", "jobs", "quanta", "s/job", "core-hours", "GiB", "memory request", "source")
        tables = [
            html_lines([each.describe(self.slots)]) + html_table(columns, map(_job_cells, each.jobs))
            for each in self.runs
        ]
        return "".join(tables) + html_lines([*self.parts, self.describe(), *self.notes])

    def as_dict(self) -> dict[str, Any]:
        """Convert it to plain values, for JSON."""
        least, most = self.wall_seconds
        return {
            "campaign": self.campaign,
            "slots": self.slots,
            "wall_seconds": [round(least), round(most)],
            "core_hours": round(self.core_hours, 3),
            "disk_mib": round(self.disk, 3),
            "runs": [run.as_dict(self.slots) for run in self.runs],
            "parts": list(self.parts),
            "notes": list(self.notes),
        }


def _job_cells(job: JobForecast) -> tuple[str, ...]:
    return (
        job.label,
        f"{job.jobs:,}",
        f"{sum(job.quanta.values()):,}",
        f"{job.seconds:,.0f}",
        f"{job.core_hours:,.2f}",
        f"{job.disk / 1024:,.2f}",
        f"{job.memory:,} MiB" if job.memory else "–",
        ", ".join(job.origins),
    )


def _name_origin(source: str) -> str:
    output, _, name = source.rpartition("/")
    timestamp, dash, _ = name.partition("-")
    return f"parts of {output}/{timestamp}" if output and dash else source
