"""Jobs of a run and their order: written when the run is prepared, or read from its DAG."""

__all__ = [
    "Node",
    "Workflow",
    "is_dag_whole",
    "keep_dimensions",
    "read_dag",
    "read_workflow",
    "write_nodes",
    "write_workflow",
]

import json
import logging
import os
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..common.errors import LedgerError
from ..common.files import write_atomically
from ..common.text import count
from .paths import RunPaths

_log = logging.getLogger(__name__)

_NODE = re.compile(r'(JOB|FINAL|SUBDAG EXTERNAL)\s+(\S+)\s+"?([^"\s]+)"?(?:\s+DIR\s+"?([^"\s]+)"?)?')

_NEW_GRAPHS = "see with `apcampaign summary` what is not done, and go on with `apcampaign resume --new-graph`"
_NO_DIMENSIONS = {"label", "node_number"}  # what else BPS puts among the tags of a job


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


def write_workflow(
    paths: RunPaths,
    workflow: Any,
    output_run: str,
    *,
    order: Collection[tuple[str, str]] = (),
) -> None:
    """Write the jobs of a run next to its record.

    Parameters
    ----------
    paths
        The run's files.
    workflow
        BPS's generic workflow, prepared.
    output_run
        Its RUN collection.
    order
        The edges, as pairs of names, that count as `Node.order_parents`.
    """
    dag = paths.dag(output_run)
    placed = read_dag(dag).nodes if dag.exists() else {}  # only the DAG says where BPS put a job's files
    names = list(workflow)
    if final := workflow.get_final():
        names.append(final.name)
    numbers = {name: number for number, name in enumerate(names)}
    before: dict[str, list[int]] = {}
    for parent, child in order:
        before.setdefault(child, []).append(numbers[parent])
    jobs = []
    for name in names:
        job = final if final and name == final.name else workflow.get_job(name)
        parents = workflow.predecessors(name) if name in workflow else ()
        jobs.append(
            {
                "name": name,
                "label": job.label,
                "tags": keep_dimensions(getattr(job, "tags", {})),
                "quanta": dict(getattr(job, "quanta_counts", {})),
                "memory": getattr(job, "request_memory", None),
                "cpus": getattr(job, "request_cpus", None) or 1,
                "parents": [numbers[parent] for parent in parents],
                "folder": str(placed[name].folder.relative_to(paths.submit)) if name in placed else ".",
                **({"order": before[name]} if name in before else {}),
                **({"final": True} if final and name == final.name else {}),
            }
        )
    _write_jobs(paths, jobs)


def keep_dimensions(tags: Mapping[str, Any]) -> dict[str, Any]:
    """Give those of BPS's tags of a job that are of its data id."""
    return {key: value for key, value in tags.items() if key not in _NO_DIMENSIONS}


def write_nodes(paths: RunPaths, workflow: Workflow, submit: Path) -> None:
    """Write the jobs of a run that somebody else has prepared next to its record.

    Parameters
    ----------
    paths
        The run's files.
    workflow
        Its jobs.
    submit
        BPS's submit directory, in which they are.
    """
    numbers = {name: number for number, name in enumerate(workflow.nodes)}
    jobs = [
        {
            "name": node.name,
            "label": node.label,
            "tags": dict(node.tags),
            "quanta": dict(node.quanta),
            "memory": node.request_memory,
            "cpus": node.request_cpus,
            "parents": [numbers[parent] for parent in node.parents],
            "folder": os.path.relpath(node.folder, submit),
            **({"final": True} if node.final else {}),
        }
        for node in workflow.nodes.values()
    ]
    _write_jobs(paths, jobs)


def _write_jobs(paths: RunPaths, jobs: Iterable[Mapping[str, Any]]) -> None:
    lines = ",\n".join(json.dumps(job, default=str, separators=(",", ":")) for job in jobs)
    write_atomically(paths.jobs, f"[\n{lines}\n]\n")


