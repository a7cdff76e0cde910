"""Status of a whole campaign as values: its DAG, steps and runs, and what they wait for."""

__all__ = ["CampaignJobs", "CampaignStatus", "DagNode", "RunState", "RunStatus", "StepStatus"]

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from ..bps import Step
from ..common.html import html_lines, html_table
from ..common.text import format_duration
from ..ledger import RetirementRecord, RunRecord
from .jobs import Job, JobState
from .progress import Estimate, LabelProgress

_BAD = {JobState.FAILED, JobState.HELD}


class RunState(StrEnum):
    """The state of a run, or of a step with several."""

    RUNNING = "running"
    IDLE = "idle"  #: none of its jobs has a slot
    HELD = "held"  #: what is left waits for a job that is held
    UNREADY = "unready"  #: none of its jobs is in the queue yet
    FAILED = "failed"
    INTERRUPTED = "interrupted"  #: the process that ran it has gone before it had ended
    UNSUBMITTED = "never submitted"  #: it was prepared, and nothing ever ran it
    DONE = "done"


_STOPPED = {RunState.FAILED, RunState.INTERRUPTED}


@dataclass(frozen=True, kw_only=True)
class CampaignJobs:
    """The jobs of a campaign, from its files.

    Parameters
    ----------
    records
        Its current runs.
    states
        The state of each, by its name.
    jobs
        The jobs of these runs.
    nodes
        The nodes of the newest campaign DAG; empty if the current runs are not part of one.
    """

    records: tuple[RunRecord, ...]
    states: Mapping[str, RunState]
    jobs: tuple[Job, ...]
    nodes: tuple[Job, ...] = ()


@dataclass(frozen=True, kw_only=True)
class DagNode:
    """A node of the campaign DAG.

    Parameters
    ----------
    name
        Its name in the DAG.
    state
        Its state.
    since
        When it came into that state, in seconds since 1970 (UTC), where that is known.
    """

    name: str
    state: JobState
    since: float | None


@dataclass(frozen=True, kw_only=True)
class RunStatus:
    """A current run of a step.

    Parameters
    ----------
    name
        Its name in the plan.
    output_run, folder
        Its RUN collection and its folder.
    state
        Its state.
    jobs
        The number of its jobs by state.
    """

    name: str
    output_run: str
    folder: Path
    state: RunState
    jobs: Mapping[JobState, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class StepStatus:
    """A step, put together over its current runs.

    Parameters
    ----------
    step
        Of the campaign.
    runs
        Its current runs.
    to_come
        The names of its parts that have not been prepared.
    state
        Of all of them: that of an active one if there is any, else that of a failed one. Parts that have not been
        prepared, and that nothing will prepare, count as failed.
    labels
        Their jobs by label.
    estimate
        When the last of them is expected to end.
    began, ended
        When the first job began and the last one ended, in seconds since 1970 (UTC).
    earlier_runs
        How many runs of this step there were before these.
    """

    step: Step
    runs: tuple[RunStatus, ...]
    state: RunState
    labels: tuple[LabelProgress, ...]
    estimate: Estimate | None
    began: float | None
    ended: float | None
    earlier_runs: int
    to_come: tuple[str, ...] = ()

    def count(self, state: JobState) -> int:
        """Count its jobs in a state."""
        return sum(label.counts.get(state, 0) for label in self.labels)

    @property
    def troubled(self) -> bool:
        """Whether any job failed or is held."""
        return any(self.count(state) for state in _BAD)


@dataclass(frozen=True, kw_only=True)
class CampaignStatus:
    """The progress of a campaign.

    Parameters
    ----------
    campaign
        Its name.
    time
        When it was read, in seconds since 1970 (UTC).
    active
        Whether anything of it has been submitted and has not ended.
    dag
        The nodes of its newest DAG; empty if its current runs are not part of one.
    steps
        The steps that have a run.
    waiting
        What the queue waits for.
    unknown
        What could not be found out, and why.
    retired
        What was removed of it.
    jobs, nodes
        The jobs of its current runs, and the nodes of its DAG as jobs.
    """

    campaign: str
    time: float
    active: bool
    dag: tuple[DagNode, ...]
    steps: tuple[StepStatus, ...]
    waiting: tuple[str, ...]
    unknown: tuple[str, ...]
    retired: tuple[RetirementRecord, ...] = ()
    jobs: tuple[Job, ...] = field(default=(), repr=False)
    nodes: tuple[Job, ...] = field(default=(), repr=False)

    @property
    def troubled(self) -> bool:
        """Whether a job or a node of the campaign DAG failed, or is held, or a run has ended before its jobs."""
        stopped = any(run.state in _STOPPED for step in self.steps for run in step.runs)
        return (
            stopped
            or any(step.troubled for step in self.steps)
            or any(node.state in _BAD for node in self.dag)
        )

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values, for JSON, without the single jobs."""
        return {
            "campaign": self.campaign,
            "time": self.time,
            "active": self.active,
            "dag": [{"name": n.name, "state": str(n.state), "since": n.since} for n in self.dag],
            "steps": [_step_as_dict(step) for step in self.steps],
            "waiting": list(self.waiting),
            "unknown": list(self.unknown),
            "retired": [record.as_dict() for record in self.retired],
        }

    def _repr_html_(self) -> str:
        """Draw it for a notebook: the jobs of each step by label and state, and what they wait for."""
        head = f"campaign {self.campaign}: {'active' if self.active else 'not active'}"
        if self.dag:
            head += f"; campaign DAG: {', '.join(f'{node.name} {node.state}' for node in self.dag)}"
        lines = [*(f"waits: {line}" for line in self.waiting), *(f"note: {line}" for line in self.unknown)]
        lines += [record.describe() for record in self.retired]
        return html_lines([head]) + "".join(map(_step_as_html, self.steps)) + html_lines(lines)


def _step_as_dict(step: StepStatus) -> dict[str, Any]:
    estimate = step.estimate
    return {
        "step": str(step.step),
        "state": str(step.state),
        "runs": [
            {
                "name": run.name,
                "output_run": run.output_run,
                "folder": str(run.folder),
                "state": str(run.state),
                "jobs": {str(state): run.jobs.get(state, 0) for state in JobState},
            }
            for run in step.runs
        ],
        "jobs": {str(state): step.count(state) for state in JobState},
        "labels": {
            label.label: {
                **{str(state): label.counts.get(state, 0) for state in JobState},
                "retried": label.retried,
                "seconds": label.seconds,
            }
            for label in step.labels
        },
        "expected": None
        if estimate is None
        else {
            "jobs_per_hour": estimate.jobs_per_hour,
            "concurrency": estimate.concurrency,
            "seconds": estimate.seconds,
            "uncertainty": estimate.uncertainty,
        },
        "began": step.began,
        "ended": step.ended,
        "earlier_runs": step.earlier_runs,
        "to_come": list(step.to_come),
    }


def _step_as_html(step: StepStatus) -> str:
    states = [state for state in JobState if step.count(state)]
    rows = [
        (
            label.label,
            *(label.counts.get(state, 0) for state in states),
            label.retried,
            None if label.seconds is None else format_duration(label.seconds),
        )
        for label in step.labels
    ]
    title = f"{step.step}: {step.state}" + (f"; {step.estimate.describe()}" if step.estimate else "")
    return html_lines([title]) + html_table(("job", *states, "retried", "each"), rows)
