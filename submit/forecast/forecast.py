"""Counting what a campaign's steps will run, and adding up what that takes."""

__all__ = ["make_forecast"]

import operator
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

import networkx as nx

from ...bps import Campaign, Ordering, Site, Step, make_timestamp, plan_campaign
from ...common.errors import CampaignError
from ..ordering import ASSOCIATION
from ..paths import CampaignPaths
from ..preflight.check import make_subject
from ..preflight.pipelines import load_graph
from ..preflight.repository import open_repository
from ..preflight.selection import Selection, select
from ..preflight.subject import Subject
from ..preflight.workers import largest_requests
from .costs import GUESS, Costs
from .learning import learn
from .model import Forecast, JobForecast, StepForecast


def make_forecast(
    campaign: Campaign,
    site: Site,
    paths: CampaignPaths,
    *,
    slots: int,
    templates: str | None = None,
    notes: Iterable[str] = (),
) -> Forecast:
    """Say what a campaign will take. Changes nothing.

    Parameters
    ----------
    campaign, site, paths
        What to run, where, and where its files are.
    slots
        On how many slots.
    templates
        A collection with templates, instead of the campaign's own first step.
    notes
        What the caller assumes.

    Returns
    -------
    forecast
        Quanta and jobs are upper bounds: those that will lack an input are counted too.

    Raises
    ------
    CampaignError
        If the repository, a pipeline or a data query cannot be used.
    """
    steps = [Step.DIFFIM] if templates else list(Step)
    plan = plan_campaign(campaign, timestamp=make_timestamp(), steps=steps, templates=templates)
    planned = {run.output for run in plan.runs}
    butler, findings = open_repository(campaign.butler)
    if butler is None:
        raise CampaignError(f"{findings[0].what}; {findings[0].mend}")
    done: dict[str, set[tuple[Any, ...]]] = {}
    made = []
    with closing(butler):
        for run in plan.runs:
            subject, _ = make_subject(campaign, run, site, paths, os.environ)
            subject = replace(subject, planned=frozenset(planned & set(run.inputs)))
            graph, findings = load_graph(subject, butler)
            selection: Selection | None = None
            if graph is not None:
                selection, findings = select(butler, subject, graph)
                notes = [*notes, *(f"{run.step}: {each.what}; {each.why}" for each in findings if selection)]
            if graph is None or selection is None:
                reason = findings[0] if findings else None
                raise CampaignError(
                    f"{run.step}: {reason.what}; {reason.mend}"
                    if reason
                    else f"{run.step}: it reads no raw images"
                )
            data_ids = _data_ids(graph, selection, done)
            costs = learn(paths, run.step)
            jobs = _forecast_jobs(subject, graph, selection, data_ids, costs, campaign.diffim.ordering)
            made.append(
                StepForecast(step=run.step, output_run=run.output_run, selection=selection.counts, jobs=jobs)
            )
            for label, keys in data_ids.items():
                done[label] = done.get(label, set()) | keys
    return Forecast(campaign=campaign.name, slots=slots, steps=tuple(made), notes=tuple(notes))


def _data_ids(
    graph: Any, selection: Selection, done: Mapping[str, set[tuple[Any, ...]]]
) -> dict[str, set[tuple[Any, ...]]]:
    """Find the data ids of each task, without those that an earlier step has done."""
    graph.sort()
    return {
        label: set(selection.project(tuple(task.dimensions.required))) - done.get(label, set())
        for label, task in graph.tasks.items()
    }


def _forecast_jobs(
    subject: Subject,
    graph: Any,
    selection: Selection,
    data_ids: Mapping[str, set[tuple[Any, ...]]],
    costs: Costs,
    ordering: Ordering,
) -> tuple[JobForecast, ...]:
    clusters: Mapping[str, Mapping[str, Any]] = subject.config.get("cluster") or {}
    owner = {label: label for label in graph.tasks}
    for name, section in clusters.items():
        for label in str(section.get("pipetasks", "")).replace(",", " ").split():
            if label in owner:
                owner[label] = name
    requests = {request.label: request for request in largest_requests(subject)}
    general = requests.get("every other task")
    order = _order(graph, owner, {owner[label] for label, keys in data_ids.items() if keys})
    forecasts = []
    for name in nx.lexicographical_topological_sort(order, key=list(order).index):
        tasks = [label for label in graph.tasks if owner[label] == name and data_ids[label]]
        quanta = {
            label: round(len(data_ids[label]) * selection.scale(graph.tasks[label].dimensions.required))
            for label in tasks
        }
        jobs = _count_jobs(clusters.get(name), graph, selection, tasks, data_ids)
        seconds = sum(costs.of(label).seconds * count for label, count in quanta.items()) / jobs
        wanted = [requests[label] for label in (name, *tasks) if label in requests] or (
            [general] if general else []
        )
        disk = sum(
            count * costs.disk_of(label, _outputs(graph.tasks[label])) for label, count in quanta.items()
        )
        forecasts.append(
            JobForecast(
                label=name,
                quanta=quanta,
                jobs=jobs,
                seconds=seconds + costs.overhead,
                cores=max((request.cpus for request in wanted), default=1),
                memory=max((request.memory for request in wanted), default=None),
                disk=disk,
                depth=_depth(ordering, selection, jobs) if name == ASSOCIATION else 1,
                sources=tuple(dict.fromkeys(costs.of(label).source for label in tasks)),
                parents=tuple(order.predecessors(name)),
            )
        )
    return (_whole_run_job("pipetaskInit", (), costs), *forecasts, _final_job(forecasts, requests, costs))


