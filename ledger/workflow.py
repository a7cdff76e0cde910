"""Jobs of a run and their order: written when the run is prepared, or read from its DAG."""

__all__ = ["keep_dimensions", "read_workflow", "write_nodes", "write_workflow"]

import json
import logging
import os
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from ..common.errors import LedgerError
from ..common.files import write_atomically
from ..common.reading import read_bytes
from ..common.text import count
from .dag_file import count_missing, read_dag
from .nodes import Node, Workflow
from .paths import RunPaths

_log = logging.getLogger(__name__)

_NEW_GRAPHS = "see with `apcampaign summary` what is not done, and go on with `apcampaign resume --new-graph`"
_NO_DIMENSIONS = {"label", "node_number"}  # what else BPS puts among the tags of a job


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
    if missing := count_missing(workflow, expected):
        raise LedgerError(
            f"{dag} is cut off: it lacks {missing:,} of the {count(expected, 'job')} of its run",
            remedy=_NEW_GRAPHS,
        )
    return workflow


def _read_jobs(paths: RunPaths) -> dict[str, Node]:
    jobs = json.loads(read_bytes(paths.jobs))
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
