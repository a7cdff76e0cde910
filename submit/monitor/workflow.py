"""The jobs that a run consists of: written when it is prepared, or read from its DAG."""

__all__ = [
    "Node",
    "Workflow",
    "read_dag",
    "read_errors",
    "read_exit",
    "read_rescue",
    "read_workflow",
    "write_workflow",
]

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...common.errors import SubmissionError
from ...common.files import write_atomically
from ..paths import RunPaths

_NODE = re.compile(r'(JOB|FINAL|SUBDAG EXTERNAL)\s+(\S+)\s+"?([^"\s]+)"?(?:\s+DIR\s+"?([^"\s]+)"?)?')

_ERROR = re.compile(rb'Node = "([^"]+)";\s+NodeStatus = 6;[^\n]*\s+StatusDetails = "([^"]*)"')
_NO_DIMENSIONS = {"label", "node_number"}  # what else BPS puts among the tags of a job


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """What a workflow says of a job; the names mean what they mean in `Job`."""

    name: str
    label: str
    folder: Path
    tags: Mapping[str, str | int] = field(default_factory=dict)
    quanta: Mapping[str, int] = field(default_factory=dict)
    parents: tuple[str, ...] = ()
    request_memory: float | None = None
    request_cpus: int = 1
    final: bool = False


@dataclass(frozen=True, kw_only=True)
class Workflow:
    """The jobs of a run.

    Parameters
    ----------
    nodes
        By name, in the order of the file.
    """

    nodes: Mapping[str, Node]

    def prune(self, failed: set[str], alive: set[str]) -> set[str]:
        """Find the jobs that cannot run since a job before them failed.

        Parameters
        ----------
        failed
            The names of the jobs that failed.
        alive
            The names of those that have not begun.
        """
        children: dict[str, list[str]] = {}
        for node in self.nodes.values():
            for parent in node.parents:
                children.setdefault(parent, []).append(node.name)
        pruned: set[str] = set()
        front = list(failed)
        while front:
            for child in children.get(front.pop(), ()):
                if child in alive and child not in pruned:
                    pruned.add(child)
                    front.append(child)
        return pruned


def write_workflow(paths: RunPaths, workflow: Any, output_run: str) -> None:
    """Write down the jobs of a run.

    Parameters
    ----------
    paths
        The run's files.
    workflow
        BPS's generic workflow, prepared.
    output_run
        Its RUN collection.
    """
    dag = paths.dag(output_run)
    placed = read_dag(dag).nodes if dag.exists() else {}
    names = list(workflow)
    if final := workflow.get_final():
        names.append(final.name)
    numbers = {name: number for number, name in enumerate(names)}
    page = []
    for name in names:
        job = final if final and name == final.name else workflow.get_job(name)
        parents = workflow.predecessors(name) if name in workflow else ()
        page.append(
            {
                "name": name,
                "label": job.label,
                "tags": {
                    key: value for key, value in getattr(job, "tags", {}).items() if key not in _NO_DIMENSIONS
                },
                "quanta": dict(getattr(job, "quanta_counts", {})),
                "memory": getattr(job, "request_memory", None),
                "cpus": getattr(job, "request_cpus", None) or 1,
                "parents": [numbers[parent] for parent in parents],
                "folder": str(placed[name].folder.relative_to(paths.submit)) if name in placed else ".",
                **({"final": True} if final and name == final.name else {}),
            }
        )
    lines = ",\n".join(json.dumps(job, default=str, separators=(",", ":")) for job in page)
    write_atomically(paths.jobs, f"[\n{lines}\n]\n")


def read_workflow(paths: RunPaths, output_run: str) -> Workflow:
    """Read the jobs of a run, from the page that was written or else from its DAG, which tells less.

    Parameters
    ----------
    paths
        The run's files.
    output_run
        Its RUN collection, after which the DAG is named.

    Raises
    ------
    SubmissionError
        If neither can be read.
    """
    try:
        return Workflow(nodes=_read_page(paths))
    except FileNotFoundError:
        return read_dag(paths.dag(output_run))
    except (ValueError, LookupError, TypeError) as error:
        raise SubmissionError(f"{paths.jobs} cannot be read: {type(error).__name__}: {error}") from error


def _read_page(paths: RunPaths) -> dict[str, Node]:
    page = json.loads(paths.jobs.read_bytes())
    names = [job["name"] for job in page]
    folders = {folder: paths.submit / folder for folder in {job["folder"] for job in page}}
    return {
        job["name"]: Node(
            name=job["name"],
            label=job["label"],
            folder=folders[job["folder"]],
            tags=job["tags"],
            quanta=job["quanta"],
            parents=tuple([names[number] for number in job["parents"]]),
            request_memory=job["memory"],
            request_cpus=job["cpus"],
            final=job.get("final", False),
        )
        for job in page
    }


def read_dag(path: Path) -> Workflow:
    """Read the nodes of an HTCondor DAG and their edges.

    Raises
    ------
    SubmissionError
        If it cannot be read.
    """
    heads: dict[str, tuple[str, Path, bool]] = {}
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
                    words = Path(folder).parts if folder else ()
                    label = words[1] if len(words) > 1 and words[0] == "jobs" else name
                    heads[name] = (label, path.parent / (folder or ""), kind == "FINAL")
    except OSError as error:
        raise SubmissionError(f"{path} cannot be read: {error}") from error
    return Workflow(
        nodes={
            name: Node(
                name=name, label=label, folder=folder, parents=tuple(parents.get(name, ())), final=final
            )
            for name, (label, folder, final) in heads.items()
        }
    )


def read_exit(dag: Path) -> int | None:
    """Read what the DAGMan of a DAG ended with; `None` while it goes on, or before."""
    try:
        with dag.with_name(f"{dag.name}.dagman.out").open("rb") as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - 500))
            last = stream.read().splitlines()[-1:]
    except FileNotFoundError:
        return None
    found = re.search(rb"EXITING WITH STATUS (\d+)", last[0]) if last else None
    return int(found[1]) if found else None


def read_errors(dag: Path) -> dict[str, str]:
    """Read which nodes DAGMan calls failed, and what it says of them."""
    try:
        text = dag.with_suffix(".node_status").read_bytes()
    except FileNotFoundError:
        return {}
    return {found[1].decode(): found[2].decode() for found in _ERROR.finditer(text)}


def read_rescue(dag: Path) -> frozenset[str] | None:
    """Read which nodes were done when a DAG ended before; `None` if it has not."""
    rescues = sorted(dag.parent.glob(f"{dag.name}.rescue[0-9][0-9][0-9]"))
    if not rescues:
        return None
    with rescues[-1].open(encoding="utf-8") as stream:
        return frozenset(line.split()[1] for line in stream if line.startswith("DONE "))
