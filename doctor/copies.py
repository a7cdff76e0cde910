"""Files beside records that are gone or damaged, made again: the campaign as it was submitted, and plans."""

__all__ = ["find_broken_copies"]

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import yaml

from ..bps import (
    GRAPH_OPTIONS,
    Plan,
    PlannedRun,
    Step,
    dump_campaign,
    gate_node,
    plan_campaign,
    prepare_node,
    read_option,
)
from ..common.errors import ApcampaignError, LedgerError
from ..common.text import count
from ..ledger import (
    DagPaths,
    DagRecord,
    Ledger,
    RunPaths,
    RunRecord,
    Workspace,
    check_campaign_copy,
    read_copy,
)
from ..monitor.submitted import read_planned_run
from ..pipelines import find_pipeline
from ..submit.executors.campaign_dag import dump_work, parse_work
from ..submit.work import Work
from .model import BrokenCopy


def find_broken_copies(workspace: Workspace, ledger: Ledger) -> tuple[BrokenCopy, ...]:
    """Find the copies of the campaign, and the plans, of what counts that are gone or damaged. Changes nothing."""
    plans = _list_plans(ledger)
    old = {record.timestamp for _, record in plans if not record.runs}
    places: list[RunPaths | DagPaths] = [files for files, _ in plans]
    for run in ledger.current():
        # An older version kept no copy with the runs of a DAG.
        if (files := ledger.paths.run(run)).campaign.exists() or run.timestamp not in old:
            places.append(files)
    whole = _CampaignCopies()
    found = [
        _restore_campaign(workspace, ledger, whole, place, why)
        for place in places
        if (why := whole.describe_damage(place.campaign))
    ]
    found += [
        _restore_plan(workspace, ledger, dag, record, why)
        for dag, record in plans
        # An older version left none.
        if record.runs and (why := _describe_plan_damage(workspace, dag.plan))
    ]
    return tuple(found)


def _list_plans(ledger: Ledger) -> list[tuple[DagPaths, DagRecord]]:
    """List what was submitted together and has a step of which there is no newer run, or has divided one."""
    divisions = {run.division for run in ledger.current()}
    newest = {
        step: max(run.timestamp for run in ledger.current(step)) for step in Step if ledger.current(step)
    }
    return [
        (files, record)
        for files, record in (*ledger.dags, *ledger.without_dag)
        if record.timestamp in divisions
        or any(record.timestamp >= newest.get(step, "") for step in record.steps)
    ]


class _CampaignCopies:
    """Copies of campaigns; those of many runs have the same text, which is looked at once."""

    def __init__(self) -> None:
        self._whole: set[bytes] = set()

    def describe_damage(self, path: Path) -> str:
        """Say why one cannot be read; empty if it can. That it names a site which is gone is no damage."""
        try:
            text = path.read_bytes() if path.exists() else b""
            if text not in self._whole:
                check_campaign_copy(path)
        except LedgerError as error:
            return error.what
        except OSError as error:
            return f"{path} cannot be read: {error}"
        self._whole.add(text)
        return ""


def _restore_campaign(
    workspace: Workspace, ledger: Ledger, whole: _CampaignCopies, files: RunPaths | DagPaths, why: str
) -> BrokenCopy:
    """Find a copy of the same submission, or make one of the campaign file if that says what was submitted."""
    timestamp = files.folder.name.partition("-")[0]
    siblings = [run for run in ledger.runs if run.timestamp == timestamp]
    others = [
        each.campaign for each, record in (*ledger.dags, *ledger.without_dag) if record.timestamp == timestamp
    ]
    others += [ledger.paths.run(run).campaign for run in siblings]
    for other in others:
        if other != files.campaign and not whole.describe_damage(other):
            return BrokenCopy(files.campaign, why, other.read_text(encoding="utf-8"), str(other))
    if any(_is_submitted_as(workspace, run) for run in siblings):
        source = "the campaign file, which selects what was submitted"
        return BrokenCopy(files.campaign, why, dump_campaign(workspace.campaign), source)
    return BrokenCopy(files.campaign, why)


