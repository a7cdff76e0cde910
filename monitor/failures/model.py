"""Failures of a campaign as values: groups of jobs of one label and one cause."""

__all__ = ["Failures", "Group"]

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ...bps import Step
from ...common.html import html_lines, html_table
from ..jobs import JobState
from ..outcomes.provenance import QuantaTrouble
from .causes import Cause
from .evidence import Gap
from .stopped import Stopped

_LISTED = 20  # data ids and gaps of a group in JSON
_SHOWN = 3  # gaps of one kind in a line


@dataclass(frozen=True, kw_only=True)
class Group:
    """Jobs of one label that failed, or are held, for one cause.

    Parameters
    ----------
    step, label
        Of the jobs; for a node of the campaign DAG, `None` and its name.
    cause
        Of the example.
    jobs
        Their names, by state.
    held
        The ids of those that are held.
    hosts
        How many attempts failed on which.
    exit_codes, signals
        How often they ended with which.
    memory, memory_request
        The most that one of them used and had requested, in MiB.
    example
        The name of the job that is shown.
    log
        Its log; `None` if there is none.
    data_ids
        Of the quanta that failed, as far as the logs tell.
    pruned
        How many jobs will not run because of these, by label.
    waiting
        How many wait for jobs of this group that are held.
    remedies
        What to do next.
    gaps
        What is not known of them, since files are missing or damaged.
    """

    step: Step | None
    label: str
    cause: Cause
    jobs: Mapping[JobState, Sequence[str]]
    held: tuple[int, ...] = ()
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
    remedies: tuple[str, ...] = ()
    gaps: tuple[Gap, ...] = ()

    @property
    def place(self) -> str:
        """The step, or «campaign DAG»."""
        return "campaign DAG" if self.step is None else str(self.step)

    @property
    def count(self) -> int:
        """How many jobs there are."""
        return sum(len(names) for names in self.jobs.values())

    def describe_gaps(self) -> list[str]:
        """Say in a line each what is not known of them, and why."""
        reasons: dict[str, list[str]] = {}
        for gap in self.gaps:
            reasons.setdefault(gap.unknown, []).append(gap.reason)
        return [
            f"not known: {unknown}; {'; '.join(each[:_SHOWN])}"
            + (f"; and {len(each) - _SHOWN} more" if len(each) > _SHOWN else "")
            for unknown, each in reasons.items()
        ]

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values, for JSON."""
        return {
            "step": "dag" if self.step is None else str(self.step),
            "label": self.label,
            "kind": str(self.cause.kind),
            "cause": self.cause.message,
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
            "data_ids": [dict(data_id) for data_id in self.data_ids[:_LISTED]],
            "pruned": dict(self.pruned),
            "waiting": self.waiting,
            "remedies": list(self.remedies),
            "gaps": [gap.as_dict() for gap in self.gaps[:_LISTED]],
        }


@dataclass(frozen=True, kw_only=True)
class Failures:
    """What went wrong in a campaign.

    Parameters
    ----------
    groups
        Jobs that failed or are held, the largest group first.
    retried
        Failed attempts of jobs that have succeeded since, or are being retried.
    pruned
        How many jobs will not run because others failed, by step.
    quanta
        Quanta that did not make what they should, by step, where they were looked at.
    stopped
        Runs that have ended before their jobs.
    """

    groups: tuple[Group, ...]
    retried: tuple[Group, ...]
    pruned: Mapping[Step, int]
    quanta: Mapping[Step, tuple[QuantaTrouble, ...]] = field(default_factory=dict)
    stopped: tuple[Stopped, ...] = ()

    @property
    def good(self) -> bool:
        """Whether nothing has failed or is held, and no run has ended before its jobs."""
        quanta = (found.failed for of_step in self.quanta.values() for found in of_step)
        return not self.groups and not self.stopped and not any(quanta)

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values, for JSON."""
        return {
            "groups": [group.as_dict() for group in self.groups],
            "retried": [group.as_dict() for group in self.retried],
            "pruned": {str(step): count for step, count in self.pruned.items()},
            "stopped": [run.as_dict() for run in self.stopped],
            "quanta": {
                str(step): {found.label: asdict(found) for found in of_step}
                for step, of_step in self.quanta.items()
            },
        }

    def _repr_html_(self) -> str:
        """Draw it for a notebook: a row for each group, and the quanta."""
        columns = ("where", "job", "jobs", "kind", "cause", "fix")
        quanta = [
            (step, found.label, len(found.failed), len(found.partial), len(found.empty))
            for step, of_step in self.quanta.items()
            for found in of_step
        ]
        lines = [] if self.groups else ["no job has failed or is held"]
        lines += [f"{run.describe()} → {run.remedy}" for run in self.stopped]
        lines += [
            f"{count} jobs of {step} will not run because of these" for step, count in self.pruned.items()
        ]
        return (
            html_table(columns, map(_group_cells, self.groups))
            + html_lines(lines)
            + html_table(columns, map(_group_cells, self.retried), "succeeded since, or being retried")
            + html_table(
                ("step", "task", "failed", "made only some outputs", "made nothing"), quanta, "quanta"
            )
        )


def _group_cells(group: Group) -> tuple[object, ...]:
    states = ", ".join(f"{len(names)} {state}" for state, names in group.jobs.items())
    cause = "\n".join([group.cause.message, *group.describe_gaps()])
    return group.place, group.label, states, group.cause.kind, cause, "\n".join(group.remedies)
