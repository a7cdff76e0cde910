"""Planning of a retirement: what is removed, and every reason not to. Nothing is changed."""

__all__ = ["decide_retirement", "plan_retirement"]

from pathlib import Path

from ...apdb import ApdbTarget
from ...common.errors import PreconditionError
from ...ledger import Ledger, RetirementKind, RetirementRecord, Workspace
from ..archive import check_archive_file
from .choice import RetirementRequest
from .decision import decide_acts, find_objections, find_remarks, object_to_use
from .execution import RetirementPlan
from .holdings import Holdings
from .state import RetirementState, find_activity, read_retirement_state
from .uses import find_uses, find_uses_of_apdb


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
        return _continue(workspace, ledger, request, unfinished, archive)
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


def _continue(
    workspace: Workspace,
    ledger: Ledger,
    request: RetirementRequest,
    unfinished: RetirementRecord,
    archive: Path | None,
) -> RetirementPlan:
    """Go on with what was interrupted: what is left of it, if nobody has come to use that."""
    left = tuple(act for act in unfinished.acts if not act.done)
    holding = {act.name for act in left if act.kind in (RetirementKind.RUN, RetirementKind.DATASETS)}
    runs = tuple(run for run in (*unfinished.runs, *ledger.runs) if run.output_run in holding)
    uses = find_uses(workspace, ledger, runs)
    for act in left:
        if act.kind is RetirementKind.APDB:
            uses += find_uses_of_apdb(workspace, ApdbTarget.from_url(act.name, act.namespace))
    active = tuple(find_activity(workspace, ledger))
    state = RetirementState(
        workspace=workspace, ledger=ledger, holdings=Holdings(), runs=runs, active=active, uses=uses
    )
    obstacles = list(object_to_use(state))
    known = [f"/{run.output_run}" for run in unfinished.runs]
    others = [name for name in request.runs if not any(run.endswith(f"/{name}") for run in known)]
    if request.scope is not unfinished.scope or others:
        obstacles.append(
            PreconditionError(
                f"a retirement of campaign {workspace.campaign.name} was interrupted",
                remedy=f"go on with it first: `{unfinished.command}`",
            )
        )
    notes = () if archive is None else (f"{archive} is not written: removing has begun already",)
    return RetirementPlan(
        state=state,
        request=request,
        acts=left,
        notes=notes,
        obstacles=tuple(obstacles),
        unfinished=unfinished,
    )
