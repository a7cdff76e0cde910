"""Pipeline checks: they load, and the templates that one run needs are those that the other makes."""

__all__ = ["check_templates_made", "load_graph", "read_pipeline_graph"]

import difflib
from collections.abc import Iterable, Iterator
from typing import Any

import yaml

from ...bps.lint import Finding, Severity
from ...common.butler import butler_errors
from ...common.text import first_line
from .run_spec import RunSpec, make_finding

_PATCH = {"skymap", "tract", "patch", "band"}
_TRACEBACK = "building the quantum graph ends with a traceback"


def load_graph(spec: RunSpec, butler: Any) -> tuple[Any, list[Finding]]:
    """Load a pipeline with the parameters and configurations of a run, and resolve it against a repository.

    Parameters
    ----------
    spec
        The run whose pipeline it is.
    butler
        The repository; `None` if it cannot be read.

    Returns
    -------
    graph, findings
        The pipeline graph, or `None` and why.
    """
    from lsst.pipe.base import Pipeline

    def unusable(what: str, remedy: str) -> tuple[Any, list[Finding]]:
        why, key = _TRACEBACK, f"{spec.name}: pipeline"
        return None, [make_finding(Severity.ERROR, "pipeline", what, why, remedy, key=key)]

    location, _, chosen = spec.pipeline.partition("#")
    try:
        whole = Pipeline.from_uri(location)
        labels, subsets = list(whole.task_labels), sorted(whole.subsets)
    except Exception as error:
        return unusable(
            f"the pipeline {location} cannot be read: {first_line(error)}",
            "set up the packages that it imports from (such as $AP_PIPE_DIR), or correct the name",
        )
    for name in filter(None, chosen.split(",")):
        if name not in labels and name not in subsets and ".." not in name:
            return unusable(
                f"the pipeline {location} has no subset and no task {name!r}",
                f"name one of {', '.join(subsets or labels)}",
            )
    try:
        pipeline = Pipeline.from_uri(spec.pipeline)
        if findings := list(_check_overrides(spec, pipeline)):
            return None, findings
        for label, field, value in spec.overrides:
            pipeline.addConfigOverride(label, field, value)
        graph = pipeline.to_graph(butler.registry if butler is not None else None)
    except Exception as error:
        if findings := _explain(spec):
            return None, findings
        return unusable(
            f"the pipeline {spec.pipeline} cannot be used: {first_line(error)}",
            "make sure that its tasks can be imported here, and that what is configured has a value of its kind "
            f"(given: {', '.join(f'{label}:{field}' for label, field, _ in spec.overrides) or 'none'})",
        )
    return graph, []


def read_pipeline_graph(file: str) -> Any:
    """Read the pipeline graph of a run from its quantum graph.

    Parameters
    ----------
    file
        The file of the quantum graph.

    Raises
    ------
    RepositoryError
        If it cannot be read.
    """
    from lsst.pipe.base.pipeline_graph import TaskImportMode
    from lsst.pipe.base.quantum_graph import PredictedQuantumGraph

    with (
        butler_errors(
            f"the configurations of a run cannot be read from {file}",
            remedy="`apcampaign resume --new-graph` continues without comparing them",
        ),
        PredictedQuantumGraph.open(file, import_mode=TaskImportMode.ASSUME_CONSISTENT_EDGES) as reader,
    ):
        return reader.pipeline_graph


def _check_overrides(spec: RunSpec, pipeline: Any) -> Iterator[Finding]:
    """Report parameters and labels that the pipeline does not have."""
    parameters, labels = _parameters_of(pipeline), set(pipeline.task_labels)
    for label, field, _ in spec.overrides:
        if label == "parameters":
            if field not in parameters:
                what, why = (
                    f"the pipeline has no parameter {field!r}",
                    "nothing reads it, and nothing is changed",
                )
                yield _unknown(spec, "parameters", what, why, field, parameters)
        elif label not in labels:
            what = f"the pipeline has no task {label!r}, whose {field!r} is set"
            yield _unknown(spec, "config", what, _TRACEBACK, label, labels)


def _parameters_of(pipeline: Any) -> set[str]:
    """Name the parameters of a pipeline, which tells them only as a part of its text."""
    return set(yaml.safe_load(str(pipeline)).get("parameters") or ())


def _explain(spec: RunSpec) -> list[Finding]:
    """Look for fields that configurations do not have, if a pipeline is good but for what is overridden."""
    from lsst.pipe.base import Pipeline

    pipeline, findings = Pipeline.from_uri(spec.pipeline), []
    for label, field, value in spec.overrides:
        if label == "parameters":
            pipeline.addConfigOverride(label, field, value)
    try:
        tasks = pipeline.to_graph().tasks
    except Exception:  # it is not, and its own error tells more
        return []
    for label, field, _ in spec.overrides:
        if label == "parameters":
            continue
        section = tasks[label].config
        for part in field.split("."):
            name = part.partition("[")[0]
            if name not in (known := sorted(getattr(section, "keys", list)())):
                what = f"the configuration of {label!r} has no field {field!r}"
                findings.append(_unknown(spec, "config", what, _TRACEBACK, name, known))
                break
            section = getattr(section, name)
            section = getattr(section, "value", section)  # a field that holds a subtask
            if "[" in part or not hasattr(section, "keys"):
                break  # a plain value, or a choice
    return findings


def _unknown(spec: RunSpec, key: str, what: str, why: str, name: str, known: Iterable[str]) -> Finding:
    """Report a name that the pipeline does not have."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1)
    remedy = f"write {near[0]!r}" if near else f"name one of {', '.join(names) or 'none'}"
    return make_finding(Severity.ERROR, "override", what, why, remedy, key=f"{spec.name}: {key}")


def check_templates_made(templates: Any, diffim: Any, names: tuple[str, str]) -> Iterator[Finding]:
    """Report a pipeline that needs other templates than the one before it makes.

    Parameters
    ----------
    templates, diffim
        The pipeline graphs of two runs, of which the second reads what the first makes.
    names
        The names of the two runs.
    """
    first, second = names
    made = {name for name in templates.dataset_types if templates.producer_of(name) is not None}
    needed = {
        name
        for name, node in diffim.iter_overall_inputs()
        if node is not None and {"tract", "patch", "band"} <= set(node.dimensions.names)
    }
    if needed and not needed & made:
        coadds = sorted(
            name
            for name in made
            if set(templates.dataset_types[name].dimensions.required) == _PATCH
            and not name.endswith(("_log", "_metadata"))
        )
        yield make_finding(
            Severity.ERROR,
            "pipelines-differ",
            f"{second} needs {', '.join(sorted(needed))}, which {first} does not make (it makes "
            f"{', '.join(coadds) or 'no coadds'})",
            "the quantum graph of the second run is empty",
            "take both pipelines from the same release, or configure the connection of the coadds",
            key=f"{second}: pipeline",
        )
