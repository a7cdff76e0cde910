"""What is to be known before a submission can be decided on: read at once, and changing nothing."""

__all__ = ["SubmissionRequest", "SubmissionState", "read_submission_state"]

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ...apdb import check_ready
from ...bps import UNORDERED, NightSelection, Ordering, Plan, PlannedRun, Step, plan_campaign
from ...bps.lint import Severity
from ...bps.shape import StepShape
from ...common.errors import ApcampaignError, PreconditionError
from ...ledger import Ledger, Workspace
from ...monitor.outcomes import PRODUCTS, count_products
from ..executors import choose_executor, find_unfinished
from ..outputs.completed import find_completed
from ..outputs.repair import Repair, plan_repair
from ..parts.shapes import read_large_steps
from ..preconditions.obstacles import (
    check_idle,
    check_injected_alike,
    check_preflight,
    check_templates_runs,
    describe_failed_templates,
    look_at_templates,
)
from ..preflight import Preflight, check_campaign
from ..preflight.selection import Estimate
from .new_images import NewImages
from .nights import read_new_images

#: An error is why a submission cannot be done, a text is to be said about it.
Remark = ApcampaignError | str


@dataclass(frozen=True, kw_only=True)
class SubmissionRequest:
    """What is asked for.

    Parameters
    ----------
    steps
        The steps to run.
    templates
        A collection with templates; `None` if the campaign's own first step makes them.
    fills_further
        Whether the APDB may hold rows of the campaign already.
    nights
        The nights to go on with, besides those that earlier runs have left something of; `None` for all that the
        campaign selects.
    skip_late
        Whether new images that come too late are left out.
    foreground
        Whether to run one run after the other from here.
    check
        Whether to make a preflight.
    """

    steps: tuple[Step, ...] = tuple(Step)
    templates: str | None = None
    fills_further: bool = False
    nights: NightSelection | None = None
    skip_late: bool = False
    foreground: bool = False
    check: bool = True


@dataclass(frozen=True, kw_only=True)
class SubmissionState:
    """How a campaign stands before a submission.

    Parameters
    ----------
    workspace, ledger
        The campaign, and what it has submitted.
    plan
        The runs, one for a step.
    apdb_config
        The APDB that they fill.
    repair
        What must be put right before.
    remarks
        What was seen: obstacles, and what is to be said.
    shapes
        What is known of the steps that are to be divided.
    new
        What of a campaign that goes on is not associated yet.
    """

    workspace: Workspace
    ledger: Ledger
    plan: Plan
    apdb_config: str | None = None
    repair: Repair = field(default_factory=Repair)
    remarks: tuple[Remark, ...] = ()
    shapes: Mapping[Step, StepShape] = field(default_factory=dict)
    new: NewImages | None = None


