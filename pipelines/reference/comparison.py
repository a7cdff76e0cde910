"""Comparison of a pipeline with the table, in plain words."""

__all__ = ["Difference", "Weight", "compare_pipelines"]

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from .table import Dataset, PipelineFacts, TaskFacts


class Weight(StrEnum):
    """What a difference means: campaigns break, their results may change, or it only should be known."""

    BREAKS = "breaks"
    CHANGES = "changes"
    NOTE = "note"


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One difference between the table and a pipeline.

    Parameters
    ----------
    weight
        What it means.
    subject
        What is different: ``tasks.isr.inputs.raw``, ``subsets.prompt``, …
    what
        It, in a sentence.
    """

    weight: Weight
    subject: str
    what: str


def compare_pipelines(expected: PipelineFacts, found: PipelineFacts) -> list[Difference]:
    """Compare a pipeline with what is relied on.

    What is not known of one of the two is not compared. Classes are compared by name, not by module.

    Parameters
    ----------
    expected
        What the table says.
    found
        What is there.
    """
    differences = [*_compare_labels(expected, found)]
    for label, task in expected.tasks.items():
        if label in found.tasks and task.class_name is not None:
            differences += _compare_tasks(
                label, task, found.tasks[label], optional=label in expected.optional
            )
    if not expected.part:
        differences += _compare_parameters(expected, found)
        differences += _compare_subsets(expected, found)
        differences += _compare_contracts(expected, found)
    return differences


def _compare_labels(expected: PipelineFacts, found: PipelineFacts) -> Iterator[Difference]:
    for label in expected.tasks:
        if label not in found.tasks:
            optional = label in expected.optional
            yield Difference(
                weight=Weight.NOTE if optional else Weight.BREAKS,
                subject=f"tasks.{label}",
                what=f"there is no task {label!r}" + (", which campaigns can do without" if optional else ""),
            )
    for label in found.tasks if not expected.part else ():
        if label not in expected.tasks:
            yield Difference(
                weight=Weight.NOTE,
                subject=f"tasks.{label}",
                what=f"there is a new task {label!r}; it is in no cluster, so each of its quanta is a job",
            )


def _compare_tasks(
    label: str, expected: TaskFacts, found: TaskFacts, *, optional: bool
) -> Iterator[Difference]:
    subject, breaks = f"tasks.{label}", Weight.NOTE if optional else Weight.BREAKS
    names = [(facts.class_name or "").rpartition(".")[2] for facts in (expected, found)]
    if names[0] != names[1]:
        what = f"the task {label!r} is {found.class_name}, not {expected.class_name}"
        yield Difference(weight=Weight.CHANGES, subject=f"{subject}.class", what=what)
    for field in sorted({*expected.config, *found.config}):
        if expected.config.get(field, ...) != found.config.get(field, ...):
            there, wanted = _describe_value(found.config, field), _describe_value(expected.config, field)
            what = f"{label}: {field} is {there}, not {wanted}"
            datasets = {**(expected.inputs or {}), **(expected.outputs or {})}
            named = field.startswith("connections.") and expected.config.get(field) in datasets
            yield Difference(
                weight=breaks if named else Weight.CHANGES, subject=f"{subject}.config.{field}", what=what
            )
    if None not in (expected.dimensions, found.dimensions) and expected.dimensions != found.dimensions:
        what = (
            f"{label}: a quantum is one ({_join(found.dimensions)}), not one ({_join(expected.dimensions)})"
        )
        yield Difference(weight=breaks, subject=f"{subject}.dimensions", what=what)
    if expected.inputs is not None and found.inputs is not None:
        yield from _compare_datasets(label, "inputs", expected.inputs, found.inputs, breaks)
    if expected.outputs is not None and found.outputs is not None:
        yield from _compare_datasets(label, "outputs", expected.outputs, found.outputs, breaks)


def _compare_datasets(
    label: str, key: str, expected: Mapping[str, Dataset], found: Mapping[str, Dataset], breaks: Weight
) -> Iterator[Difference]:
    verb = {"inputs": "read", "outputs": "write"}[key]
    for name in sorted({*expected, *found}):
        subject = f"tasks.{label}.{key}.{name}"
        if name not in found:
            weight = Weight.NOTE if expected[name].optional else breaks
            yield Difference(weight=weight, subject=subject, what=f"{label} does not {verb} {name!r}")
        elif name not in expected:
            needed = found[name].prerequisite and not found[name].optional
            what = f"{label} also {verb}s {_describe_dataset(name, found[name])}"
            yield Difference(weight=Weight.CHANGES if needed else Weight.NOTE, subject=subject, what=what)
        elif found[name] != expected[name]:
            what = (
                f"{label} {verb}s {_describe_dataset(name, found[name])}, "
                f"not {_describe_dataset(name, expected[name])}"
            )
            yield Difference(weight=breaks, subject=subject, what=what)


def _compare_parameters(expected: PipelineFacts, found: PipelineFacts) -> Iterator[Difference]:
    for name in sorted({*expected.parameters, *found.parameters}):
        subject = f"parameters.{name}"
        if name not in found.parameters:
            what = f"there is no parameter {name!r}"
            yield Difference(weight=Weight.BREAKS, subject=subject, what=what)
        elif name not in expected.parameters:
            needed = found.parameters[name] is None
            what = f"there is a new parameter {name!r}" + (", which must be given" if needed else "")
            yield Difference(weight=Weight.BREAKS if needed else Weight.NOTE, subject=subject, what=what)
        elif found.parameters[name] != expected.parameters[name]:
            what = f"the parameter {name!r} is {found.parameters[name]!r}, not {expected.parameters[name]!r}"
            yield Difference(weight=Weight.CHANGES, subject=subject, what=what)


def _compare_subsets(expected: PipelineFacts, found: PipelineFacts) -> Iterator[Difference]:
    for name, labels in expected.subsets.items():
        if name not in found.subsets:
            what = f"there is no subset {name!r}"
            yield Difference(weight=Weight.CHANGES, subject=f"subsets.{name}", what=what)
            continue
        for label in sorted(set(labels) ^ set(found.subsets[name])):
            verb = "lacks" if label in labels else "also has"
            what = f"the subset {name!r} {verb} {label!r}"
            yield Difference(weight=Weight.CHANGES, subject=f"subsets.{name}", what=what)
    for name in sorted({*found.subsets} - {*expected.subsets}):
        what = f"there is a new subset {name!r}"
        yield Difference(weight=Weight.NOTE, subject=f"subsets.{name}", what=what)


def _compare_contracts(expected: PipelineFacts, found: PipelineFacts) -> Iterator[Difference]:
    for contract in sorted({*expected.contracts} ^ {*found.contracts}):
        what = f"{'a new contract' if contract in found.contracts else 'no contract'}: {contract}"
        yield Difference(weight=Weight.NOTE, subject="contracts", what=what)


def _describe_value(config: Mapping[str, object], field: str) -> str:
    return repr(config[field]) if field in config else "left at its default"


def _describe_dataset(name: str, dataset: Dataset) -> str:
    kinds = [kind for kind in ("optional", "prerequisite") if getattr(dataset, kind)]
    facts = f"{name!r} ({dataset.storage_class}; {_join(dataset.dimensions) or 'no dimensions'})"
    return " ".join([*kinds, facts])


def _join(names: tuple[str, ...] | None) -> str:
    return ", ".join(names or ())
