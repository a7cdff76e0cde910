"""Forecast of a whole campaign: counts the quanta of its runs, and adds up what they take."""

__all__ = ["make_forecast"]

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ...bps import Plan, PlannedRun, Step, plan_campaign
from ...bps.division_text import describe_division
from ...bps.lint import Finding
from ...bps.shape import PART_QUANTA, is_large, wanted_parts
from ...common.errors import ApcampaignError, PreconditionError, SettingsError
from ...common.progress import show_progress
from ...ledger import Workspace
from ..parts.shapes import read_large_steps
from ..preflight.pipelines import load_graph
from ..preflight.repository import open_repository
from ..preflight.reuse import Maker, check_reuse
from ..preflight.run_spec import make_run_spec, outputs_before
from ..preflight.selection import estimate_quanta, select
from .jobs import DataIds, Workload, forecast_jobs
from .measured_costs import load_costs
from .model import Forecast, RunForecast
from .slots import count_slots


def make_forecast(
    workspace: Workspace, *, slots: int | None = None, templates: str | None = None
) -> Forecast:
    """Forecast what a campaign will take. Changes nothing.

    Parameters
    ----------
    workspace
        The campaign.
    slots
        The number of slots that it would run on; by default those that its site has now.
    templates
        A collection with templates, instead of the campaign's own first step.

    Returns
    -------
    forecast
        Quanta and jobs are upper bounds: those that will lack an input are counted too.

    Raises
    ------
    RepositoryError
        If the repository cannot be read.
    PreconditionError
        If a pipeline or a data query cannot be used.
    """
    note = f"on {slots} slots"
    if slots is None:
        slots, note = count_slots(workspace.site)
    notes = [note]
    steps = [Step.DIFFIM] if templates else workspace.campaign.steps
    plan = plan_campaign(workspace.campaign, steps=steps, templates=templates)
    # What the runs before would have done, by output collection and task.
    done: dict[str, dict[str, DataIds]] = defaultdict(dict)
    forecasts = []
    workloads: dict[str, Workload] = {}
    with open_repository(workspace.campaign.butler) as butler:
        costs = {step: load_costs(workspace.paths, step) for step in plan.steps}
        for run in plan:
            skipped = [done[output] for output in run.skip_existing if output in done]
            with show_progress(f"counting the quanta of {run.name}"):
                workload, more = _find_workload(workspace, plan, run, butler, skipped)
            notes += more
            workloads[run.name] = workload
            notes += _find_refusals(butler, plan, run, workloads)
            jobs = forecast_jobs(workload, costs[run.step], workspace.campaign.diffim.ordering)
            counts = workload.selection.counts
            parents = plan.parents(run)
            forecasts.append(
                RunForecast(
                    run=run, parents=parents, selection=counts, jobs=jobs, pause=costs[run.step].pause
                )
            )
            for label, data_ids in workload.data_ids.items():
                done[run.output][label] = done[run.output].get(label, set()) | data_ids
    parts, more = _describe_parts(workspace, plan, workloads)
    return Forecast(
        campaign=workspace.campaign.name,
        slots=slots,
        runs=tuple(forecasts),
        notes=(*notes, *more),
        parts=parts,
    )


def _describe_parts(
    workspace: Workspace, plan: Plan, workloads: Mapping[str, Workload]
) -> tuple[tuple[str, ...], list[str]]:
    """Say into what the steps are divided, and why they would be refused if they cannot be."""
    counted = {name: estimate_quanta(each.selection, each.graph) for name, each in workloads.items()}
    try:
        shapes = read_large_steps(workspace, plan, counted)
    except SettingsError as error:
        return (), [f"it would be refused: {error}"]
    lines = list(describe_division(plan, shapes, workspace.campaign))
    lines += [
        f"{run.name}: one part, since it has fewer than {2 * PART_QUANTA:,} quanta (parts: auto)"
        for run in plan
        if wanted_parts(workspace.campaign, run.step) is None
        and not is_large(sum(estimate.quanta for estimate in counted[run.name]))
    ]
    return tuple(lines), []


def _find_workload(
    workspace: Workspace, plan: Plan, run: PlannedRun, butler: Any, skipped: Iterable[Mapping[str, DataIds]]
) -> tuple[Workload, list[str]]:
    """Find what a run has to do, without what it skips since runs before have done it.

    Returns
    -------
    workload, notes
        The workload, and what was not counted exactly.
    """
    spec = make_run_spec(workspace, run, os.environ, planned=outputs_before(plan, run))
    graph, findings = load_graph(spec, butler)
    if graph is None:
        raise _unusable(run, findings)
    selection, findings = select(butler, spec, graph)
    if selection is None:
        raise _unusable(run, findings)
    graph.sort()
    done: dict[str, DataIds] = defaultdict(set)
    for each in skipped:
        for label, found in each.items():
            done[label] |= found
    data_ids = {
        label: set(selection.project(tuple(task.dimensions.required))) - done[label]
        for label, task in graph.tasks.items()
    }
    notes = [f"{run.name}: {finding.what}; {finding.why}" for finding in findings]
    return Workload(spec=spec, graph=graph, selection=selection, data_ids=data_ids), notes


def _find_refusals(
    butler: Any, plan: Plan, run: PlannedRun, workloads: Mapping[str, Workload]
) -> Iterator[str]:
    """Say why a run would be refused that takes over what others make."""
    makers = [
        Maker(name=name, graph=workloads[name].graph, selection=workloads[name].selection)
        for name in plan.parents(run)
        if plan.find(name).output in run.skip_existing
    ]
    own = workloads[run.name]
    for finding in check_reuse(butler, own.spec, own.graph, own.selection, makers):
        yield f"it would be refused: {finding.what}; {finding.remedy}"


def _unusable(run: PlannedRun, findings: list[Finding]) -> ApcampaignError:
    if not findings:
        return PreconditionError(f"{run.name}: its pipeline reads no raw images, so nothing can be counted")
    reason = findings[0]
    return PreconditionError(f"{run.name}: {reason.what}", remedy=reason.remedy, findings=findings)
