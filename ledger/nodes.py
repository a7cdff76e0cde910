"""The jobs of a run and what they wait for."""

__all__ = ["Node", "Workflow"]

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A job of a workflow, or a DAG inside of a DAG.

    Parameters
    ----------
    name, label
        As BPS named it.
    folder
        Where its files are.
    tags
        The data id that its quanta have in common, where it is known.
    quanta
        The number of its quanta by task label.
    parents
        The names of the jobs that it waits for.
    order_parents
        Those of them after whose failure it runs all the same: an earlier association of the same sky.
    request_memory, request_cpus
        What it requests, in MiB and cores.
    final
        Whether it runs last, whatever became of the others.
    subdag
        Whether it is a DAG of its own.
    """

    name: str
    label: str
    folder: Path
    tags: Mapping[str, str | int] = field(default_factory=dict)
    quanta: Mapping[str, int] = field(default_factory=dict)
    parents: tuple[str, ...] = ()
    order_parents: tuple[str, ...] = ()
    request_memory: float | None = None
    request_cpus: int = 1
    final: bool = False
    subdag: bool = False


@dataclass(frozen=True, kw_only=True)
class Workflow:
    """The jobs of a run.

    Parameters
    ----------
    nodes
        By name, in the order of the file.
    """

    nodes: Mapping[str, Node]

    def prune(self, failed: set[str], alive: set[str], waited_for: set[str] | None = None) -> set[str]:
        """Find the jobs that cannot run since a job before them failed.

        Parameters
        ----------
        failed
            The names of the jobs that failed.
        alive
            The names of those that have not begun.
        waited_for
            The names of those that also keep from running whatever only waits for its turn after them.
        """
        waited_for = waited_for or set()
        children: dict[str, list[str]] = {}
        for node in self.nodes.values():
            in_turn = set(node.order_parents)
            for parent in node.parents:
                if parent not in in_turn or parent in waited_for:
                    children.setdefault(parent, []).append(node.name)
        pruned: set[str] = set()
        front = list(failed)
        while front:
            for child in children.get(front.pop(), ()):
                if child in alive and child not in pruned:
                    pruned.add(child)
                    front.append(child)
        return pruned
