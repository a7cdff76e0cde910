"""Jobs of a run that BPS has prepared, from its DAG, their submit descriptions and the quantum graph."""

__all__ = ["DataId", "PreparedJobs", "join_data_ids", "read_data_ids", "read_prepared_jobs"]

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from ...common.butler import butler_errors
from ...common.errors import LedgerError
from ...common.files import find_files
from ...ledger import Node, Workflow, read_dag

#: What the plugin's own jobs are called: those that only order others, and the DAGs inside of a DAG.
_OWN = "wms_"

_ATTRIBUTE = re.compile(r'^SET_JOB_ATTR (\w+)= "?([^"\n]*)"?$', re.MULTILINE)
_LABEL = re.compile(r'^\+bps_job_label = "([^"]*)"', re.MULTILINE)
_QUANTA = re.compile(r'^\+bps_job_quanta = "([^"]*)"', re.MULTILINE)
_IDS = re.compile(r"--qgraph-node-id[ =]([0-9a-f,-]+)")
_CPUS = re.compile(r"^request_cpus=(\d+)", re.MULTILINE)
#: A number, or an expression that raises it after a hold.
_MEMORY = re.compile(r"^request_memory=(?:.*: min\(\{max\(\{)?(\d+)", re.MULTILINE)

# On a cluster's file system each file takes milliseconds, nearly all of it waiting.
_THREADS = 8

#: Dimensions that have one value in a whole run.
_COMMON = {"instrument", "skymap"}

type DataId = Mapping[str, str | int]


@dataclass(frozen=True, kw_only=True)
class PreparedJobs:
    """The jobs of a run.

    Parameters
    ----------
    workflow
        The jobs, without those that only order others.
    jobs, quanta
        Their number by label, as BPS wrote them down.
    damage
        What of it is gone or cut off, in sentences.
    """

    workflow: Workflow
    jobs: Mapping[str, int]
    quanta: Mapping[str, int]
    damage: tuple[str, ...] = ()


def read_prepared_jobs(dag: Path, graph: Path) -> PreparedJobs:
    """Read the jobs of a run.

    Parameters
    ----------
    dag
        Its DAG, as the HTCondor plugin wrote it.
    graph
        Its quantum graph, which is whole.

    Raises
    ------
    LedgerError
        If the DAG cannot be read.
    RepositoryError
        If the graph cannot be read.
    """
    nodes = _resolve(dict(_list_nodes(dag)))
    attributes = dict(_ATTRIBUTE.findall(dag.read_text(encoding="utf-8", errors="replace")))
    jobs, quanta = (_read_counts(attributes.get(name, "")) for name in ("bps_job_summary", "bps_run_quanta"))
    described, without = {}, []
    data_ids = read_data_ids(graph)
    with ThreadPoolExecutor(_THREADS) as pool:
        for node, text in zip(nodes.values(), pool.map(_read_description, nodes.values()), strict=True):
            if text is None:
                without.append(node.name)
            else:
                described[node.name] = _describe(node, text, data_ids)
    damage = list(_find_missing(dag, jobs, Counter(node.label for node in described.values()), without))
    return PreparedJobs(workflow=Workflow(nodes=described), jobs=jobs, quanta=quanta, damage=tuple(damage))


def _list_nodes(dag: Path) -> Iterator[tuple[str, Node]]:
    """List the nodes of a DAG, and with each DAG inside of it its nodes, which wait for what that waits for."""
    for name, node in read_dag(dag).nodes.items():
        if not node.subdag:
            yield name, node
            continue
        inner: dict[str, Node] = {}
        for path in find_files(node.folder, "*.dag"):
            inner |= read_dag(path).nodes
        last = inner.keys() - {parent for each in inner.values() for parent in each.parents}
        for inside, each in inner.items():
            yield inside, replace(each, parents=each.parents or node.parents)
        yield name, replace(node, parents=tuple(sorted(last)) or node.parents)


def _resolve(nodes: Mapping[str, Node]) -> dict[str, Node]:
    """Leave out the nodes that only order others: what waits for one waits for those before it."""
    found: dict[str, tuple[str, ...]] = {}

    def parents_of(name: str) -> tuple[str, ...]:
        if name not in found:
            found[name] = tuple(
                dict.fromkeys(
                    each
                    for parent in nodes[name].parents
                    if parent in nodes
                    for each in (parents_of(parent) if parent.startswith(_OWN) else (parent,))
                )
            )
        return found[name]

    return {
        name: replace(node, parents=parents_of(name))
        for name, node in nodes.items()
        if not name.startswith(_OWN)
    }


def _read_description(node: Node) -> str | None:
    """Read the submit description of a job; `None` if it is gone."""
    try:
        return (node.folder / f"{node.name}.sub").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


def _describe(node: Node, text: str, data_ids: Mapping[str, DataId]) -> Node:
    """Add to a node what its submit description says."""
    label, quanta, ids, cpus, memory = (
        found[1] if (found := pattern.search(text)) else ""
        for pattern in (_LABEL, _QUANTA, _IDS, _CPUS, _MEMORY)
    )
    return replace(
        node,
        label=label or node.label,
        tags=join_data_ids(data_ids[each] for each in ids.split(",") if each in data_ids),
        quanta=_read_counts(quanta),
        request_cpus=int(cpus or 1),
        request_memory=float(memory) if memory else None,
    )


def join_data_ids(data_ids: Iterable[DataId]) -> dict[str, str | int]:
    """Give what the data ids of some quanta that have a dimension agree on."""
    values: dict[str, set[str | int]] = {}
    for data_id in data_ids:
        for key, value in data_id.items():
            values.setdefault(key, set()).add(value)
    left_out = {*_COMMON, "group"} if "visit" in values else _COMMON
    return {
        key: next(iter(found)) for key, found in values.items() if len(found) == 1 and key not in left_out
    }


def read_data_ids(graph: Path) -> dict[str, DataId]:
    """Read the data ids of all quanta of a graph, by the id of the quantum."""
    with butler_errors(f"the graph {graph} cannot be read"):
        from lsst.pipe.base.pipeline_graph import TaskImportMode
        from lsst.pipe.base.quantum_graph import PredictedQuantumGraph

        with PredictedQuantumGraph.open(str(graph), import_mode=TaskImportMode.DO_NOT_IMPORT) as reader:
            reader.read_thin_graph()
            return {
                str(quantum): dict(data_id.required)
                for quanta in reader.finish().quanta_by_task.values()
                for data_id, quantum in quanta.items()
            }


def _read_counts(text: str) -> dict[str, int]:
    """Read numbers by label, as BPS writes them: ``isr:12;calibrateImage:12``."""
    try:
        return {label: int(number) for label, number in (each.split(":") for each in text.split(";") if each)}
    except ValueError as error:
        raise LedgerError(f"{text[:100]!r} cannot be read as numbers of jobs or quanta by label") from error


def _find_missing(
    dag: Path, said: Mapping[str, int], found: Mapping[str, int], without: list[str]
) -> Iterator[str]:
    if without:
        yield f"the submit descriptions of {len(without)} jobs are gone, such as that of {without[0]}"
    if not said:
        yield f"{dag} is cut off: it does not end with the numbers of its jobs"
    lacking = sum(max(0, number - found.get(label, 0)) for label, number in said.items())
    if said and lacking > len(without):
        yield f"{dag} is cut off: {lacking} of its {sum(said.values())} jobs are not in it"
