"""One submit directory that becomes a run of the campaign, or why it does not."""

__all__ = ["Adoption"]

from dataclasses import dataclass
from pathlib import Path

from ...bps import CampaignConfig
from ...common.errors import ApcampaignError
from ...ledger import RunPaths, RunRecord
from ...monitor import JobState
from .submit_directory import Progress, SubmitDirectory

_WORDS = {
    Progress.PREPARED: "not submitted",
    Progress.ACTIVE: "in the queue",
    Progress.ELSEWHERE: "in the queue of another host",
    Progress.LEFT: "not in the queue, and without an end",
    Progress.UNKNOWN: "not ended; HTCondor does not answer here",
    Progress.STOPPED: "no process of this host runs it, and it has not ended",
    Progress.UNTOLD: "how far it is is not known",
    Progress.DONE: "done",
    Progress.FAILED: "failed",
}


@dataclass(frozen=True, kw_only=True)
class Adoption:
    """A submit directory that becomes a run of the campaign, or why it does not.

    Parameters
    ----------
    folder
        The submit directory.
    found
        What it holds; `None` if it is none.
    record
        The record that the run gets, or the one that it has already.
    campaign
        The campaign as the run had it.
    known
        Whether it is a run of the campaign already.
    obstacles
        Why it cannot be adopted.
    notes
        What there is to say about it.
    """

    folder: Path
    found: SubmitDirectory | None = None
    record: RunRecord | None = None
    campaign: CampaignConfig | None = None
    known: bool = False
    obstacles: tuple[ApcampaignError, ...] = ()
    notes: tuple[str, ...] = ()

    def describe_found(self) -> str:
        """Say which run it is, and how it stands; nothing if it is none."""
        if self.found is None:
            return ""
        states = self.found.states
        jobs = ", ".join(f"{states[state]} {state}" for state in JobState if states.get(state))
        how = _WORDS[self.found.progress]
        return f"{self.found.settings.output_run} ({how}{': ' if jobs else ''}{jobs})"

    def describe(self, files: RunPaths | None) -> list[str]:
        """Say it in lines.

        Parameters
        ----------
        files
            Where its record is, or goes.
        """
        if self.known and self.record is not None and files is not None:
            return [
                f"{self.folder}: {self.record.output_run} is a run of the campaign already, in {files.folder}"
            ]
        lines = [] if self.found is None else [f"{self.folder}: {self.describe_found()}"]
        if self.record is not None and files is not None:
            lines.append(f"it becomes the {self.record.name} run {self.record.timestamp}, in {files.folder}")
        return [*lines, *self.notes, *(f"it would be refused: {error}" for error in self.obstacles)]