def read_workflow(paths: RunPaths, output_run: str, *, expected: int = 0) -> Workflow:
    """Read the jobs of a run from what `write_workflow` wrote, or else from its DAG, which tells less.

    Parameters
    ----------
    paths
        The run's files.
    output_run
        Its RUN collection, after which the DAG is named.
    expected
        How many jobs the run's record says that it has.

    Raises
    ------
    LedgerError
        If neither can be read, or the DAG has fewer jobs: it is cut off.
    """
    dag = paths.dag(output_run)
    try:
        return Workflow(nodes=_read_jobs(paths))
    except FileNotFoundError:
        pass
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        damage = f"{paths.jobs} cannot be read: {type(error).__name__}: {error}"
        if not dag.exists():
            raise LedgerError(damage, remedy=_NEW_GRAPHS) from error
        _log.warning(
            "%s; the jobs are read from %s, which tells neither quanta nor requests", damage, dag.name
        )
    try:
        workflow = read_dag(dag)
    except LedgerError as error:
        raise LedgerError(error.what, remedy=_NEW_GRAPHS) from error
    if missing := _count_missing(workflow, expected):
        raise LedgerError(
            f"{dag} is cut off: it lacks {missing:,} of the {count(expected, 'job')} of its run",
            remedy=_NEW_GRAPHS,
        )
    return workflow


def is_dag_whole(dag: Path, jobs: int) -> bool:
    """Tell whether a DAG of BPS can be read, and has all the jobs of its run."""
    try:
        return not _count_missing(read_dag(dag), jobs)
    except LedgerError:
        return False


def _count_missing(workflow: Workflow, expected: int) -> int:
    """Count the jobs that a DAG lacks; of jobs in groups it does not tell itself."""
    grouped = any(node.subdag for node in workflow.nodes.values())
    return 0 if grouped else max(expected - len(workflow.nodes), 0)


def _read_jobs(paths: RunPaths) -> dict[str, Node]:
    jobs = json.loads(paths.jobs.read_bytes())
    names = [job["name"] for job in jobs]
    folders = {folder: paths.submit / folder for folder in {job["folder"] for job in jobs}}
    return {
        job["name"]: Node(
            name=job["name"],
            label=job["label"],
            folder=folders[job["folder"]],
            tags=job["tags"],
            quanta=job["quanta"],
            parents=tuple([names[number] for number in job["parents"]]),
            order_parents=tuple([names[number] for number in job.get("order", ())]),
            request_memory=job["memory"],
            request_cpus=job["cpus"],
            final=job.get("final", False),
        )
        for job in jobs
    }


def read_dag(path: Path) -> Workflow:
    """Read the nodes of an HTCondor DAG and their edges.

    Raises
    ------
    LedgerError
        If it cannot be read.
    """
    heads: dict[str, tuple[str, str, Path]] = {}
    parents: dict[str, list[str]] = {}
    try:
        with path.open(encoding="utf-8") as stream:
            for line in stream:
                if line.startswith("PARENT "):
                    before, after = line[7:].split(" CHILD ")
                    for child in after.split():
                        parents.setdefault(child, []).extend(before.split())
                elif found := _NODE.match(line):
                    kind, name, _, folder = found.groups()
                    # BPS gives the jobs of a label a folder of that name.
                    parts = Path(folder).parts if folder else ()
                    label = parts[1] if len(parts) > 1 and parts[0] == "jobs" else name
                    heads[name] = (kind, label, path.parent / (folder or ""))
    except (OSError, ValueError) as error:
        raise LedgerError(f"{path} cannot be read as a DAG: {error}") from error
    return Workflow(
        nodes={
            name: Node(
                name=name,
                label=label,
                folder=folder,
                parents=tuple(parents.get(name, ())),
                final=kind == "FINAL",
                subdag=kind == "SUBDAG EXTERNAL",
            )
            for name, (kind, label, folder) in heads.items()
        }
    )
