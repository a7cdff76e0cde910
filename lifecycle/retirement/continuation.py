"""Going on with a retirement that was interrupted: with what was begun, but for what is to be kept after all."""

__all__ = ["continue_retirement", "find_differences", "narrow"]

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from ...apdb import ApdbTarget, look_at_apdb
from ...common.errors import PreconditionError
from ...ledger import (
    Ledger,
    RetirementAct,
    RetirementKind,
    RetirementRecord,
    RetirementScope,
    Workspace,
)
from .choice import RetirementRequest
from .decision import object_to_use
from .execution import RetirementPlan
from .holdings import Holdings, TypeHolding, read_holdings
from .state import RetirementState, find_activity
from .uses import find_uses, find_uses_of_apdb


def continue_retirement(
    workspace: Workspace,
    ledger: Ledger,
    request: RetirementRequest,
    unfinished: RetirementRecord,
    archive: Path | None,
) -> RetirementPlan:
    """Plan to go on with what was interrupted: what is left of it, if nobody has come to use that.

    Raises
    ------
    ApcampaignError
        If the scheduler, a repository or the APDB does not answer.
    """
    differences = [*find_differences(unfinished, request), *_find_gone(unfinished, request)]
    notes = [] if archive is None else [f"{archive} is not written: removing has begun already"]
    record = unfinished
    if not differences and (request.keep, request.keep_apdb) != (record.keep, record.keep_apdb):
        holdings = _count_types(workspace, ledger) if request.keep != unfinished.keep else {}
        record = narrow(unfinished, request, workspace.paths.apdb_config.name, holdings)
        notes += _describe_kept(unfinished, record)
    left = tuple(act for act in record.acts if not act.done)
    holding = {act.name for act in left if act.kind in (RetirementKind.RUN, RetirementKind.DATASETS)}
    runs = tuple(run for run in (*record.runs, *ledger.runs) if run.output_run in holding)
    uses = find_uses(workspace, ledger, runs)
    for act in left:
        if act.kind is RetirementKind.APDB:
            uses += find_uses_of_apdb(workspace, ApdbTarget.from_url(act.name, act.namespace))
    active = tuple(find_activity(workspace, ledger))
    state = RetirementState(
        workspace=workspace, ledger=ledger, holdings=Holdings(), runs=runs, active=active, uses=uses
    )
    obstacles = list(object_to_use(state))
    if differences:
        what = f"a retirement of campaign {workspace.campaign.name} was interrupted"
        obstacles.append(
            PreconditionError(
                f"{what}, and {'; '.join(differences)}",
                remedy=f"go on with it first: `{unfinished.command}`",
            )
        )
    return RetirementPlan(
        state=state,
        request=request,
        acts=left,
        notes=tuple(notes),
        obstacles=tuple(obstacles),
        unfinished=record,
    )


def find_differences(record: RetirementRecord, request: RetirementRequest) -> Iterator[str]:
    """Say in what a request is not what was begun, but for what it keeps more of it. Asks nobody."""
    if request.scope is not record.scope:
        yield f"it removes {record.what}"
        return
    if request.scope is RetirementScope.RUNS:
        known = [run.output_run for run in record.runs]
        named = {run for run in known for name in request.runs if f"/{run}".endswith(f"/{name}")}
        if others := [
            name for name in request.runs if not any(f"/{run}".endswith(f"/{name}") for run in known)
        ]:
            yield f"it does not remove {', '.join(others)}"
        if left := [run for run in known if run not in named]:
            yield f"it removes {', '.join(left)} too"
    if more := [name for name in request.dataset_types if name not in record.dataset_types]:
        yield f"it does not count {', '.join(more)} as intermediate"
    if other := [name for name in record.dataset_types if name not in request.dataset_types]:
        yield f"it counts {', '.join(other)} as intermediate"
    if kept := [name for name in record.keep if name not in request.keep]:
        yield f"it keeps {', '.join(kept)}"
    if record.keep_apdb and not request.keep_apdb:
        yield "it leaves the APDB"


def narrow(
    record: RetirementRecord,
    request: RetirementRequest,
    apdb_config: str,
    holdings: Mapping[str, Mapping[str, TypeHolding]],
) -> RetirementRecord:
    """Leave out of a retirement what is not done of it and is to be kept. Asks nobody.

    Parameters
    ----------
    record, request
        What was begun, and what is asked for now.
    apdb_config
        The name of the configuration of the APDB, which stays with that.
    holdings
        The datasets by type that are there, for each RUN collection.
    """
    acts = []
    for act in record.acts:
        if act.done:
            acts.append(act)
        elif act.kind is RetirementKind.DATASETS:
            types = {name for name in act.dataset_types if request.is_intermediate(name)}
            acts += [_narrow_types(act, types, holdings.get(act.name, {}))] if types else []
        elif not (request.keep_apdb and (act.kind is RetirementKind.APDB or act.name == apdb_config)):
            acts.append(act)
    return record.model_copy(
        update={
            "acts": tuple(acts),
            "dataset_types": request.dataset_types,
            "keep": request.keep,
            "keep_apdb": request.keep_apdb,
        }
    )


def _narrow_types(
    act: RetirementAct, types: Collection[str], found: Mapping[str, TypeHolding]
) -> RetirementAct:
    if types == set(act.dataset_types):
        return act
    left = sum((found[name] for name in types if name in found), TypeHolding())
    return act.model_copy(
        update={
            "dataset_types": tuple(name for name in act.dataset_types if name in types),
            "datasets": left.datasets,
            "size": left.size,
        }
    )


def _count_types(workspace: Workspace, ledger: Ledger) -> Mapping[str, Mapping[str, TypeHolding]]:
    return {run.record.output_run: run.types for run in read_holdings(workspace, ledger).runs}


def _find_gone(record: RetirementRecord, request: RetirementRequest) -> Iterator[str]:
    """Say what is to be kept and is removed already."""
    for act in record.acts:
        # It goes in one transaction: it is there or not, also where that was not written down any more.
        if (
            act.kind is RetirementKind.APDB
            and request.keep_apdb
            and (act.done or look_at_apdb(act.name, act.namespace) is None)
        ):
            yield f"the APDB in {act.place} is removed already"
        gone = [name for name in act.dataset_types if act.done and not request.is_intermediate(name)]
        if act.kind is RetirementKind.DATASETS and gone:
            yield f"{', '.join(gone)} of {act.name} are removed already"


def _describe_kept(before: RetirementRecord, after: RetirementRecord) -> Iterator[str]:
    """Say what was to be removed too, and is kept now."""
    acts = {(act.kind, act.name): act for act in after.acts}
    for act in before.acts:
        now = acts.get((act.kind, act.name))
        if now is None and act.kind is not RetirementKind.DATASETS:
            yield f"was to be removed too, and stays: {act.describe()}"
        elif kept := sorted(set(act.dataset_types) - set(now.dataset_types if now else ())):
            yield f"was to be removed too, and stays: {', '.join(kept)} of {act.name}"
