"""Resumption of a campaign after a failure: what is done stays done, the rest runs again."""

__all__ = [
    "ResumePlan",
    "ResumeRequest",
    "decide_resume",
    "execute_resume",
    "plan_resume",
]

import logging
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any

from ...bps import Step
from ...common.errors import ApcampaignError, PreconditionError
from ...common.html import html_lines, html_table
from ...ledger import DagPaths, DagRecord, Ledger, Workspace
from ..executors import HTCondorExecutor, Submission
from ..executors.campaign_dag import read_work
from ..outputs.remaining import Remaining, describe_remaining
from ..outputs.repair import Repair, execute_repair
from ..preconditions.ledger_hold import hold_ledger
from ..preconditions.obstacles import check_idle
from ..submission import SubmissionPlan, execute_submission
from .reasons import describe_edits, describe_standstill, why_no_restart, why_other_software
from .rebuild import plan_rebuild
from .state import CampaignState, read_state

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ResumeRequest:
    """What is asked for.

    Parameters
    ----------
    step
        Continue this step only, and make templates that may be missing too; by default what was submitted last
        and is not done.
    changes
        BPS settings to change, as `apcampaign.bps.change_campaign` takes them.
    new_graph
        Whether to build new graphs although no setting has changed.
    skip_failed
        Whether later visits are to be associated without waiting for earlier overlapping ones that failed, even
        once: those are deferred. Takes new graphs.
    """

    step: Step | None = None
    changes: Collection[str] = ()
    new_graph: bool = False
    skip_failed: bool = False


