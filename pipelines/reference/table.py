"""The table of what is relied on: its values, and its text."""

__all__ = [
    "Dataset",
    "PackageVersion",
    "PipelineFacts",
    "PublicTable",
    "TaskFacts",
    "dump_table",
    "load_table",
    "parse_table",
]

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from importlib import resources
from typing import Any

import yaml

_HEADER = """\
# What apcampaign relies on in Rubin's public pipelines. Written by tools/renew_table.py; by hand only:
# 'instrument', 'since' (the first weekly with all that campaigns need), 'part' (only these tasks of the pipeline
# are used), 'optional' (tasks that a campaign can do without), and tasks without facts, of which only the label
# counts.
"""


class _OnOneLine(list[str]):
    """A list that is written between brackets."""


class _Dumper(yaml.SafeDumper):
    """Writes `_OnOneLine` as what it is."""


_Dumper.add_representer(
    _OnOneLine, lambda dumper, data: dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=True)
)


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """What a task reads or writes under one dataset type.

    Parameters
    ----------
    storage_class
        The storage class of the task's connection.
    dimensions
        The required dimensions, in their standard order; ``skypix`` for any pixelization of the sky.
    prerequisite
        Whether it is looked up in the input collections before there is a graph.
    optional
        Whether the task does without.
    """

    storage_class: str
    dimensions: tuple[str, ...]
    prerequisite: bool = False
    optional: bool = False


@dataclass(frozen=True, kw_only=True)
class TaskFacts:
    """A task of a pipeline.

    Parameters
    ----------
    class_name
        Its class; `None` where only the label counts.
    config
        What the pipeline overrides in its configuration, by field.
    dimensions
        Its required dimensions; `None` if they are not known.
    inputs, outputs
        What it reads and writes, by dataset type; `None` if it is not known.
    """

    class_name: str | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    dimensions: tuple[str, ...] | None = None
    inputs: Mapping[str, Dataset] | None = None
    outputs: Mapping[str, Dataset] | None = None


@dataclass(frozen=True, kw_only=True)
class PipelineFacts:
    """A pipeline.

    Parameters
    ----------
    location
        Its file, with the variable of its package.
    instrument
        The instrument whose campaigns use it.
    parameters
        Those that its tasks use: their defaults, by name.
    subsets
        Their labels, by name.
    contracts
        Conditions on configurations that building a graph checks, with ``task.connection`` for the name of a
        connection's dataset type.
    tasks
        By label.
    optional
        Labels of the tasks that a campaign can do without.
    part
        Whether only these tasks of the pipeline are used.
    since
        The first weekly with all tasks that a campaign cannot do without.
    """

    location: str
    instrument: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    subsets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    contracts: tuple[str, ...] = ()
    tasks: Mapping[str, TaskFacts] = field(default_factory=dict)
    optional: tuple[str, ...] = ()
    part: bool = False
    since: str = ""

    @property
    def required(self) -> tuple[str, ...]:
        """Labels of the tasks that a campaign cannot do without."""
        return tuple(label for label in self.tasks if label not in self.optional)


@dataclass(frozen=True, kw_only=True)
class PackageVersion:
    """The state of a package that was read: its last weekly tag, its commit, and the date of that."""

    weekly: str
    commit: str
    date: date


@dataclass(frozen=True, kw_only=True)
class PublicTable:
    """The whole table: packages by name, pipelines by a name of ours."""

    packages: Mapping[str, PackageVersion]
    pipelines: Mapping[str, PipelineFacts]

    def describe_packages(self) -> str:
        """Say what was read, the newest first."""
        versions = sorted(self.packages.items(), key=lambda item: (item[1].date, item[0]), reverse=True)
        return ", ".join(f"{name} of {version.date} ({version.weekly})" for name, version in versions)


@functools.cache
def load_table() -> PublicTable:
    """Read the table that comes with apcampaign; once in a process, since several checks of it do."""
    return parse_table((resources.files(__package__) / "table.yaml").read_text(encoding="utf-8"))


