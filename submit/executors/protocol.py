"""Interface of executors: what one does with what it is given (`Work`), and returns (`Submission`)."""

__all__ = ["ActiveRun", "Executor", "Submission", "SubmittedRun"]

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ...common.condor import JobMark
from ...ledger import DagPaths, DagRecord, Ledger, Workspace
from ..work import Work

#: Of an output collection with more runs they are counted.
_MOST_LISTED = 12


@dataclass(frozen=True, kw_only=True)
class SubmittedRun:
    """A run that has been submitted: its name in the plan, and where its outputs and its files are."""

    name: str
    output: str
    submit_dir: Path


@dataclass(frozen=True, kw_only=True)
class Submission:
    """What has been submitted.

    Parameters
    ----------
    campaign, timestamp
        Whose, and when it was planned.
    runs
        Its runs; those that wait for others have no files yet.
    dag, dagman_id
        The campaign DAG and the id of its DAGMan job, where there is one.
    ended
        Whether all of it has ended already.
    """

    campaign: str
    timestamp: str
    runs: tuple[SubmittedRun, ...]
    dag: Path | None = None
    dagman_id: str | None = None
    ended: bool = False

    def describe(self) -> list[str]:
        """Say it in lines."""
        lines = []
        if self.dag is not None:
            lines.append(f"submitted the campaign DAG {self.dag} as {self.dagman_id}")
        by_output: dict[str, list[SubmittedRun]] = {}
        for run in self.runs:
            by_output.setdefault(run.output, []).append(run)
        for output, runs in by_output.items():
            if len(runs) > _MOST_LISTED:
                lines.append(
                    f"{len(runs)} parts: output collection {output}, submit directories "
                    f"{runs[0].submit_dir.parents[1]}/{self.timestamp}-PART/submit"
                )
                continue
            lines += [
                f"{run.name}: output collection {output}, submit directory {run.submit_dir}" for run in runs
            ]
        return lines

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values, for JSON."""
        return {
            "campaign": self.campaign,
            "timestamp": self.timestamp,
            "dag": None if self.dag is None else str(self.dag.parent),
            "dagman_id": self.dagman_id,
            "ended": self.ended,
            "runs": [
                {"name": run.name, "output": run.output, "submit_dir": str(run.submit_dir)}
                for run in self.runs
            ],
        }


@dataclass(frozen=True, kw_only=True)
class ActiveRun:
    """Something of a campaign that has not ended.

    Parameters
    ----------
    what
        What it is, in words.
    state
        How it stands, in words.
    id
        That of the WMS; `None` if it cannot be cancelled from here, such as on another host.
    marks
        What tells its jobs from others in HTCondor's queue.
    end
        What ends it where `apcampaign cancel` cannot, as a remedy.
    """

    what: str
    state: str
    id: str | None = None
    marks: tuple[JobMark, ...] = ()
    end: str = ""


class Executor(Protocol):
    """Runs the runs of a plan with one WMS.

    Implementations keep no state: what has been submitted is in the ledger and in the WMS.
    """

    #: Whether what is submitted goes on without the process that submitted it.
    detached: bool

    def submit(self, work: Work) -> Submission:
        """Prepare and submit; if not `detached`, return when all has ended.

        Raises
        ------
        ApcampaignError
            If a run cannot be prepared, or the WMS does not take it.
        """

    def find_active(self, ledger: Ledger) -> tuple[ActiveRun, ...]:
        """Find what of a campaign has not ended, as far as this WMS knows."""

    def cancel(self, active: tuple[ActiveRun, ...]) -> None:
        """Cancel what is active, and return when nothing of it is left."""

    def restart(self, work: Work, files: DagPaths, record: DagRecord) -> Submission:
        """Continue a campaign DAG that has ended from where it ended.

        Raises
        ------
        ApcampaignError
            If the WMS cannot do that, or does not take it.
        """

    def wait(self, workspace: Workspace) -> None:
        """Wait until the newest submission of a campaign has ended, and log how it stands."""
