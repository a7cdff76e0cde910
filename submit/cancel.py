"""Cancellation of a campaign's active runs; what is done stays, and `resume` goes on from there."""

__all__ = ["CancelPlan", "execute_cancel", "plan_cancel"]

import logging
from dataclasses import dataclass
from typing import Any

from ..common.errors import ApcampaignError, PreconditionError
from ..ledger import Workspace, read_sound_ledger
from .executors import ActiveRun, Executor, executors_of
from .executors.foreground import cancel_command

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class CancelPlan:
    """What is cancelled.

    Parameters
    ----------
    campaign
        The campaign's name.
    active
        What is active, by the executor that runs it.
    obstacles
        Why nothing can be cancelled.
    """

    campaign: str
    active: tuple[tuple[Executor, tuple[ActiveRun, ...]], ...] = ()
    obstacles: tuple[ApcampaignError, ...] = ()

    def describe(self) -> list[str]:
        """Say it in lines."""
        lines = [f"{each.what} is cancelled: {each.state}" for _, found in self.active for each in found]
        return [*lines, *(f"it would be refused: {error}" for error in self.obstacles)]

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values, for JSON."""
        return {
            "campaign": self.campaign,
            "cancels": [
                {"what": each.what, "state": each.state, "id": each.id}
                for _, found in self.active
                for each in found
            ],
            "obstacles": [str(error) for error in self.obstacles],
        }

    def execute(self) -> None:
        """Do it; raises as `execute_cancel`."""
        execute_cancel(self)


def plan_cancel(workspace: Workspace) -> CancelPlan:
    """Find what of a campaign is active. Changes nothing.

    Raises
    ------
    SchedulerError
        If HTCondor does not answer.
    """
    name = workspace.campaign.name
    ledger, damaged = read_sound_ledger(workspace.paths)
    executors = executors_of(ledger)
    found = [(executor, executor.find_active(ledger)) for executor in executors]
    elsewhere = [each for _, runs in found for each in runs if each.id is None]
    active = tuple((executor, runs) for executor, runs in found if runs)
    obstacles: tuple[ApcampaignError, ...] = ()
    if executors and not any(executor.detached for executor in executors):
        services = sorted({run.wms_service for run in ledger.runs})
        # A service elsewhere goes on without the process that submitted.
        commands = [command for run in ledger.current() if (command := cancel_command(run))]
        if commands:
            what = f"apcampaign cannot cancel the runs of campaign {name}, which {', '.join(services)} has"
            remedy = ", ".join(commands)
        else:
            what = (
                f"the runs of campaign {name} are not in a queue: {', '.join(services)} runs the jobs in the "
                "process that submitted them"
            )
            ends = [each.end for _, runs in found for each in runs if each.end]
            end = ", ".join(ends) or "end that process (Ctrl-C)"
            remedy = f"{end}, then go on with `apcampaign resume`"
        obstacles = (PreconditionError(what, remedy=remedy),)
    elif elsewhere and any(executor.detached for executor, _ in active):
        obstacles = tuple(
            PreconditionError(f"{each.what} cannot be cancelled here: {each.state}", remedy="cancel it there")
            for each in elsewhere
        )
    elif not active:
        recorded = " of which there is a record that can be read" if damaged else ""
        remedy = "make the others again with `apcampaign doctor --fix`, then look again" if damaged else ""
        obstacles = (
            PreconditionError(f"nothing of campaign {name}{recorded} is in the queue", remedy=remedy),
        )
    return CancelPlan(campaign=name, active=active, obstacles=obstacles)


def execute_cancel(plan: CancelPlan) -> None:
    """Cancel what was planned, and return when nothing of it is left.

    Raises
    ------
    PreconditionError
        If there are obstacles.
    SchedulerError
        If HTCondor does not answer, or something is left after three minutes.
    """
    if plan.obstacles:
        raise plan.obstacles[0]
    for executor, active in plan.active:
        executor.cancel(active)
    _log.info("nothing is left in the queue")
