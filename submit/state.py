"""State of everything that a campaign has submitted, read at once to decide how it goes on."""

__all__ = ["CampaignState", "Remaining", "SubmittedUnit", "describe_remaining", "read_state"]

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..bps import Plan, Step, plan_campaign
from ..ledger import (
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
from ..monitor import find_damaged_rescue, read_exit, read_rescue
from ..monitor.outcomes import (
    LeftBehind,
    QuantaCount,
    add_counts,
    check_templates,
    count_quanta,
    find_left,
    read_unregistered,
)
from .bps_process import has_passed
from .executors import ActiveRun, find_active
from .executors.campaign_dag import read_work
from .repair import Repair, find_unregistered, plan_repair


@dataclass(frozen=True)
class Remaining:
    """What of a step is not done.

    Parameters
    ----------
    step
        The step.
    begun
        Whether it has runs at all.
    absent
        The names of its parts that have none.
    counts
        Outcomes of the quanta of its current runs by task label.
    tolerated
        Whether what is missing are templates that may be missing, and difference imaging has run without them.
    """

    step: Step
    begun: bool
    absent: tuple[str, ...] = ()
    counts: Mapping[str, QuantaCount] = field(default_factory=dict)
    tolerated: bool = False

    @property
    def any(self) -> bool:
        """Whether there is something to run."""
        return not self.begun or bool(self.absent) or (bool(self._bad) and not self.tolerated)

    @property
    def _bad(self) -> dict[str, QuantaCount]:
        return {label: count for label, count in self.counts.items() if not count.good}

    def describe(self) -> list[str]:
        """Say it in lines; none if all is done."""
        if not self.begun:
            return [f"{self.step}: not begun"]
        lines = [f"{self.step}: not begun: {', '.join(self.absent)}"] if self.absent else []
        if not (bad := self._bad):
            return lines
        failed, blocked, unknown = (
            sum(getattr(count, outcome) for count in bad.values())
            for outcome in ("failed", "blocked", "unknown")
        )
        expected = sum(count.expected for count in self.counts.values())
        by_label = ", ".join(
            f"{c.expected - c.successful} of {c.expected} {label}" for label, c in bad.items()
        )
        lines += [
            f"{self.step}: {failed + blocked + unknown} of {expected} quanta to rerun: {failed} failed, {blocked} "
            f"blocked by them, {unknown} never recorded: {by_label}"
        ]
        if self.tolerated:
            lines.append(
                f"{self.step}: the missing ones are within allowMissingTemplates and difference imaging has "
                f"already run without them, so they are not rebuilt (`apcampaign resume --step {self.step}` does)"
            )
        return lines


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
        Its plan, if its steps were divided into parts.
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
    remaining: tuple[Remaining, ...] = ()
    repair: Repair = field(default_factory=Repair)

    @property
    def done(self) -> bool:
        """Whether nothing remains of it."""
        return not any(each.any for each in self.remaining)


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


def describe_remaining(remaining: Iterable[Remaining]) -> tuple[str, ...]:
    """Say in lines what of some steps is not done; the same lines mean that nothing has changed."""
    return tuple(line for each in remaining for line in each.describe())


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
    active = find_active(ledger)
    units: list[SubmittedUnit] = []
    for unit in _list_units(workspace, ledger):
        # While something is active, what remains is not known.
        if active or (units and not units[-1].done):
            break
        steps = tuple(each for each in unit.steps if step in (None, each))
        if steps:
            remaining = tuple(_find_remaining(unit, ledger, each, tolerate=step is None) for each in steps)
            looked = replace(unit, remaining=remaining)
            units.append(looked if looked.done else replace(looked, repair=plan_repair(ledger, unit.runs)))
    return CampaignState(
        workspace=workspace,
        ledger=ledger,
        active=active,
        units=tuple(units),
        versions=installed_versions(),
        left=find_left(workspace, ledger) if units and all(unit.done for unit in units) else LeftBehind(),
    )


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
            units.append(
                SubmittedUnit(
                    timestamp=record.timestamp,
                    steps=steps,
                    runs=runs,
                    dag=(files, record) if (files, record) in ledger.dags else None,
                    # What an earlier attempt has left is still there when a later one has succeeded.
                    can_go_on=(files.has_rescue() and read_exit(files.dag) != 0) or not files.has_begun(),
                    broken=_find_break(files, record, ledger, runs),
                    has_passed=files.has_passed or any(has_passed(ledger.paths.run(run)) for run in runs),
                    plan=_read_plan(files, workspace, record),
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


def _read_plan(files: DagPaths, workspace: Workspace, record: DagRecord) -> Plan | None:
    """Read the plan of a campaign DAG if it has parts."""
    if set(record.runs) <= set(Step):
        return None
    return read_work(files, workspace.runs).plan


def _find_remaining(unit: SubmittedUnit, ledger: Ledger, step: Step, *, tolerate: bool) -> Remaining:
    """Count what of a step of a unit is not done, whether or not the repository knows of it yet."""
    runs = ledger.current(step)
    if not runs:
        return Remaining(step, begun=False)
    unregistered = find_unregistered(ledger, runs)
    registered = [run for run in runs if run not in unregistered]
    counts = add_counts([count_quanta(registered), *(read_unregistered(run).counts for run in unregistered)])
    bad = any(not count.good for count in counts.values())
    tolerated = bad and tolerate and _may_be_missing(unit.workspace, ledger, step)
    return Remaining(step, begun=True, absent=ledger.absent_parts(step), counts=counts, tolerated=tolerated)


def _may_be_missing(workspace: Workspace, ledger: Ledger, step: Step) -> bool:
    """Tell whether templates that are missing may be, and difference imaging has run without them."""
    allowed = workspace.campaign.allow_missing_templates
    if step is not Step.TEMPLATES or not allowed or not ledger.current(Step.DIFFIM):
        return False
    plan = plan_campaign(workspace.campaign, steps=[Step.DIFFIM])
    return all(check_templates(workspace.campaign, run).within(allowed) for run in plan)