@dataclass(frozen=True, kw_only=True)
class ResumePlan:
    """How a campaign goes on.

    Parameters
    ----------
    workspace, ledger
        The campaign as it was submitted, and what it has submitted when this was planned.
    remaining
        What is not done, by step.
    repair
        What must be put right before.
    reason
        Why new graphs are built; empty if the campaign DAG goes on with those it has.
    restart
        The campaign DAG that goes on from where it ended.
    rebuild
        The submission with new graphs, which leave out what is done.
    obstacles
        Why it cannot be done.
    notes
        What there is to say about it.
    """

    workspace: Workspace
    ledger: Ledger
    remaining: tuple[Remaining, ...] = ()
    repair: Repair = field(default_factory=Repair)
    reason: str = ""
    restart: tuple[DagPaths, DagRecord] | None = None
    rebuild: SubmissionPlan | None = None
    obstacles: tuple[ApcampaignError, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def remaining_quanta(self) -> int:
        """How many quanta of its current runs are not done."""
        counts = [count for each in self.remaining if each.any for count in each.counts.values()]
        return sum(count.expected - count.successful for count in counts)

    def describe(self) -> list[str]:
        """Say it in lines."""
        lines = [line for each in self.remaining for line in each.describe()]
        lines += [*self.notes, *self.repair.describe()]
        if self.restart is not None:
            lines.append(_describe_restart(self.restart[0]))
        if self.rebuild is not None:
            lines.append(f"{self.reason}: building new graphs, which leave out what is done")
            lines += self.rebuild.describe()
        return [*lines, *(f"it would be refused: {error}" for error in self.obstacles)]

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values, for JSON."""
        return {
            "campaign": self.workspace.campaign.name,
            "remaining_quanta": self.remaining_quanta,
            "remaining": {str(each.step): each.describe() for each in self.remaining},
            "registers": [run.output_run for run in self.repair.unregistered],
            "rolls_back": sorted(map(list, self.repair.rollbacks)),
            "reason": self.reason,
            "restart": None if self.restart is None else str(self.restart[0].dag),
            "rebuild": None if self.rebuild is None else self.rebuild.as_dict(),
            "obstacles": [str(error) for error in self.obstacles],
            "notes": list(self.notes),
        }

    def _repr_html_(self) -> str:
        """Draw it for a notebook: the tasks with quanta that are not done, and how they go on."""
        columns = ("step", "task", "quanta", "failed", "blocked", "unknown")
        rows = [
            (each.step, label, n.expected, n.failed, n.blocked, n.unknown)
            for each in self.remaining
            for label, n in each.counts.items()
            if not n.good
        ]
        return html_table(columns, rows, "not done") + html_lines(self.describe())

    def execute(self) -> Submission:
        """Do it; raises as `execute_resume`."""
        return execute_resume(self)


def plan_resume(workspace: Workspace, request: ResumeRequest) -> ResumePlan:
    """Look how a campaign stands, and decide how it goes on. Changes nothing.

    Parameters
    ----------
    workspace
        The campaign; what counts is the campaign as it was submitted.
    request
        What is asked for.

    Returns
    -------
    plan
        What would be done. Why it cannot be done is in its `obstacles`.

    Raises
    ------
    SettingsError
        If a change cannot be read.
    ApcampaignError
        If it cannot be found out.
    """
    state = read_state(workspace, request.step)
    plan = decide_resume(state, request)
    unit = state.unfinished
    if unit is None or not plan.reason:
        return plan
    rebuild = plan_rebuild(
        plan.ledger,
        unit,
        changes=request.changes,
        new_graph=request.new_graph,
        skip_failed=request.skip_failed,
    )
    return replace(plan, rebuild=rebuild, obstacles=rebuild.obstacles)


def decide_resume(state: CampaignState, request: ResumeRequest) -> ResumePlan:
    """Decide from how a campaign stands whether its DAG goes on, or why new graphs are built. Asks nobody.

    Returns
    -------
    plan
        With `restart`, or with a `reason` for new graphs, or with obstacles.
    """
    name = state.workspace.campaign.name
    plan = ResumePlan(workspace=state.workspace, ledger=state.ledger)
    if obstacle := check_idle(state.active, state.ledger):
        return replace(plan, obstacles=(obstacle,))
    plan = replace(plan, remaining=tuple(each for unit in state.units for each in unit.remaining))
    if not state.units:
        what = f"{request.step} run" if request.step else "run"
        return _refuse(plan, f"campaign {name} has no {what} to resume", "submit one first")
    unit = state.unfinished
    if unit is None and state.left:
        return _refuse(plan, state.left.describe())
    if unit is None:
        return _refuse(
            plan,
            f"all quanta of campaign {name} that were submitted are done; nothing to resume",
            "if something is wrong all the same, `apcampaign doctor` looks for what",
        )
    plan = replace(
        plan,
        workspace=unit.workspace,
        remaining=unit.remaining,
        repair=unit.repair,
        notes=(*describe_edits(state.workspace, unit), *describe_standstill(unit)),
    )
    if unit.repair.obstacle:
        return replace(plan, obstacles=(unit.repair.obstacle,))
    if unit.lost_plan and not request.new_graph:
        return _refuse(
            plan,
            f"{unit.lost_plan}: what its parts are is not known",
            "`apcampaign doctor` tells whether it can be made again; without it, `apcampaign resume --new-graph` "
            "runs what is not done undivided",
        )
    asked = "settings have changed" if request.changes else ""
    if not asked and (request.new_graph or request.skip_failed):
        asked = "as asked for"
    if reason := asked or why_other_software(state.versions, unit) or why_no_restart(unit):
        return replace(plan, reason=reason)
    return replace(plan, restart=unit.dag)


def execute_resume(plan: ResumePlan) -> Submission:
    """Do what was planned.

    Raises
    ------
    PreconditionError
        If there are obstacles, or the campaign has been submitted or resumed since this was planned.
    ApcampaignError
        If something of it cannot be done; what was done by then stays.
    """
    for each in plan.remaining:
        for line in each.describe():
            _log.info("%s", line)
    if plan.obstacles:
        raise plan.obstacles[0]
    for note in plan.notes:
        _log.warning("%s", note)
    if plan.rebuild is not None:
        _log.info("%s: building new graphs, which leave out what is done", plan.reason)
        return execute_submission(plan.rebuild)
    assert plan.restart is not None  # noqa: S101 - one of the two is decided
    files, record = plan.restart
    begins = _describe_restart(files)
    with hold_ledger(plan.ledger, tuple(Step)) as locks:
        execute_repair(plan.repair)
        work = read_work(files, plan.workspace.runs)
        work = replace(work, remaining=describe_remaining(plan.remaining), locks=locks)
        submission = HTCondorExecutor().restart(work, files, record)
    _log.info("%s", begins)
    return submission


def _describe_restart(files: DagPaths) -> str:
    if files.has_begun():
        return f"HTCondor goes on with {files.dag} where it ended"
    return f"HTCondor gets {files.dag}, which it has not taken yet"


def _refuse(plan: ResumePlan, what: str, remedy: str = "") -> ResumePlan:
    return replace(plan, obstacles=(PreconditionError(what, remedy=remedy),))
