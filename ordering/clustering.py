"""How BPS makes jobs of quanta: by visit, whatever the groups and exposures of the visits are called."""

__all__ = ["CLUSTER_BY_VISIT", "cluster_by_visit", "find_tasks_between"]

from collections.abc import Collection, Iterable, Mapping
from types import SimpleNamespace
from typing import Any

#: Dimensions that stand for a visit before there is one.
_BEFORE_VISIT = ("exposure", "group")

#: The full name of `cluster_by_visit`, as BPS's configuration has it.
CLUSTER_BY_VISIT = "apcampaign.ordering.clustering.cluster_by_visit"

type _Visits = dict[tuple[str, Any], int]


def cluster_by_visit(config: Any, qgraph: Any, name: str) -> Any:
    """Cluster quanta as BPS's own function does, except that all quanta of a visit have the same visit.

    BPS takes a quantum's group for its visit (``equalDimensions: visit:group``), and names the cluster after it.
    Groups are named after the time of their exposure, such as ``2025-09-05T03:12:44.123``: the quanta of a visit
    would be in two clusters. This function takes the visit from the graph: that of the quanta beside.

    A task that is in no cluster but between two of the same cluster joins it, if its dimensions allow: without
    this, the cluster would wait for itself. Pipelines add such tasks, for example to inject sources.

    Parameters
    ----------
    config
        BPS's configuration; its ``clusterAlgorithm`` names this function.
    qgraph
        The quantum graph.
    name
        The name of the result.

    Returns
    -------
    clustered
        BPS's clustered quantum graph.
    """
    from lsst.ctrl.bps import BpsConfig, ClusteredQuantumGraph
    from lsst.ctrl.bps.quantum_clustering_funcs import dimension_clustering

    config = BpsConfig(config)
    sections = config["cluster"]
    graph = qgraph.pipeline_graph
    for task, cluster in find_tasks_between({name: sections[name] for name in sections}, graph).items():
        config[f".cluster.{cluster}.pipetasks"] = f"{config['cluster'][cluster]['pipetasks']},{task}"
    sections = config["cluster"]
    dimensions_of = {
        task: frozenset(_split(sections[cluster]["dimensions"]))
        for cluster in sections
        if "dimensions" in sections[cluster]
        for task in _split(sections[cluster]["pipetasks"])
    }
    found = dimension_clustering(config, _ByVisit(qgraph, dimensions_of), name)
    # BPS goes on with the graph as it is.
    clustered = ClusteredQuantumGraph(
        name=name, qgraph=qgraph, qgraph_filename=config[".bps_defined.runQgraphFile"]
    )
    clustered.add_cluster(list(found.clusters()))
    for cluster in found.clusters():
        for child in found.successors(cluster.name):
            clustered.add_dependency(cluster.name, child.name)
    return clustered


def find_tasks_between(clusters: Mapping[str, Mapping[str, Any]], pipeline_graph: Any) -> dict[str, str]:
    """Find the tasks in no cluster that come after one task of a cluster and before another one of it.

    Parameters
    ----------
    clusters
        BPS's settings of clusters, by name.
    pipeline_graph
        The pipeline graph.

    Returns
    -------
    between
        The cluster that each such task joins; without those whose dimensions do not allow it.
    """
    import networkx

    graph: networkx.DiGraph[str] = networkx.DiGraph(
        (before.name, after.name) for before, after in pipeline_graph.make_task_xgraph().edges
    )
    tasks = {name: _split(section["pipetasks"]) for name, section in clusters.items()}
    clustered = {task for members in tasks.values() for task in members}
    between: dict[str, str] = {}
    for name, section in clusters.items():
        present = [task for task in tasks[name] if task in graph]
        after = {task for member in present for task in networkx.descendants(graph, member)}
        before = {task for member in present for task in networkx.ancestors(graph, member)}
        wanted = set(_split(section["dimensions"])) if "dimensions" in section else set()
        for task in sorted((after & before) - clustered - between.keys()):
            if wanted <= _names_with_visit(pipeline_graph.tasks[task].dimensions.names):
                between[task] = name
    return between


class _ByVisit:
    """A quantum graph in the data IDs of which visits stand for groups and exposures.

    Parameters
    ----------
    qgraph
        The graph.
    dimensions_of
        The dimensions of the cluster of each task that is in one.
    """

    def __init__(self, qgraph: Any, dimensions_of: Mapping[str, frozenset[str]]):
        self._qgraph = qgraph
        graph = qgraph.quantum_only_xgraph
        names = {
            label: frozenset(task.dimensions.names) for label, task in qgraph.pipeline_graph.tasks.items()
        }
        visits = _find_visits(graph, names)
        groups = {visit: group for (dimension, group), visit in visits.items() if dimension == "group"}
        self.quantum_only_xgraph = graph.__class__(graph)  # with node data of its own
        for _, info in self.quantum_only_xgraph.nodes.items():
            label, data_id = info["task_label"], info["data_id"]
            wanted = dimensions_of.get(label)
            if "visit" not in names[label]:
                if wanted is None or "visit" in wanted:
                    info["data_id"] = _replace_by_visit(data_id, visits)
            elif wanted is not None and "group" in wanted and "visit" not in wanted:
                info["data_id"] = _replace(data_id, ("visit",), "group", groups.get(data_id["visit"]))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._qgraph, name)


def _find_visits(graph: Any, names: Mapping[str, frozenset[str]]) -> _Visits:
    """Find the visit of each group and exposure from the quanta beside; the first, if there are several."""
    visits: _Visits = {}
    nodes = graph.nodes
    for edge in graph.edges:
        for one, other in (edge, edge[::-1]):
            mine = names[nodes[one]["task_label"]]
            if "visit" in mine or "visit" not in names[nodes[other]["task_label"]]:
                continue
            visit = nodes[other]["data_id"]["visit"]
            for dimension in _BEFORE_VISIT:
                if dimension in mine:
                    key = dimension, nodes[one]["data_id"][dimension]
                    visits[key] = min(visit, visits.get(key, visit))
    return visits


def _replace_by_visit(data_id: Any, visits: _Visits) -> Any:
    for dimension in _BEFORE_VISIT:
        if dimension in data_id.mapping:
            visit = visits.get((dimension, data_id[dimension]))
            return _replace(data_id, _BEFORE_VISIT, "visit", visit)
    return data_id


def _replace(data_id: Any, old: Collection[str], new: str, value: Any) -> Any:
    """Give what BPS's clustering reads of a data ID, with another dimension; as it is if there is no value."""
    if value is None:
        return data_id
    return SimpleNamespace(
        mapping={**{name: known for name, known in data_id.mapping.items() if name not in old}, new: value},
        required={**{name: known for name, known in data_id.required.items() if name not in old}, new: value},
    )


def _names_with_visit(names: Iterable[str]) -> set[str]:
    """Add the visit to the dimensions of a task that has its group or exposure."""
    found = set(names)
    return found | {"visit"} if found & set(_BEFORE_VISIT) else found


def _split(text: Any) -> list[str]:
    """Split a list as BPS writes it."""
    return [part.strip() for part in str(text).split(",")]
