"""What went wrong in a campaign, grouped by root cause."""

__all__ = ["Failures", "Group"]

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ...bps import Step
from ..provenance import QuantaTrouble
from .causes import Cause
from .jobs import JobState


@dataclass(frozen=True, kw_only=True)
class Group:
    """Jobs of one label that went wrong for one cause.

    Parameters
    ----------
    step, label
        Of the jobs; for a node of the chain, `None` and its name.
    cause
        Of the example.
    jobs
        Their names, by state.
    hosts
        How many attempts went wrong on which.
    exit_codes, signals
        How often they ended with what.
    memory, memory_request
        The most that one of them used and had asked for, in MiB.
    example
        The name of the job that is shown.
    log
        What it said; `None` if there is nothing.
    data_ids
        Of the quanta that failed, as far as the logs tell; the first twenty.
    pruned
        How many jobs will not run in consequence, by label.
    waiting
        How many wait for jobs of this group that are held.
    advice
        What to do next.
    """

    step: Step | None
    label: str
    cause: Cause
    jobs: Mapping[JobState, Sequence[str]]
    hosts: Mapping[str, int]
    exit_codes: Mapping[int, int]
    signals: Mapping[int, int]
    memory: float | None
    memory_request: float | None
    example: str
    log: Path | None
    data_ids: tuple[Mapping[str, str | int], ...]
    pruned: Mapping[str, int]
    waiting: int
    advice: tuple[str, ...]

    @property
    def place(self) -> str:
        """The step, or ``chain``."""
        return "chain" if self.step is None else str(self.step)

    @property
    def count(self) -> int:
        """How many jobs there are."""
        return sum(len(names) for names in self.jobs.values())

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values, for JSON."""
        return {
            "step": self.place,
            "label": self.label,
            "kind": str(self.cause.kind),
            "cause": self.cause.what,
            "task": self.cause.task,
            "count": self.count,
            "jobs": {str(state): list(names) for state, names in self.jobs.items()},
            "hosts": dict(self.hosts),
            "exit_codes": {str(code): count for code, count in self.exit_codes.items()},
            "signals": {str(number): count for number, count in self.signals.items()},
            "memory": self.memory,
            "memory_request": self.memory_request,
            "example": {
                "job": self.example,
                "log": None if self.log is None else str(self.log),
                "lines": list(self.cause.lines),
            },
            "data_ids": [dict(data_id) for data_id in self.data_ids],
            "pruned": dict(self.pruned),
            "waiting": self.waiting,
            "advice": list(self.advice),
        }


@dataclass(frozen=True, kw_only=True)
class Failures:
    """What went wrong.

    Parameters
    ----------
    groups
        Jobs that failed or are held, the most first.
    retried
        Attempts that went wrong of jobs that have passed since, or are tried again.
    pruned
        How many jobs will not run in consequence, by step.
    quanta
        Quanta that did not make what they should, by step, where they were looked at.
    """

    groups: tuple[Group, ...]
    retried: tuple[Group, ...]
    pruned: Mapping[Step, int]
    quanta: Mapping[Step, tuple[QuantaTrouble, ...]] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        """Whether nothing has failed or is held."""
        return not self.groups and not any(
            found.failed for of_step in self.quanta.values() for found in of_step
        )

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values, for JSON."""
        return {
            "groups": [group.as_dict() for group in self.groups],
            "retried": [group.as_dict() for group in self.retried],
            "pruned": {str(step): count for step, count in self.pruned.items()},
            "quanta": {
                str(step): {found.label: asdict(found) for found in of_step}
                for step, of_step in self.quanta.items()
            },
        }