def _order(graph: Any, owner: Mapping[str, str], wanted: Collection[str]) -> "nx.DiGraph[str]":
    """Find which of the wanted labels of jobs wait for which, without edges that follow from others."""
    order: nx.DiGraph[str] = nx.DiGraph()
    order.add_nodes_from(dict.fromkeys(owner.values()))
    for label, task in graph.tasks.items():
        for name in _outputs(task):
            for consumer in graph.consumers_of(name):
                if owner[label] != owner.get(consumer.label, owner[label]):
                    order.add_edge(owner[label], owner[consumer.label])
    # Those that have nothing to do still tell of what comes before and after them.
    return nx.transitive_reduction(nx.transitive_closure_dag(order).subgraph(wanted))


def _outputs(task: Any) -> list[str]:
    return [edge.parent_dataset_type_name for edge in task.iter_all_outputs()]


def _count_jobs(
    cluster: Mapping[str, Any] | None,
    graph: Any,
    selection: Selection,
    tasks: Sequence[str],
    data_ids: Mapping[str, set[tuple[Any, ...]]],
) -> int:
    """Count the jobs of a label: for a cluster, the different values of its dimensions."""
    if cluster is None or not cluster.get("dimensions"):
        return round(len(data_ids[tasks[0]]) * selection.scale(graph.tasks[tasks[0]].dimensions.required))
    dimensions = str(cluster["dimensions"]).replace(",", " ").split()
    pairs = [pair.split(":") for pair in str(cluster.get("equalDimensions", "")).replace(",", " ").split()]
    same = {first: second for pair in pairs for first, second in (pair, pair[::-1])}
    found: set[tuple[Any, ...]] = set()
    for label in tasks:
        names = tuple(name for name in graph.tasks[label].dimensions.required if name in selection.dimensions)
        values = [_finder(name, names, same.get(name, name), selection) for name in dimensions]
        found |= {tuple(value(key) for value in values if value) for key in data_ids[label]}
    return round(len(found) * selection.scale(dimensions))


def _finder(
    name: str, names: Sequence[str], other: str, selection: Selection
) -> Callable[[tuple[Any, ...]], Any] | None:
    """Tell how to find the value of a dimension in a data id; `None` if it has none."""
    if name in names:
        return operator.itemgetter(names.index(name))
    if other not in names:
        return None
    # Such as the visit of a group: they go together one to one, under different names.
    known: dict[Any, Any] = dict(selection.project((other, name)))
    place = names.index(other)
    return lambda key: known[key[place]]


def _depth(ordering: Ordering, selection: Selection, jobs: int) -> int:
    """Count the associations that wait for each other: the visits of the sky with most of them."""
    if ordering is not Ordering.OVERLAP:
        return jobs if ordering is Ordering.TOTAL else 1
    visits = Counter((tract, patch) for tract, patch, _ in selection.project(("tract", "patch", "visit")))
    return round(max(visits.values(), default=1) * selection.scale(("visit", "patch")))


def _whole_run_job(label: str, parents: Sequence[str], costs: Costs) -> JobForecast:
    return JobForecast(
        label=label,
        quanta={},
        jobs=1,
        seconds=costs.overhead,
        cores=1,
        memory=None,
        disk=0.0,
        depth=1,
        sources=(costs.source,),
        parents=tuple(parents),
    )


def _final_job(forecasts: Sequence[JobForecast], requests: Mapping[str, Any], costs: Costs) -> JobForecast:
    """Add the job that tells the repository: it takes a hundredth of a second for a quantum, or so."""
    job = _whole_run_job("finalJob", [each.label for each in forecasts], costs)
    quanta = sum(sum(each.quanta.values()) for each in forecasts)
    request = requests.get("finalJob")
    return replace(
        job,
        seconds=costs.overhead + 0.01 * quanta,
        cores=request.cpus if request else 1,
        memory=request.memory if request else None,
        sources=(GUESS,),
    )
