"""New graphs of what is not done: which runs get one, and what they leave out since it is done."""

__all__ = ["choose_parts", "may_have_passed", "plan_rebuild"]

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from ...bps import Plan, Step, Wms, change_campaign, plan_campaign
from ...common.errors import ApcampaignError, PreconditionError
from ...ledger import Ledger, Workspace
from ...ordering import find_deferred
from ..bps_process import has_passed
from ..executors import choose_executor
from ..outputs.completed import find_completed
from ..outputs.remaining import Remaining, describe_remaining
from ..preconditions.obstacles import look_at_reuse, look_at_templates
from ..submission import SubmissionPlan
from .state import SubmittedUnit


def plan_rebuild(
    ledger: Ledger, unit: SubmittedUnit, *, changes: Collection[str], new_graph: bool, skip_failed: bool
) -> SubmissionPlan:
    """Plan the submission of what is not done, with new graphs that leave out what is. Changes nothing.

    Parameters
    ----------
    ledger
        What the campaign has submitted.
    unit
        What of it goes on.
    changes, new_graph, skip_failed
        As for `apcampaign.submit.resume.ResumeRequest`.

    Returns
    -------
    plan
        Why it cannot be done is in its `obstacles`.

    Raises
    ------
    SettingsError
        If a change cannot be read.
    ApcampaignError
        If repository or APDB cannot be asked.
    """
    workspace = Workspace(change_campaign(unit.workspace.campaign, changes), unit.workspace.runs)
    new = _plan_remaining(workspace, ledger, unit)
    unplanned = _find_unplanned(unit, new)
    draft = SubmissionPlan(
        workspace=workspace,
        ledger=ledger,
        plan=new,
        executor=choose_executor(workspace, new, foreground=workspace.site.wms is not Wms.HTCONDOR),
        repair=unit.repair,
        remaining=describe_remaining(unit.remaining),
    )
    if unplanned is not None:
        return replace(draft, obstacles=(unplanned,))
    if any(run.fills_apdb for run in new):
        before = ledger.current(Step.DIFFIM)
        apdb_config = next((run.apdb_config for run in before if run.apdb_config), None)
        deferred = {}
        if skip_failed or may_have_passed(ledger, unit):
            deferred = find_deferred(before, workspace.campaign.instrument, failed_last=skip_failed)
        draft = replace(
            draft,
            apdb_config=apdb_config or workspace.find_apdb_config(),
            deferred=deferred,
        )
    seen = [each for run in new.ready if run.needs_templates for each in look_at_templates(workspace, run)]
    # Whoever asks for new graphs has changed a pipeline, and wants the rest made with it.
    seen += look_at_reuse(workspace, new, unit.repair, own=not new_graph)
    return replace(
        draft,
        obstacles=tuple(each for each in seen if isinstance(each, ApcampaignError)),
        notes=tuple(each for each in seen if isinstance(each, str)),
    )


def may_have_passed(ledger: Ledger, unit: SubmittedUnit) -> bool:
    """Tell whether later visits may have gone past what is not associated."""
    # Parts go past failed images of others: these are in none of their graphs, and have left no mark.
    return (
        unit.has_passed
        or any(run.part for run in ledger.current(Step.DIFFIM))
        or any(has_passed(ledger.paths.run(run)) for run in ledger.runs_of(Step.DIFFIM))
    )


def _plan_remaining(workspace: Workspace, ledger: Ledger, unit: SubmittedUnit) -> Plan:
    """Name the runs of what is not done; difference imaging is looked at again when templates are made."""
    if unit.plan is not None:
        return _name_parts(
            unit.plan,
            choose_parts(unit.plan, unit.remaining),
            find_completed(ledger, unit.repair, unit.plan.steps),
            ledger.next_timestamp(),
        )
    steps = [
        each.step
        for each in unit.remaining
        if each.any or (each.step is Step.DIFFIM and len(unit.remaining) > 1)
    ]
    templates = None
    if Step.TEMPLATES not in steps:
        before = [run for run in unit.runs if run.step is Step.DIFFIM]
        templates = next((run.inputs[0] for run in before), None)
    skip = find_completed(ledger, unit.repair, steps)
    return plan_campaign(
        workspace.campaign,
        timestamp=ledger.next_timestamp(),
        steps=steps,
        templates=templates,
        skip_done=skip,
    )


def choose_parts(plan: Plan, remaining: Iterable[Remaining]) -> frozenset[str]:
    """Name the parts of a plan that are not done, and those of the same steps that read what they make."""
    remaining = tuple(remaining)
    steps = {each.step for each in remaining}
    chosen = {name for each in remaining for name in each.parts}
    chosen |= {run.name for each in remaining if not each.begun for run in plan.runs_of(each.step)}
    for run in plan:  # each after those before it
        if run.step in steps and not chosen.isdisjoint(plan.parents(run)):
            chosen.add(run.name)
    return frozenset(chosen)


def _name_parts(
    plan: Plan, chosen: Collection[str], done: Mapping[Step, Sequence[str]], timestamp: str
) -> Plan:
    """Name new runs of some parts of a plan, which leave out what is done."""
    return Plan(
        timestamp=timestamp,
        runs=tuple(
            replace(
                run,
                timestamp=timestamp,
                skip_existing=tuple(dict.fromkeys((*done.get(run.step, ()), *run.skip_existing))),
            )
            for run in plan
            if run.name in chosen
        ),
        edges=frozenset(edge for edge in plan.edges if {*edge} <= {*chosen}),
    )


def _find_unplanned(unit: SubmittedUnit, new: Plan) -> PreconditionError | None:
    """Refuse to go on with some of what is not done only, or with nothing."""
    if unit.plan is None:
        return None
    planned = {run.name for run in new.runs}
    missing = sorted(choose_parts(unit.plan, unit.remaining) - planned)
    if planned and not missing:
        return None
    steps = [each.step for each in unit.remaining if each.any]
    return PreconditionError(
        f"{', '.join(missing or steps)}: not done, and in no plan of the campaign that is still there",
        remedy=f"`apcampaign submit {steps[0]}` makes all of the step anew",
    )
