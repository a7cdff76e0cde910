"""Cluster checks: jobs of several tasks must not wait for each other in a circle."""

__all__ = ["check_clusters"]

from collections.abc import Iterator
from typing import Any

from ...bps.lint import Finding, Severity
from ...ordering import CLUSTER_BY_VISIT, find_tasks_between
from .run_spec import RunSpec, make_finding


def check_clusters(spec: RunSpec, graph: Any) -> Iterator[Finding]:
    """Report clusters of which one job would have to run both before and after another.

    Parameters
    ----------
    spec
        The run.
    graph
        Its pipeline graph.
    """
    import networkx

    tasks = graph.make_task_xgraph()
    home: dict[str, str] = {}
    clusters = {
        str(name): section
        for name, section in (spec.config.get("cluster") or {}).items()
        if isinstance(section, dict) and isinstance(section.get("pipetasks"), str)
    }
    for name, section in clusters.items():
        for label in section["pipetasks"].split(","):
            home.setdefault(label.strip(), name)
    if spec.config.get("clusterAlgorithm") == CLUSTER_BY_VISIT:
        home |= find_tasks_between(clusters, graph)
    jobs = networkx.DiGraph()
    for before, after in tasks.edges:
        first, second = home.get(before.name, before.name), home.get(after.name, after.name)
        if first != second:
            jobs.add_edge(first, second)
    for circle in networkx.strongly_connected_components(jobs):
        if len(circle) < 2:
            continue
        waiting = sorted(circle & set(home.values()))
        others = sorted(circle - set(waiting))
        between = f" through {', '.join(others)}" if others else ""
        yield make_finding(
            Severity.ERROR,
            "cluster-cycle",
            f"the jobs of {' and '.join(map(repr, waiting))} would wait for themselves{between}",
            "BPS finds it only after the quantum graph is built, and stops",
            f"put the tasks between into the cluster, or take a task out of {waiting[0]!r}",
            key=f"{spec.name}: cluster.{waiting[0]}",
        )
