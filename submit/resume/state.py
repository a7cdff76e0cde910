"""State of everything that a campaign has submitted, read at once to decide how it goes on."""

__all__ = ["CampaignState", "SubmittedUnit", "read_state"]

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ...bps import Plan, Step
from ...common.errors import LedgerError
from ...ledger import (
    DagPaths,
    DagRecord,
    Ledger,
    RunRecord,
    Workspace,
    has_graph,
    installed_versions,
    is_dag_whole,
    is_moved_dag,
)
from ...monitor import find_damaged_rescue, read_exit, read_rescue
from ...monitor.outcomes import LeftBehind, find_left
from ..bps_process import has_passed
from ..executors import ActiveRun, find_unfinished
from ..executors.campaign_dag import read_work
from ..outputs.remaining import Remaining, read_remaining
from ..outputs.repair import Repair, plan_repair
from .whole_plan import complete_plan


@dataclass(frozen=True, kw_only=True)
class SubmittedUnit:
    """What was submitted together and has runs that still count: a campaign DAG, parts, or one run by itself.

    Parameters
    ----------
    timestamp
        When.
    steps
        The steps of which it has the newest runs, or would have.
    runs
        Those of its runs that count.
    dag
        The campaign DAG and its record; `None` for a run by itself, for what was run in the foreground, and for a
        submission that was killed before there was one.
    can_go_on
        Whether DAGMan left where it ended, or has never begun.
    broken
        Why it cannot go on from there all the same; empty if it can.
    has_passed
        Whether jobs have failed that count as done in the DAG of their run.
    workspace
        The campaign as it was submitted.
    plan
        Its plan, if its steps were divided into parts; where it is not done with all parts of its steps, those too
        that only earlier submissions have had.
    lost_plan
        Why the plan of its parts cannot be read; empty if it can.
    remaining
        What is not done, by step; empty where nobody has looked.
    repair
        What must be put right before it goes on.
    """

    timestamp: str
    steps: tuple[Step, ...]
    runs: tuple[RunRecord, ...]
    dag: tuple[DagPaths, DagRecord] | None = None
    can_go_on: bool = False
    broken: str = ""
    has_passed: bool = False
    workspace: Workspace
    plan: Plan | None = None
    lost_plan: str = ""
    remaining: tuple[Remaining, ...] = ()
    repair: Repair = field(default_factory=Repair)

    @property
    def done(self) -> bool:
        """Whether nothing remains of it."""
        return not any(each.any for each in self.remaining)

    @property
    def undone_before(self) -> tuple[str, ...]:
        """The parts that are not done and were not submitted with it, but before."""
        if self.dag is None or self.plan is None:
            return ()
        names = {name for each in self.remaining for name in each.parts}
        return tuple(sorted(names.difference(self.dag[1].runs)))


@dataclass(frozen=True, kw_only=True)
class CampaignState:
    """How a campaign stands.

    Parameters
    ----------
    workspace, ledger
        The campaign, and what it has submitted.
    active
        What of it has not ended.
    units
        What was submitted together, the newest first, up to the first that is not done.
    versions
        Of the software that is installed now.
    left
        What runs of before these have left undone, if all of these is done.
    """

    workspace: Workspace
    ledger: Ledger
    active: tuple[ActiveRun, ...]
    units: tuple[SubmittedUnit, ...]
    versions: Mapping[str, str]
    left: LeftBehind = field(default_factory=LeftBehind)

    @property
    def unfinished(self) -> SubmittedUnit | None:
        """What was submitted last of what is not done."""
        return next((unit for unit in self.units if not unit.done), None)


def read_state(workspace: Workspace, step: Step | None = None) -> CampaignState:
    """Read how a campaign stands. Changes nothing.

    Parameters
    ----------
    workspace
        The campaign.
    step
        Look at this step only; then templates that may be missing count as not done.

    Raises
    ------
    ApcampaignError
        If records, repository, APDB or scheduler cannot be asked.
    """
    ledger = workspace.read_ledger()
    active = find_unfinished(ledger)
    units: list[SubmittedUnit] = []
    for unit in _list_units(workspace, ledger):
        # While something is active, what remains is not known.
        if active or (units and not units[-1].done):
            break
        steps = tuple(each for each in unit.steps if step in (None, each))
        if steps:
            remaining = tuple(
                read_remaining(unit.workspace, ledger, each, unit.plan, tolerate=step is None)
                for each in steps
            )
            looked = replace(unit, remaining=remaining)
            units.append(looked if looked.done else _complete(ledger, looked))
    return CampaignState(
        workspace=workspace,
        ledger=ledger,
        active=active,
        units=tuple(units),
        versions=installed_versions(),
        left=find_left(workspace, ledger) if units and all(unit.done for unit in units) else LeftBehind(),
    )