def _is_submitted_as(workspace: Workspace, run: RunRecord) -> bool:
    """Tell whether the campaign, as it is now, plans a run as its BPS config says that it was submitted."""
    try:
        submitted = read_planned_run(workspace, run)
        plan = plan_campaign(workspace.campaign, timestamp=run.timestamp, steps=[run.step])
        (planned,) = (replace(each, pipeline=find_pipeline(each.pipeline)) for each in plan.runs)
    except ApcampaignError:
        return False
    one, other = ((each.part, each.pipeline, each.query, each.output) for each in (submitted, planned))
    return workspace.campaign.butler == run.butler and one == other


def _describe_plan_damage(workspace: Workspace, path: Path) -> str:
    try:
        parse_work(workspace, read_copy(path))
    except LedgerError as error:
        return error.what
    except (KeyError, TypeError, ValueError) as error:
        return f"{path} cannot be read: {error}"
    return ""


def _restore_plan(
    workspace: Workspace, ledger: Ledger, files: DagPaths, record: DagRecord, why: str
) -> BrokenCopy:
    """Make a plan again from the configs of its runs and the DAG, if all of them were prepared.

    What else was decided is needed for those only that are still to be prepared.
    """
    runs = [run for run in ledger.runs if run.timestamp == record.timestamp and run.name in record.runs]
    if missing := len(record.runs) - len(runs):
        lost = f"what {count(missing, 'run')} of it was to do is not known: not prepared, or nothing to do"
        return BrokenCopy(files.plan, f"{why}; {lost}")
    try:
        plan = _read_plan(workspace, ledger, files, record.runs, runs)
    except (ApcampaignError, OSError, ValueError) as error:
        return BrokenCopy(files.plan, f"{why}; nor can what it was made of: {error}")
    apdb_config = next((run.apdb_config for run in runs if run.apdb_config), None)
    text = dump_work(Work(workspace=workspace, plan=plan, apdb_config=apdb_config))
    return BrokenCopy(files.plan, why, text, "the BPS configs of its runs")


def _read_plan(
    workspace: Workspace,
    ledger: Ledger,
    files: DagPaths,
    names: Sequence[str],
    runs: Sequence[RunRecord],
) -> Plan:
    planned = []
    for run in runs:
        config = yaml.safe_load(ledger.paths.run(run).config.read_text(encoding="utf-8"))
        query = str(config["payload"]["dataQuery"])
        skipped = ",".join(read_option(str(config.get(GRAPH_OPTIONS) or ""), "--skip-existing-in"))
        planned.append(
            replace(
                read_planned_run(workspace, run),
                graph_query=query if run.query not in ("", query) else "",
                skip_existing=tuple(filter(None, skipped.split(","))),
                quanta=sum(run.quanta.values()),
            )
        )
    planned = [_complete(run, planned) for run in planned]
    if not files.dag.exists():
        # In the foreground they were executed one after the other, in the order in which they are recorded.
        edges = frozenset(pairwise(names))
        return Plan(timestamp=files.folder.name, runs=tuple(planned), edges=edges)
    nodes = {node: run.name for run in planned for node in (gate_node(run), prepare_node(run), run.name)}
    edges = frozenset(_list_edges(files.dag.read_text(encoding="utf-8"), nodes))
    return Plan(timestamp=files.folder.name, runs=tuple(planned), edges=edges)


def _complete(run: PlannedRun, planned: Iterable[PlannedRun]) -> PlannedRun:
    """Give a part the collections that all parts of its step have: it was prepared without those not there."""
    if not run.part:
        return run
    siblings = [each for each in planned if each.step is run.step]
    inputs = max((each.inputs for each in siblings), key=len)
    if run.output not in inputs:
        first = 1 if run.step is Step.DIFFIM else 0  # templates are searched first
        inputs = (*inputs[:first], run.output, *inputs[first:])
    return replace(run, inputs=inputs, skip_existing=max((each.skip_existing for each in siblings), key=len))


def _list_edges(dag: str, nodes: dict[str, str]) -> Iterator[tuple[str, str]]:
    """List which run waits for which, from the lines of a campaign DAG; each run may have nodes before its own."""
    for line in dag.splitlines():
        if not line.startswith("PARENT "):
            continue
        before, _, after = line.removeprefix("PARENT ").partition(" CHILD ")
        for first in before.split():
            for second in after.split():
                if nodes[first] != nodes[second]:
                    yield nodes[first], nodes[second]
