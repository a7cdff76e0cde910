"""Facts of a pipeline, read through Rubin's own reader of pipelines."""

__all__ = ["read_pipeline"]

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import yaml

from ...common.errors import PipelineError
from ...common.text import first_line
from .table import Dataset, PipelineFacts, TaskFacts

#: How a contract names a connection's dataset type: ``task.connections.name``, or by way of ``ConnectionsClass``.
_CONNECTION = re.compile(r"(\w+)\.connections\.(?:ConnectionsClass\(config=\1\)\.)?(\w+)(?:\.name)?")
#: A value for each parameter without a default; nothing reads it before a task runs.
_ANY_VALUE = "label:any"


def read_pipeline(
    location: str, *, labels: Collection[str] | None = None, importing: bool = True
) -> tuple[PipelineFacts, str]:
    """Read the facts of a pipeline.

    Parameters
    ----------
    location
        Its file; variables of the environment are expanded.
    labels
        Take these of its tasks only, and only what is theirs alone.
    importing
        Whether to import the classes of its tasks, which know dimensions and dataset types.

    Returns
    -------
    facts, gap
        What was found, and why the tasks' dimensions, inputs and outputs are not known; empty if they are.

    Raises
    ------
    PipelineError
        If the file, or a file that it imports, cannot be read.
    """
    from lsst.pipe.base import Pipeline

    try:
        pipeline = Pipeline.from_uri(location)
        content = yaml.safe_load(str(pipeline))
    except Exception as error:
        raise PipelineError(
            f"the pipeline {location} cannot be read: {first_line(error)}",
            remedy="set up the packages that it imports from, all of one release",
        ) from error
    graph, gap = _resolve(location, content, labels) if importing else (None, "classes are not imported")
    tasks = {
        label: _read_task(entry, graph.tasks[label] if graph is not None else None)
        for label, entry in content["tasks"].items()
        if labels is None or label in labels
    }
    if labels is not None:
        return PipelineFacts(location=location, tasks=tasks, part=True), gap
    subsets = {name: tuple(sorted(_members(entry))) for name, entry in content.get("subsets", {}).items()}
    facts = PipelineFacts(
        location=location,
        instrument=content.get("instrument", "").rpartition(".")[2],
        parameters={
            name: value
            for name, value in sorted((content.get("parameters") or {}).items())
            if f"parameters.{name}" in {text for task in tasks.values() for text in _texts(task.config)}
        },
        subsets=dict(sorted(subsets.items())),
        contracts=tuple(sorted({_simplify(entry) for entry in content.get("contracts") or ()})),
        tasks=tasks,
    )
    return facts, gap


def _resolve(location: str, content: Mapping[str, Any], labels: Collection[str] | None) -> tuple[Any, str]:
    """Make a pipeline's graph, which imports the classes of its tasks; or say why it cannot be made."""
    from lsst.pipe.base import Pipeline

    wanted = (
        f"{location}#{','.join(label for label in content['tasks'] if label in labels)}"
        if labels
        else location
    )
    try:
        pipeline = Pipeline.from_uri(wanted)
        for name, value in (content.get("parameters") or {}).items():
            if value is None:
                pipeline.addConfigOverride("parameters", name, _ANY_VALUE)
        return pipeline.to_graph(), ""
    except Exception as error:
        return None, first_line(error)


def _read_task(entry: Any, node: Any) -> TaskFacts:
    entry = {"class": entry} if isinstance(entry, str) else entry
    facts = TaskFacts(class_name=str(entry["class"]), config=_read_config(entry.get("config")))
    if node is None:
        return facts
    return replace(
        facts,
        dimensions=_order(node.raw_dimensions),
        inputs=_read_datasets(node, node.iter_all_inputs()),
        outputs=_read_datasets(node, node.outputs.values()),
    )


def _read_config(blocks: Any) -> dict[str, Any]:
    """Join the overrides of a task; of those of one field the last one counts."""
    found: dict[str, Any] = {}
    for block in [blocks] if isinstance(blocks, dict) else blocks or []:
        found |= block
    return dict(sorted(found.items()))


def _read_datasets(node: Any, edges: Iterable[Any]) -> dict[str, Dataset]:
    connections = node.get_connections()
    return {
        edge.dataset_type_name: Dataset(
            storage_class=edge.storage_class_name,
            dimensions=_order(edge.raw_dimensions),
            prerequisite=getattr(edge, "is_prerequisite", False),
            optional=getattr(getattr(connections, edge.connection_name, None), "minimum", 1) == 0,
        )
        for edge in edges
    }


def _order(names: Iterable[str]) -> tuple[str, ...]:
    """Put required dimensions in their standard order, with those that they imply."""
    from lsst.daf.butler import DimensionUniverse

    universe = DimensionUniverse()
    known = [name for name in names if name in universe.dimensions.names]
    return (*universe.conform(known).required, *sorted(set(names) - set(known)))


def _texts(config: Mapping[str, Any]) -> Iterator[str]:
    return (value for value in config.values() if isinstance(value, str))


def _members(entry: Any) -> list[str]:
    return list(entry.get("subset", ()) if isinstance(entry, dict) else entry or ())


def _simplify(entry: Any) -> str:
    """Write a contract on one line, with ``task.connection`` for the name of a connection's dataset type."""
    text = entry["contract"] if isinstance(entry, dict) else str(entry)
    return " ".join(_CONNECTION.sub(r"\1.\2", text).split())
