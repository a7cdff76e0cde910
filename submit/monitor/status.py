"""How a campaign stands: its chain, its runs, and what they wait for."""

__all__ = ["CampaignStatus", "ChainNode", "StepStatus"]

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...bps import Step
from .jobs import JobState
from .progress import Estimate, LabelProgress

_BAD = {JobState.FAILED, JobState.HELD}


@dataclass(frozen=True, kw_only=True)
class ChainNode:
    """A node of the chain.

    Parameters
    ----------
    name
        Its name in the chain's DAG.
    state
        How it stands.
    since
        When it began to stand so, in seconds since 1970 (UTC), where that is known.
    """

    name: str
    state: JobState
    since: float | None


@dataclass(frozen=True, kw_only=True)
class StepStatus:
    """The newest run of a step.

    Parameters
    ----------
    step
        Of the campaign.
    output_run, folder
        The run's collection and its folder.
    state
        How the run stands.
    labels
        Its jobs by label.
    estimate
        When it is expected to end.
    began, ended
        When its first job began and its last one ended, in seconds since 1970 (UTC).
    earlier_runs
        How many runs of this step there were before.
    """

    step: Step
    output_run: str
    folder: Path
    state: JobState
    labels: tuple[LabelProgress, ...]
    estimate: Estimate | None
    began: float | None
    ended: float | None
    earlier_runs: int

    def count(self, state: JobState) -> int:
        """Count its jobs in a state."""
        return sum(label.counts.get(state, 0) for label in self.labels)

    @property
    def troubled(self) -> bool:
        """Whether any job failed or is held."""
        return bool(self.count(JobState.FAILED) or self.count(JobState.HELD))


@dataclass(frozen=True, kw_only=True)
class CampaignStatus:
    """How a campaign stands.

    Parameters
    ----------
    campaign
        Its name.
    time
        When it was looked at, in seconds since 1970 (UTC).
    going_on
        Whether anything of it has not ended.
    chain
        The nodes of its newest chain; empty if its newest runs are not part of one.
    steps
        The steps that have a run.
    waiting
        What the queue waits for.
    unknown
        What could not be found out, and why.
    """

    campaign: str
    time: float
    going_on: bool
    chain: tuple[ChainNode, ...]
    steps: tuple[StepStatus, ...]
    waiting: tuple[str, ...]
    unknown: tuple[str, ...]

    @property
    def troubled(self) -> bool:
        """Whether a job or a node of the chain failed, or is held."""
        return any(step.troubled for step in self.steps) or any(node.state in _BAD for node in self.chain)

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values, for JSON."""
        return {
            "campaign": self.campaign,
            "time": self.time,
            "going_on": self.going_on,
            "chain": [{"name": n.name, "state": str(n.state), "since": n.since} for n in self.chain],
            "steps": [_step_as_dict(step) for step in self.steps],
            "waiting": list(self.waiting),
            "unknown": list(self.unknown),
        }


def _step_as_dict(step: StepStatus) -> dict[str, Any]:
    estimate = step.estimate
    return {
        "step": str(step.step),
        "output_run": step.output_run,
        "folder": str(step.folder),
        "state": str(step.state),
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
    }
