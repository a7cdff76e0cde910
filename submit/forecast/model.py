"""What a campaign will take, in numbers."""

__all__ = ["Forecast", "JobForecast", "StepForecast"]

from dataclasses import dataclass
from typing import Any

from ...bps import Step
from .costs import GUESS


@dataclass(frozen=True, kw_only=True)
class JobForecast:
    """The jobs of a label.

    Parameters
    ----------
    label
        The task, or the cluster of tasks.
    quanta
        How many of each task.
    jobs
        How many there will be, at most.
    seconds
        Of one of them, on average.
    cores, memory
        What each asks for; MiB.
    disk
        MiB of all their outputs.
    depth
        How many of them must run one after another.
    sources
        Where their times were measured, or `GUESS`.
    parents
        The labels that they wait for.
    """

    label: str
    quanta: dict[str, int]
    jobs: int
    seconds: float
    cores: int
    memory: int | None
    disk: float
    depth: int
    sources: tuple[str, ...]
    parents: tuple[str, ...]

    @property
    def core_hours(self) -> float:
        """Of all of them."""
        return self.jobs * self.seconds * self.cores / 3600

    @property
    def guessed(self) -> bool:
        """Whether any of their times is a guess."""
        return GUESS in self.sources


@dataclass(frozen=True, kw_only=True)
class StepForecast:
    """A step.

    Parameters
    ----------
    step
        Which.
    output_run
        The run that it would be now.
    selection
        What its data query selects: visits, detectors, patches, ….
    jobs
        By label, in an order in which they can run.
    """

    step: Step
    output_run: str
    selection: dict[str, int]
    jobs: tuple[JobForecast, ...]

    @property
    def quanta(self) -> int:
        """How many there are of all tasks."""
        return sum(sum(each.quanta.values()) for each in self.jobs)

    @property
    def critical_seconds(self) -> float:
        """How long it takes with as many slots as it can use."""
        ends: dict[str, float] = {}
        for each in self.jobs:
            begin = max((ends[parent] for parent in each.parents if parent in ends), default=0.0)
            ends[each.label] = begin + (each.seconds * each.depth if each.jobs else 0.0)
        return max(ends.values(), default=0.0)

    def wall_seconds(self, slots: int) -> tuple[float, float]:
        """How long it takes on so many slots: at least, and at most (Graham's bound for any order of jobs)."""
        work = sum(each.jobs * each.seconds for each in self.jobs) / slots
        return max(work, self.critical_seconds), work + self.critical_seconds * (1 - 1 / slots)


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """A campaign.

    Parameters
    ----------
    campaign
        Its name.
    slots
        On how many slots it would run.
    steps
        In the order in which they run.
    notes
        What could not be found out, and what is assumed.
    """

    campaign: str
    slots: int
    steps: tuple[StepForecast, ...]
    notes: tuple[str, ...] = ()

    @property
    def wall_seconds(self) -> tuple[float, float]:
        """How long it takes, at least and at most, without the building of graphs."""
        each = [step.wall_seconds(self.slots) for step in self.steps]
        return sum(least for least, _ in each), sum(most for _, most in each)

    @property
    def core_hours(self) -> float:
        """Of all jobs."""
        return sum(job.core_hours for step in self.steps for job in step.jobs)

    @property
    def disk(self) -> float:
        """MiB of all outputs."""
        return sum(job.disk for step in self.steps for job in step.jobs)

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values, for JSON."""
        least, most = self.wall_seconds
        return {
            "campaign": self.campaign,
            "slots": self.slots,
            "wall_seconds": [round(least), round(most)],
            "core_hours": round(self.core_hours, 3),
            "disk_mib": round(self.disk, 3),
            "steps": [
                {
                    "step": str(step.step),
                    "output_run": step.output_run,
                    "selection": step.selection,
                    "quanta": step.quanta,
                    "wall_seconds": [round(value) for value in step.wall_seconds(self.slots)],
                    "jobs": [
                        {
                            "label": job.label,
                            "jobs": job.jobs,
                            "quanta": job.quanta,
                            "seconds": round(job.seconds, 1),
                            "core_hours": round(job.core_hours, 3),
                            "cores": job.cores,
                            "memory": job.memory,
                            "disk_mib": round(job.disk, 3),
                            "depth": job.depth,
                            "sources": list(job.sources),
                            "parents": list(job.parents),
                        }
                        for job in step.jobs
                    ],
                }
                for step in self.steps
            ],
            "notes": list(self.notes),
        }