def read_submission_state(workspace: Workspace, request: SubmissionRequest) -> SubmissionState:
    """Look how a campaign stands. Changes nothing.

    Parameters
    ----------
    workspace
        The campaign.
    request
        What is asked for. Once there is an obstacle, what takes long is not looked at.

    Raises
    ------
    ApcampaignError
        If it cannot be found out.
    """
    ledger = workspace.read_ledger()
    further = request.fills_further
    apdb_config = workspace.planned_apdb_config if Step.DIFFIM in request.steps else None
    remarks: list[Remark] = []
    if obstacle := check_idle(find_unfinished(ledger), ledger):
        remarks.append(obstacle)
    if Step.DIFFIM in request.steps and (mixed := check_injected_alike(workspace, ledger)):
        remarks.append(mixed)
    if apdb_config is not None:
        remarks += _look_at_apdb(workspace, filled=further)
    idle = further and not _is_refused(remarks)
    repair = plan_repair(ledger, ledger.current(Step.DIFFIM)) if idle else Repair()
    if repair.obstacle:
        remarks.append(repair.obstacle)
    new: NewImages | None = None
    if idle and apdb_config is not None:
        new = read_new_images(
            workspace, ledger, repair, request.nights, apdb_config, skip_late=request.skip_late
        )
        remarks += [*new.describe(), *new.obstacles(apdb_config)]
        workspace = replace(workspace, campaign=new.narrow(workspace.campaign))
    elif request.nights is not None:
        workspace = replace(workspace, campaign=request.nights.select(workspace.campaign))
    steps = () if new is not None and new.is_empty else request.steps
    done = find_completed(ledger, repair, steps) if further else {}
    plan = plan_campaign(
        workspace.campaign,
        timestamp=ledger.next_timestamp(),
        steps=steps,
        templates=request.templates,
        skip_done=done,
    )
    remarks += _look_at_templates(workspace, ledger, plan, given=request.templates)
    preflight: Preflight | None = None
    if request.check and plan.runs and not _is_refused(remarks) and _can_run(workspace, plan, request):
        preflight = check_campaign(workspace, steps=plan.steps, templates=request.templates)
        remarks += _read_preflight(preflight)
    if not further:
        remarks += _look_at_existing(ledger, plan)
    estimates = {} if preflight is None else preflight.estimates
    plan = replace(plan, runs=tuple(replace(run, quanta=_count(estimates, run)) for run in plan.runs))
    shapes = {} if _is_refused(remarks) else read_large_steps(workspace, plan, estimates)
    return SubmissionState(
        workspace=workspace,
        ledger=ledger,
        plan=plan,
        apdb_config=apdb_config,
        repair=repair,
        remarks=tuple(remarks),
        shapes=shapes,
        new=new,
    )


def _count(estimates: Mapping[str, Sequence[Estimate]], run: PlannedRun) -> int:
    """Count the quanta of a run, as far as the preflight has."""
    return sum(estimate.quanta for estimate in estimates.get(run.name, ()))


def _is_refused(remarks: list[Remark]) -> bool:
    return any(isinstance(each, ApcampaignError) for each in remarks)


def _can_run(workspace: Workspace, plan: Plan, request: SubmissionRequest) -> bool:
    try:
        choose_executor(workspace, plan, foreground=request.foreground)
    except PreconditionError:
        return False
    return True


def _look_at_apdb(workspace: Workspace, *, filled: bool) -> Iterator[Remark]:
    """See whether the APDB is there, and whether it may be written to."""
    campaign = workspace.campaign
    if campaign.diffim.ordering is Ordering.NONE:
        yield UNORDERED
    try:
        apdb_config = workspace.find_apdb_config()
        filled = filled or campaign.apdb.filled
        if unchecked := check_ready(apdb_config, instrument=campaign.instrument, filled=filled):
            yield str(unchecked)
    except ApcampaignError as error:
        yield error


def _look_at_templates(
    workspace: Workspace, ledger: Ledger, plan: Plan, *, given: str | None
) -> Iterator[Remark]:
    """See whether the templates of the runs that begin at once are there."""
    for run in plan.ready:
        if not run.needs_templates:
            continue
        if given is None:
            if obstacle := check_templates_runs(workspace, ledger):
                yield obstacle
                continue
            yield from describe_failed_templates(ledger)
        yield from look_at_templates(workspace, run)


def _read_preflight(preflight: Preflight) -> Iterator[Remark]:
    """See what a preflight has found."""
    for finding in preflight.findings:
        if finding.severity is Severity.WARNING:
            yield f"warning: {finding.what}: {finding.why} [{finding.rule}]"
    if obstacle := check_preflight(preflight):
        yield obstacle
    else:
        yield f"preflight: no errors in {preflight.seconds:.0f} s"


def _look_at_existing(ledger: Ledger, plan: Plan) -> Iterator[str]:
    """See what earlier runs have made, which new ones make again."""
    before = [run for run in ledger.runs if run.step in plan.steps]
    for step, count in count_products(before).items():
        if count:
            outputs = ", ".join(sorted({run.output for run in plan.runs_of(step)}))
            yield (
                f"{outputs} already holds {count} {PRODUCTS[step]}; this run rebuilds all of them "
                "(`apcampaign resume` makes only those that are missing)"
            )