def _complete(ledger: Ledger, unit: SubmittedUnit) -> SubmittedUnit:
    """Add to what is not done what must be put right, and what of its steps earlier submissions have had."""
    if unit.plan is None:
        return replace(unit, repair=plan_repair(ledger, unit.runs))
    # What is not done may be of earlier submissions.
    of_steps = ledger.current(*(each.step for each in unit.remaining))
    runs = (*unit.runs, *(run for run in of_steps if run not in unit.runs))
    repair = plan_repair(ledger, runs)
    try:
        return replace(unit, plan=complete_plan(ledger, unit.workspace.runs, unit.plan), repair=repair)
    except LedgerError as error:
        return replace(unit, broken=unit.broken or error.what, lost_plan=error.what, repair=repair)


def _list_units(workspace: Workspace, ledger: Ledger) -> Iterator[SubmittedUnit]:
    """List what was submitted together, the newest first, without runs that newer ones have replaced."""
    current = ledger.current()
    units = []
    for files, record in (*ledger.dags, *ledger.without_dag):
        runs = tuple(run for run in current if run.timestamp == record.timestamp)
        # Steps whose runs were to be prepared when others had ended may have none yet.
        replaced = {run.step for run in current if run.timestamp > record.timestamp}
        # Nor have those whose runs were removed.
        retired = {run.step for run in ledger.retired if run.timestamp == record.timestamp}
        replaced |= retired - {run.step for run in runs}
        if steps := tuple(step for step in record.steps if step not in replaced):
            plan, lost_plan = _read_plan(files, workspace, record)
            units.append(
                SubmittedUnit(
                    timestamp=record.timestamp,
                    steps=steps,
                    runs=runs,
                    dag=(files, record) if (files, record) in ledger.dags else None,
                    # What an earlier attempt has left is still there when a later one has succeeded.
                    can_go_on=(files.has_rescue() and read_exit(files.dag) != 0) or not files.has_begun(),
                    broken=lost_plan or _find_break(files, record, ledger, runs),
                    has_passed=files.has_passed or any(has_passed(ledger.paths.run(run)) for run in runs),
                    plan=plan,
                    lost_plan=lost_plan if _is_divided(record) else "",
                    workspace=workspace.as_submitted(files),
                )
            )
    in_dags = {record.timestamp for _, record in (*ledger.dags, *ledger.without_dag)}
    units += [
        SubmittedUnit(
            timestamp=run.timestamp,
            steps=(run.step,),
            runs=(run,),
            workspace=workspace.as_submitted(ledger.paths.run(run)),
        )
        for run in current
        if run.timestamp not in in_dags
    ]
    yield from sorted(units, key=lambda unit: unit.timestamp, reverse=True)


def _find_break(files: DagPaths, record: DagRecord, ledger: Ledger, runs: Sequence[RunRecord]) -> str:
    """Say what DAGMan needs to go on with a campaign DAG, and is damaged; empty if all is there."""
    if is_moved_dag(files):
        return "the folder of its files was moved"
    if files.rolled_back.exists():
        return "associations were rolled back that may count as done in it"
    for run in runs:
        if not has_graph(run):
            return f"the graph of {run.name} is gone or cut off"
        if not is_dag_whole(ledger.paths.run(run), run):
            return f"the DAG of {run.name} is gone or cut off"
    for dag in (files.dag, *(ledger.paths.run(run).dag(run.output_run) for run in runs)):
        if read_exit(dag) != 0 and (rescue := find_damaged_rescue(dag)):
            return f"the rescue DAG {rescue} is cut off"
    if record.runs and set(record.runs) <= (read_rescue(files.dag) or set()):
        return "all of its runs count as done"
    return ""


def _read_plan(files: DagPaths, workspace: Workspace, record: DagRecord) -> tuple[Plan | None, str]:
    """Read the plan of a campaign DAG if it has parts, and say why it cannot be read."""
    if not record.runs:
        return None, ""  # an older version left none
    try:
        plan = read_work(files, workspace.runs).plan
    except LedgerError as error:
        return None, error.what
    return (plan if _is_divided(record) else None), ""


def _is_divided(record: DagRecord) -> bool:
    return not set(record.runs) <= set(Step)
