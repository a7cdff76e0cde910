"""The pipelines: they load, and the second one needs what the first one makes."""

__all__ = ["check_agreement", "load_graph"]

from collections.abc import Iterator
from typing import Any

from ...bps.lint import Finding, Severity
from .subject import Subject, problem


def load_graph(subject: Subject, butler: Any) -> tuple[Any, list[Finding]]:
    """Load a pipeline with its parameters, and resolve it against a repository.

    Returns
    -------
    graph, findings
        The pipeline graph, or `None` and why.
    """
    from lsst.pipe.base import Pipeline

    def wrong(what: str, why: str, mend: str) -> tuple[Any, list[Finding]]:
        key = f"{subject.name}: pipeline"
        return None, [problem(Severity.ERROR, "pipeline", what, why, mend, key=key)]

    location, _, chosen = subject.pipeline.partition("#")
    traceback = "building the quantum graph ends with a traceback"
    try:
        whole = Pipeline.from_uri(location)
        labels, subsets = list(whole.task_labels), sorted(whole.subsets)
    except Exception as error:
        return wrong(
            f"the pipeline {location} cannot be read: {_first_line(error)}",
            traceback,
            "set up the packages that it imports from ($AP_PIPE_DIR and friends), or correct the name",
        )
    for word in filter(None, chosen.split(",")):
        if word not in labels and word not in subsets and ".." not in word:
            return wrong(
                f"the pipeline {location} has no subset and no task {word!r}",
                traceback,
                f"name one of {', '.join(subsets)}",
            )
    try:
        pipeline = Pipeline.from_uri(subject.pipeline)
        for name, value in subject.parameters.items():
            pipeline.addConfigOverride("parameters", name, value)
        graph = pipeline.to_graph(butler.registry if butler is not None else None)
    except Exception as error:
        return wrong(
            f"the pipeline {subject.pipeline} cannot be used: {_first_line(error)}",
            traceback,
            "see that its tasks can be imported here, and that its parameters exist "
            f"(given: {', '.join(subject.parameters) or 'none'})",
        )
    return graph, []


def check_agreement(templates: Any, diffim: Any) -> Iterator[Finding]:
    """Report two pipelines that do not fit: other templates than are made, other calibration of the raws.

    Parameters
    ----------
    templates, diffim
        The pipeline graphs of the two steps.
    """
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
        yield problem(
            Severity.ERROR,
            "pipelines-differ",
            f"diffim needs {', '.join(sorted(needed))}, which templates does not make (it makes "
            f"{', '.join(coadds) or 'no coadds'})",
            "the quantum graph of the second run is empty",
            "take both pipelines from the same release, or configure the connection of the coadds",
            key="diffim: pipeline",
        )
    for label in sorted(set(templates.tasks) & set(diffim.tasks)):
        first, second = templates.tasks[label], diffim.tasks[label]
        if first.task_class_name != second.task_class_name:
            difference = f"{first.task_class_name} in templates, {second.task_class_name} in diffim"
        elif first.get_config_str() != second.get_config_str():
            difference = "configured differently in the two pipelines"
        else:
            continue
        yield problem(
            Severity.WARNING,
            "pipelines-differ",
            f"the task {label!r} is {difference}",
            "the second run takes over what the first has made, so science images and templates of the same "
            "visits are not processed as this pipeline says",
            f"define {label!r} in one file that both pipelines import",
            key="diffim: pipeline",
        )


_PATCH = {"skymap", "tract", "patch", "band"}


def _first_line(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0].strip() if lines else ''}"
