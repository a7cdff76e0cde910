"""What adopting runs does: a plan that can be shown, and its execution."""

__all__ = ["AdoptionPlan", "execute_adoption"]

import logging
from dataclasses import dataclass
from typing import Any

from ...common.errors import ApcampaignError
from ...common.html import html_lines
from ...ledger import Ledger, RunPaths, RunRecord, Workspace
from ...submit.preconditions.ledger_hold import hold_ledger
from .adoption import Adoption
from .records import write_records

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class AdoptionPlan:
    """Which runs are adopted.

    Parameters
    ----------
    workspace, ledger
        The campaign, and what it had submitted or adopted when this was planned.
    adoptions
        The submit directories, in the order given.
    """

    workspace: Workspace
    ledger: Ledger
    adoptions: tuple[Adoption, ...]

    @property
    def obstacles(self) -> tuple[ApcampaignError, ...]:
        """Why it cannot be done."""
        return tuple(error for each in self.adoptions for error in each.obstacles)

    @property
    def new(self) -> tuple[Adoption, ...]:
        """Those that are no runs of the campaign yet."""
        return tuple(each for each in self.adoptions if not each.known)

    def files(self, adoption: Adoption) -> RunPaths | None:
        """The files of a run that is adopted."""
        return None if adoption.record is None else self.workspace.paths.run(adoption.record)

    def describe(self) -> list[str]:
        """Say it in lines."""
        return [line for each in self.adoptions for line in each.describe(self.files(each))]

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values, for JSON."""
        return {
            "campaign": self.workspace.campaign.name,
            "runs": [
                {
                    "submit_dir": str(each.folder),
                    "known": each.known,
                    "run": each.record and each.record.name,
                    "timestamp": each.record and each.record.timestamp,
                    "output_run": each.found and each.found.settings.output_run,
                    "progress": each.found and str(each.found.progress),
                    "jobs": {str(state): number for state, number in each.found.states.items()}
                    if each.found
                    else {},
                    "notes": list(each.notes),
                }
                for each in self.adoptions
            ],
            "obstacles": [str(error) for error in self.obstacles],
        }

    def _repr_html_(self) -> str:
        """Draw it for a notebook."""
        return html_lines(self.describe())

    def execute(self) -> tuple[RunRecord, ...]:
        """Do it; raises as `execute_adoption`."""
        return execute_adoption(self)


def execute_adoption(plan: AdoptionPlan) -> tuple[RunRecord, ...]:
    """Make the runs of a plan runs of the campaign. Nothing of theirs is changed, nor the queue.

    The record of a run is written when all else is there: what was cut off before is no run, and is made again.

    Returns
    -------
    records
        Those of all runs of the plan, also of those that were runs of the campaign already.

    Raises
    ------
    PreconditionError
        If there are obstacles, somebody is submitting, or the campaign has submitted something since this was
        planned.
    OSError
        If the campaign's folder cannot be written to.
    """
    if plan.obstacles:
        raise plan.obstacles[0]
    records = []
    with hold_ledger(plan.ledger, {each.record.step for each in plan.new if each.record}):
        for each in plan.adoptions:
            files = plan.files(each)
            assert each.record is not None and files is not None  # noqa: S101, PT018 - its absence is an obstacle
            records.append(each.record)
            if each.known:
                _log.info("%s", each.describe(files)[0])
                continue
            for note in each.notes:
                _log.warning("%s: %s", each.record.output_run, note)
            write_records(each, files)
            _log.info("adopted %s as %s, in %s", each.describe_found(), each.record.name, files.folder)
    return tuple(records)
