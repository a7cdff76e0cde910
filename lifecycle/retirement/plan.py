"""Planning of a retirement: what is removed, and every reason not to. Nothing is changed."""

__all__ = ["decide_retirement", "plan_retirement"]

from pathlib import Path

from ...ledger import Workspace
from ..archive import check_archive_file
from .choice import RetirementRequest
from .continuation import continue_retirement
from .decision import decide_acts, find_objections, find_remarks
from .execution import RetirementPlan
from .state import RetirementState, read_retirement_state


def plan_retirement(
    workspace: Workspace, request: RetirementRequest, archive: Path | None = None
) -> RetirementPlan:
    """Look at a campaign, and decide what is removed of it. Changes nothing.

    Parameters
    ----------
    workspace
        The campaign.
    request
        What is chosen.
    archive
        The file into which the campaign's records are to be packed before.

    Raises
    ------
    LedgerError
        If it has no runs, or their records cannot be read.
    ApcampaignError
        If the scheduler, a repository or the APDB does not answer.
    """
    ledger = workspace.read_ledger()
    unfinished = ledger.unfinished_retirement
    if unfinished is not None and request.scope is not None:
        return continue_retirement(workspace, ledger, request, unfinished, archive)
    if not ledger.retirements:
        ledger.require_current()
    return decide_retirement(read_retirement_state(workspace, ledger, request), request, archive)


def decide_retirement(
    state: RetirementState, request: RetirementRequest, archive: Path | None = None
) -> RetirementPlan:
    """Decide what is removed. Asks nobody."""
    acts, dags = decide_acts(state, request)
    obstacles = list(find_objections(state, request, acts)) if request.scope else []
    if archive is not None:
        obstacles += check_archive_file(state.workspace, archive)
    return RetirementPlan(
        state=state,
        request=request,
        acts=acts,
        notes=tuple(find_remarks(state, request)) if request.scope else (),
        obstacles=tuple(obstacles),
        archive=archive,
        dags=dags,
    )
