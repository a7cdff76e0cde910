"""Submission of a campaign or one of its steps: a plan that can be shown, and its execution."""

__all__ = [
    "SubmissionPlan",
    "decide_submission",
    "execute_submission",
    "plan_submission",
]

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ...bps import NightSelection, Plan, PlannedRun, Step, build_config, dump_config
from ...bps.division_text import describe_division
from ...bps.parts import divide_plan
from ...common.environment import environment_for_batch
from ...common.errors import ApcampaignError, PreconditionError
from ...common.html import html_lines, html_table
from ...common.text import count
from ...ledger import Ledger, RunPaths, Workspace
from ...monitor.notify import unreachable_secrets
from ...ordering import VisitDetector, describe_deferred
from ..executors import Executor, Submission, choose_executor
from ..finish import finish_campaign, notify_failure
from ..outputs.repair import Repair, execute_repair
from ..preconditions.ledger_hold import hold_ledger
from ..work import Work
from .new_images import NewImages
from .state import SubmissionRequest, SubmissionState, read_submission_state

#: Of a step with more runs they are counted.
_MOST_LISTED = 12

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class SubmissionPlan:
    """What a submission does, and why it cannot be done if it cannot.

    Parameters
    ----------
    workspace, ledger
        The campaign, and what it has submitted when this was planned.
    plan
        The runs and their edges.
    executor
        Who runs them; `None` if nobody can.
    apdb_config
        The APDB that is filled.
    deferred
        The (visit, detector)s that others need not wait for.
    repair
        What must be put right before.
    fills_further
        Whether the APDB may hold rows already.
    remaining
        What of a campaign that goes on is not done, in sentences.
    new
        What of a campaign that goes on is not associated yet.
    obstacles
        Why it cannot be done.
    notes
        What there is to say about it.
    """

    workspace: Workspace
    ledger: Ledger
    plan: Plan
    executor: Executor | None
    apdb_config: str | None = None
    deferred: Mapping[VisitDetector, int] = field(default_factory=dict)
    repair: Repair = field(default_factory=Repair)
    fills_further: bool = False
    remaining: tuple[str, ...] = ()
    new: NewImages | None = None
    obstacles: tuple[ApcampaignError, ...] = ()
    notes: tuple[str, ...] = ()

    def describe(self) -> list[str]:
        """Say it in lines."""
        lines = list(self.repair.describe())
        for step in self.plan.steps:
            runs = self.plan.runs_of(step)
            if len(runs) > _MOST_LISTED:
                collection, folder = f"{runs[0].output}/{runs[0].timestamp}", self.workspace.paths.step(step)
                lines.append(
                    f"{step}: {count(len(runs), 'run')}, {collection}-PART, files in "
                    f"{folder}/{runs[0].timestamp}-PART"
                )
                continue
            for run in runs:
                parents = self.plan.parents(run)
                after = f" after {', '.join(parents)}" if parents else ""
                lines.append(f"{run.name}: {run.output_run}{after}, files in {self.files(run).folder}")
        return [*lines, *self._remarks()]

    def _remarks(self) -> list[str]:
        refusals = [f"it would be refused: {error}" for error in self.obstacles]
        return [*describe_deferred(self.deferred), *self.notes, *refusals]

    def _repr_html_(self) -> str:
        """Draw it for a notebook: the runs, and what there is to say about them."""
        runs = [
            (run.name, ", ".join(self.plan.parents(run)), run.query, run.output_run, self.files(run).folder)
            for run in self.plan
        ]
        return (
            html_lines(self.repair.describe())
            + html_table(("run", "after", "data query", "output run", "files"), runs)
            + html_lines(self._remarks())
        )

    def files(self, run: PlannedRun) -> RunPaths:
        """The files of one of its runs."""
        return self.workspace.paths.run(run)

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values, for JSON."""
        return {
            **self.plan.as_dict(),
            "apdb_config": self.apdb_config,
            "deferred": sorted(map(list, self.deferred)),
            "nights": [] if self.new is None else self.new.as_dict(),
            "registers": [run.output_run for run in self.repair.unregistered],
            "rolls_back": sorted(map(list, self.repair.rollbacks)),
            "obstacles": [str(error) for error in self.obstacles],
            "notes": list(self.notes),
        }

    @property
    def work(self) -> Work:
        """What its executor gets."""
        return Work(
            workspace=self.workspace,
            plan=self.plan,
            apdb_config=self.apdb_config,
            deferred=self.deferred,
            refuse_associated=self.fills_further or self.workspace.campaign.apdb.filled,
            remaining=self.remaining,
        )

    def execute(self) -> Submission:
        """Do it; raises as `execute_submission`."""
        return execute_submission(self)

    def build_config(self, run: PlannedRun) -> str:
        """Make the BPS config that a run would get, as YAML.

        Raises
        ------
        ApcampaignError
            If it cannot be made.
        """
        config = build_config(
            self.workspace.campaign,
            run,
            self.workspace.site,
            submit_path=self.files(run).submit,
            apdb_config=self.apdb_config if run.fills_apdb else None,
            data_ids=self.files(run).data_ids if run.graph_query else None,
            environment=environment_for_batch(),
            edges_added=True,
        )
        return dump_config(config)


def plan_submission(
    workspace: Workspace,
    *,
    steps: Collection[Step] | None = None,
    templates: str | None = None,
    fills_further: bool = False,
    nights: NightSelection | None = None,
    skip_late: bool = False,
    foreground: bool = False,
    check: bool = True,
) -> SubmissionPlan:
    """Decide what submitting a campaign, or a step of it, does. Changes nothing.

    Parameters
    ----------
    workspace
        The campaign.
    steps
        The steps to run; all that the campaign has by default.
    templates
        A collection with templates, instead of what the campaign names or its own first step makes.
    fills_further
        Whether the APDB may hold rows already: what the campaign has associated is then left out, and what it
        has associated badly is rolled back first. Where nothing is new, the plan has no runs.
    nights
        The nights to go on with, of a campaign whose APDB may hold rows already.
    skip_late
        Whether images of these that come too late for the time order are left out, instead of being refused.
    foreground
        Whether to run one run after the other from here.
    check
        Whether to make a preflight.

    Returns
    -------
    plan
        What would be done. Why it cannot be done is in its `obstacles`.

    Raises
    ------
    ApcampaignError
        If that cannot be found out.
    """
    request = SubmissionRequest(
        steps=tuple(workspace.campaign.steps if steps is None else steps),
        templates=templates or workspace.campaign.diffim.templates,
        fills_further=fills_further,
        nights=nights,
        skip_late=skip_late,
        foreground=foreground,
        check=check,
    )
    return decide_submission(read_submission_state(workspace, request), request)


def decide_submission(state: SubmissionState, request: SubmissionRequest) -> SubmissionPlan:
    """Decide from what was seen what a submission does. Asks nobody.

    Returns
    -------
    plan
        With obstacles, if it cannot be done.
    """
    plan = divide_plan(state.plan, state.shapes, state.workspace.campaign)
    executor, remarks = None, list(state.remarks)
    try:
        # As for whole steps: a step of several parts runs in the foreground where one of one part does.
        executor = choose_executor(state.workspace, state.plan, foreground=request.foreground)
    except PreconditionError as error:
        remarks.append(error)
    remarks += describe_division(state.plan, state.shapes, state.workspace.campaign)
    return SubmissionPlan(
        workspace=state.workspace,
        ledger=state.ledger,
        plan=plan,
        executor=executor,
        apdb_config=state.apdb_config,
        deferred={} if state.new is None else state.new.deferred,
        repair=state.repair,
        fills_further=request.fills_further,
        new=state.new,
        obstacles=tuple(each for each in remarks if isinstance(each, ApcampaignError)),
        notes=tuple(each for each in remarks if isinstance(each, str)),
    )


def execute_submission(plan: SubmissionPlan) -> Submission:
    """Do what was planned.

    Raises
    ------
    PreconditionError
        If there are obstacles, somebody else is submitting, or the campaign has submitted something since
        this was planned.
    ApcampaignError
        If a run cannot be prepared, or the WMS does not take it.
    """
    if plan.obstacles:
        raise plan.obstacles[0]
    assert plan.executor is not None  # noqa: S101 - its absence is an obstacle
    for line in (*plan.notes, *describe_deferred(plan.deferred)):
        _log.info("%s", line)
    if not plan.plan.runs:
        return Submission(
            campaign=plan.workspace.campaign.name, timestamp=plan.plan.timestamp, runs=(), ended=True
        )
    with hold_ledger(plan.ledger, plan.plan.steps) as locks:
        work = replace(plan.work, locks=locks)
        execute_repair(plan.repair)
        if plan.executor.detached:
            submission = plan.executor.submit(work)
            for problem in unreachable_secrets(plan.workspace.campaign.notify):
                _log.warning("%s", problem)
            return submission
        try:
            submission = plan.executor.submit(work)
        except ApcampaignError as error:
            notify_failure(plan.workspace.campaign, error)
            raise
    finish_campaign(plan.workspace, plan.plan.steps)
    return submission
