"""What was made of associations, by pipelines and data ids: all that is known of a run whose graph is gone."""

__all__ = ["Reach", "TaskShape", "find_downstream", "find_made", "read_shapes"]

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from itertools import batched
from pathlib import Path
from typing import Any

import yaml

from ..bps import GRAPH_OPTIONS, read_config_overrides
from ..common.butler import query_run, query_visits
from ..common.errors import LedgerError, PipelineError
from ..common.text import first_line
from ..ledger import RunRecord, has_graph
from ..ordering import READER, WRITER, VisitDetector
from ..submit.preflight.pipelines import load_graph, read_pipeline_graph
from ..submit.preflight.run_spec import RunSpec

_VISITS = frozenset(("visit", "exposure", "group"))
_BATCH = 500  # of a query


class Reach(IntEnum):
    """How far the datasets of a type that depend on an association go."""

    DETECTOR = 0
    VISIT = 1
    ALL = 2


@dataclass(frozen=True)
class TaskShape:
    """The dimensions of a task, and the dataset types that it reads and writes."""

    dimensions: frozenset[str]
    inputs: frozenset[str]
    outputs: frozenset[str]


def find_downstream(tasks: Mapping[str, TaskShape]) -> dict[str, Reach]:
    """Find the dataset types that depend on what is read from or written to the APDB. Asks nobody.

    Parameters
    ----------
    tasks
        All tasks of a pipeline by label.
    """
    found: dict[str, Reach] = {}
    changed = True
    while changed:
        changed = False
        for label, task in tasks.items():
            before = [found[name] for name in task.inputs if name in found]
            if not before and label not in (READER, WRITER):
                continue
            reach = max(_reach_of(task.dimensions), *before) if before else _reach_of(task.dimensions)
            for name in task.outputs:
                if found.get(name, -1) < reach:
                    found[name], changed = reach, True
    return found


def _reach_of(dimensions: Collection[str]) -> Reach:
    if _VISITS.isdisjoint(dimensions):
        return Reach.ALL
    return Reach.DETECTOR if "detector" in dimensions else Reach.VISIT


def read_shapes(runs: Iterable[RunRecord]) -> dict[str, TaskShape]:
    """Read the tasks of runs: from their graphs, or from the pipelines of those whose graph is gone.

    Raises
    ------
    ApcampaignError
        If one of these cannot be read any more.
    """
    tasks: dict[str, TaskShape] = {}
    for run in sorted(runs, key=lambda run: not has_graph(run)):
        if run.quanta and tasks.keys() >= run.quanta.keys():
            continue
        graph = read_pipeline_graph(run.graph) if has_graph(run) else None
        if graph is None or not graph.tasks.keys() >= run.quanta.keys():
            graph = _load_pipeline(run)  # that file is gone, or is the graph of another run
        for label, task in graph.tasks.items():
            tasks[label] = TaskShape(
                frozenset(task.raw_dimensions),
                frozenset(edge.parent_dataset_type_name for edge in task.iter_all_inputs()),
                frozenset(edge.parent_dataset_type_name for edge in task.iter_all_outputs()),
            )
    return tasks


def _load_pipeline(run: RunRecord) -> Any:
    """Load the pipeline of a run by its submit file."""
    gone = f"{run.output_run} has no graph of its own any more"
    try:
        config = yaml.safe_load(Path(run.config).read_text(encoding="utf-8"))
        pipeline = os.path.expandvars(str(config["pipelineYaml"]))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, LookupError, TypeError) as error:
        raise LedgerError(f"{gone}, and {run.config} cannot be read: {first_line(error)}") from error
    spec = RunSpec(
        name=run.name,
        butler=run.butler,
        inputs=run.inputs,
        output=run.output,
        output_run=run.output_run,
        query=run.query,
        pipeline=pipeline,
        overrides=tuple(read_config_overrides(str(config.get(GRAPH_OPTIONS, "")))),
    )
    graph, findings = load_graph(spec, None)
    if graph is None:
        raise PipelineError(f"{gone}, and {findings[0].what}", remedy=findings[0].remedy)
    if lacking := [label for label in run.quanta if label not in graph.tasks]:
        raise PipelineError(
            f"{gone}, and {pipeline} has no {', '.join(lacking)} any more",
            remedy="set up the software that it was made with",
        )
    return graph


def find_made(
    butler: Any, run: RunRecord, again: Collection[VisitDetector], reaches: Mapping[str, Reach]
) -> Iterator[Any]:
    """Find the datasets of a run that depend on some associations.

    Parameters
    ----------
    butler
        Its repository.
    run
        The run.
    again
        The associations.
    reaches
        Which dataset types depend on associations, and how far.

    Yields
    ------
    refs
        Their references; none if the repository does not know the run.
    """
    if run.output_run not in set(butler.collections.query("*")):
        return
    visits = {visit for visit, _ in again}
    images: dict[str, dict[str, set[int]]] | None = None
    for name, refs in query_run(butler, run.output_run, tuple(reaches)):
        if (reach := reaches.get(name)) is None:
            continue
        for ref in refs:
            data_id = dict(ref.dataId.required)
            if reach is Reach.ALL or _VISITS.isdisjoint(data_id):
                yield ref
                continue
            if "visit" in data_id:
                of = {int(data_id["visit"])} & visits
            else:
                if images is None:
                    images = _read_images(butler, str(data_id["instrument"]), visits)
                dimension = "group" if "group" in data_id else "exposure"
                of = images[dimension].get(str(data_id[dimension]), set())
            if reach is Reach.VISIT or "detector" not in data_id:
                chosen = bool(of)
            else:
                chosen = any((visit, int(data_id["detector"])) in again for visit in of)
            if chosen:
                yield ref


def _read_images(butler: Any, instrument: str, visits: Collection[int]) -> dict[str, dict[str, set[int]]]:
    """Read which of some visits an exposure and a group belong to."""
    exposures: dict[str, set[int]] = {}
    for record in query_visits(butler, "visit_definition", instrument, visits):
        exposures.setdefault(str(record.exposure), set()).add(int(record.visit))
    groups: dict[str, set[int]] = {}
    for numbers in batched(sorted(map(int, exposures)), _BATCH):
        for record in butler.query_dimension_records(
            "exposure",
            where="exposure IN (:exposures)",
            bind={"exposures": list(numbers)},
            instrument=instrument,
            limit=None,
            explain=False,
        ):
            groups.setdefault(str(record.group), set()).update(exposures[str(record.id)])
    return {"exposure": exposures, "group": groups}