def parse_table(text: str) -> PublicTable:
    """Read a table from its text."""
    content = yaml.safe_load(text)
    return PublicTable(
        packages={name: PackageVersion(**version) for name, version in content["packages"].items()},
        pipelines={name: _parse_pipeline(entry) for name, entry in content["pipelines"].items()},
    )


def _parse_pipeline(entry: Mapping[str, Any]) -> PipelineFacts:
    return PipelineFacts(
        location=entry["location"],
        instrument=entry.get("instrument", ""),
        parameters=entry.get("parameters", {}),
        subsets={name: tuple(labels) for name, labels in entry.get("subsets", {}).items()},
        contracts=tuple(entry.get("contracts", ())),
        tasks={label: _parse_task(task or {}) for label, task in entry["tasks"].items()},
        optional=tuple(entry.get("optional", ())),
        part=entry.get("part", False),
        since=entry.get("since", ""),
    )


def _parse_task(entry: Mapping[str, Any]) -> TaskFacts:
    dimensions = entry.get("dimensions")
    return TaskFacts(
        class_name=entry.get("class"),
        config=entry.get("config", {}),
        dimensions=None if dimensions is None else tuple(dimensions.split()),
        inputs=_parse_datasets(entry.get("inputs")),
        outputs=_parse_datasets(entry.get("outputs")),
    )


def _parse_datasets(entry: Mapping[str, str] | None) -> dict[str, Dataset] | None:
    """Read lines such as ``flat: ExposureF of instrument detector physical_filter, prerequisite``."""
    if entry is None:
        return None
    found = {}
    for name, text in entry.items():
        text, *marks = text.split(", ")
        storage_class, _, dimensions = text.partition(" of ")
        found[name] = Dataset(
            storage_class=storage_class,
            dimensions=tuple(dimensions.split()),
            prerequisite="prerequisite" in marks,
            optional="optional" in marks,
        )
    return found


def dump_table(table: PublicTable) -> str:
    """Write the text of a table. Tasks that several pipelines have are written once (YAML's aliases)."""
    written: dict[str, dict[str, Any] | None] = {}
    content = {
        "packages": {name: dict(vars(version)) for name, version in sorted(table.packages.items())},
        "pipelines": {name: _dump_pipeline(pipeline, written) for name, pipeline in table.pipelines.items()},
    }
    return _HEADER + yaml.dump(content, Dumper=_Dumper, sort_keys=False, width=110, allow_unicode=True)


def _dump_pipeline(facts: PipelineFacts, written: dict[str, dict[str, Any] | None]) -> dict[str, Any]:
    entry: dict[str, Any] = {"location": facts.location, "instrument": facts.instrument}
    if facts.since:
        entry["since"] = facts.since
    if facts.part:
        entry["part"] = True
    rest: dict[str, Any] = {
        "parameters": dict(facts.parameters),
        "subsets": {name: _OnOneLine(labels) for name, labels in facts.subsets.items()},
        "contracts": list(facts.contracts),
        "optional": _OnOneLine(facts.optional),
    }
    entry |= {key: value for key, value in rest.items() if value}
    entry["tasks"] = {}
    for label, task in facts.tasks.items():
        content = _dump_task(task)
        entry["tasks"][label] = written.setdefault(repr(content), content)
    return entry


def _dump_task(task: TaskFacts) -> dict[str, Any] | None:
    entry: dict[str, Any] = {}
    if task.class_name is not None:
        entry["class"] = task.class_name
    if task.dimensions is not None:
        entry["dimensions"] = " ".join(task.dimensions)
    if task.config:
        entry["config"] = dict(task.config)
    for key, datasets in (("inputs", task.inputs), ("outputs", task.outputs)):
        if datasets is not None:
            entry[key] = {name: _dump_dataset(dataset) for name, dataset in sorted(datasets.items())}
    return entry or None


def _dump_dataset(dataset: Dataset) -> str:
    dimensions = f" of {' '.join(dataset.dimensions)}" if dataset.dimensions else ""
    marks = [mark for mark in ("prerequisite", "optional") if getattr(dataset, mark)]
    return ", ".join([f"{dataset.storage_class}{dimensions}", *marks])
