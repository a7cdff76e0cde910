"""Forecast of the jobs of one run: how many there will be, what they take, and which wait for which."""

__all__ = ["Workload", "forecast_jobs"]

import operator
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import networkx as nx

from ...bps import Ordering
from ...ordering import CLUSTER_BY_VISIT, WRITER, find_tasks_between
from ..preflight.requests import JobRequests, Request
from ..preflight.run_spec import RunSpec
from ..preflight.selection import Selection
from .costs import GUESS, Costs
from .model import JobForecast

#: Seconds that the final job spends on registering the outputs of each quantum of the run. Not measured, an order
#: of magnitude: the final job is no task, and leaves no metadata to measure it by.
_FINAL_SECONDS = 0.01

type DataIds = set[tuple[Any, ...]]


@dataclass(frozen=True, kw_only=True)
class Workload:
    """What a run has to do.

    Parameters
    ----------
    spec
        The run.
    graph
        Its pipeline graph, sorted.
    selection
        What its data query selects.
    data_ids
        The data IDs of each task, those of its required dimensions.
    """

    spec: RunSpec
    graph: Any
    selection: Selection
    data_ids: Mapping[str, DataIds]

    def required(self, label: str) -> tuple[str, ...]:
        """Name the required dimensions of a task."""
        return tuple(self.graph.tasks[label].dimensions.required)

    def outputs(self, label: str) -> list[str]:
        """Name the dataset types that a task makes."""
        return [edge.parent_dataset_type_name for edge in self.graph.tasks[label].iter_all_outputs()]

    def count_quanta(self, label: str) -> int:
        """Count the quanta of a task."""
        return round(len(self.data_ids[label]) * self.selection.scale(self.required(label)))

    @property
    def clusters(self) -> Mapping[str, Mapping[str, Any]]:
        """The settings of its clusters, by name."""
        return self.spec.config.get("cluster") or {}

    @property
    def owners(self) -> dict[str, str]:
        """The label of the jobs that run a task, by task: its cluster, or the task itself."""
        owners = {label: label for label in self.graph.tasks}
        for name, section in self.clusters.items():
            for label in _split(section.get("pipetasks", "")):
                if label in owners:
                    owners[label] = name
        if self.spec.config.get("clusterAlgorithm") == CLUSTER_BY_VISIT:
            owners |= find_tasks_between(self.clusters, self.graph)
        return owners


def forecast_jobs(workload: Workload, costs: Costs, ordering: Ordering) -> tuple[JobForecast, ...]:
    """Forecast the jobs of a run.

    Parameters
    ----------
    workload
        What the run has to do.
    costs
        What its tasks take.
    ordering
        Which associations wait for which.

    Returns
    -------
    jobs
        By label, in an order in which they can run.
    """
    owners = workload.owners
    requests = JobRequests.read(workload.spec)
    order = _order_jobs(workload, owners)
    forecasts = []
    for name in nx.lexicographical_topological_sort(order, key=list(order).index):
        tasks = [label for label, owner in owners.items() if owner == name and workload.data_ids[label]]
        quanta = {label: workload.count_quanta(label) for label in tasks}
        jobs = _count_jobs(workload, name, tasks)
        work = sum(costs.of(label).seconds * count for label, count in quanta.items())
        request = requests.of_job(name, tasks)
        forecasts.append(
            JobForecast(
                label=name,
                quanta=quanta,
                jobs=jobs,
                seconds=work / jobs + costs.overhead,
                cores=request.cpus,
                memory=request.memory,
                disk=sum(
                    count * costs.disk_of(label, workload.outputs(label)) for label, count in quanta.items()
                ),
                depth=_find_depth(ordering, workload.selection, jobs) if WRITER in quanta else 1,
                sources=tuple(dict.fromkeys(source for label in tasks for source in costs.of(label).sources)),
                parents=tuple(order.predecessors(name)),
            )
        )
    first = _whole_run_job(requests.of_init(), (), costs)
    return (first, *forecasts, _final_job(forecasts, requests.of_final(), costs))


def _split(text: Any) -> list[str]:
    """Split a list as BPS writes it."""
    return str(text).replace(",", " ").split()


def _order_jobs(workload: Workload, owners: Mapping[str, str]) -> "nx.DiGraph[str]":
    """Find which labels of jobs wait for which, without edges that follow from others."""
    order: nx.DiGraph[str] = nx.DiGraph()
    order.add_nodes_from(dict.fromkeys(owners.values()))
    for label, owner in owners.items():
        for name in workload.outputs(label):
            for consumer in workload.graph.consumers_of(name):
                if owner != owners.get(consumer.label, owner):
                    order.add_edge(owner, owners[consumer.label])
    busy = {owners[label] for label, keys in workload.data_ids.items() if keys}
    # Through those that have nothing to do, others still wait for each other.
    return nx.transitive_reduction(nx.transitive_closure_dag(order).subgraph(busy))


def _count_jobs(workload: Workload, name: str, tasks: Sequence[str]) -> int:
    """Count the jobs of a label: for a cluster, the distinct values of its dimensions."""
    cluster, selection = workload.clusters.get(name), workload.selection
    if cluster is None or not cluster.get("dimensions"):
        return workload.count_quanta(tasks[0])
    dimensions = _split(cluster["dimensions"])
    pairs = [pair.split(":") for pair in _split(cluster.get("equalDimensions", ""))]
    same = {first: second for pair in pairs for first, second in (pair, pair[::-1])}
    found: DataIds = set()
    for label in tasks:
        names = tuple(name for name in workload.required(label) if name in selection.dimensions)
        values = [_find_getter(name, names, same.get(name, name), selection) for name in dimensions]
        found |= {tuple(value(key) for value in values if value) for key in workload.data_ids[label]}
    return round(len(found) * selection.scale(dimensions))


def _find_getter(
    name: str, names: Collection[str], other: str, selection: Selection
) -> Callable[[tuple[Any, ...]], Any] | None:
    """Find what gives the value of a dimension for a data ID; `None` if it has none."""
    places = {dimension: place for place, dimension in enumerate(names)}
    if name in places:
        return operator.itemgetter(places[name])
    if other not in places:
        return None
    # Such as the visit of a group: they go together one to one, under different names.
    known: dict[Any, Any] = dict(selection.project((other, name)))
    return lambda key: known[key[places[other]]]


def _find_depth(ordering: Ordering, selection: Selection, jobs: int) -> int:
    """Count the associations that wait for each other: the visits of the patch with most of them."""
    if ordering is not Ordering.OVERLAP:
        return jobs if ordering is Ordering.TOTAL else 1
    visits = Counter((tract, patch) for tract, patch, _ in selection.project(("tract", "patch", "visit")))
    return round(max(visits.values(), default=1) * selection.scale(("visit", "patch")))


def _whole_run_job(request: Request, parents: Sequence[str], costs: Costs) -> JobForecast:
    return JobForecast(
        label=request.label,
        quanta={},
        jobs=1,
        seconds=costs.overhead,
        cores=request.cpus,
        memory=request.memory,
        disk=0.0,
        depth=1,
        sources=costs.sources,
        parents=tuple(parents),
    )


def _final_job(forecasts: Sequence[JobForecast], request: Request, costs: Costs) -> JobForecast:
    """Forecast the job that registers the outputs in the repository."""
    quanta = sum(sum(each.quanta.values()) for each in forecasts)
    return replace(
        _whole_run_job(request, [each.label for each in forecasts], costs),
        seconds=costs.overhead + _FINAL_SECONDS * quanta,
        sources=(GUESS,),
    )
