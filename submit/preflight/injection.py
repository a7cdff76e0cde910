"""Checks of a pipeline that injects sources: it does, where it is meant to, and nothing of it is skipped."""

__all__ = ["check_injection", "find_injected"]

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from ...bps.lint import Finding, Severity
from ...ordering import WRITER
from .injection_catalog import check_catalogue, find_types
from .run_spec import RunSpec, make_finding
from .selection import Selection

#: What the names of Rubin's injection tasks end with; the sandbox's stand-in has the same name.
_TASK = "InjectTask"
_TEMPLATE = "template"


def check_injection(butler: Any, spec: RunSpec, graph: Any, selection: Selection | None) -> Iterator[Finding]:
    """Report a pipeline that injects nothing, or unasked, and catalogues that the images lack.

    Parameters
    ----------
    butler
        The repository.
    spec
        The run.
    graph
        Its pipeline graph.
    selection
        What its data query selects.
    """
    tasks = {label: task for label, task in graph.tasks.items() if task.task_class_name.endswith(_TASK)}
    key = f"{spec.name}: pipeline"
    yield from _check_images(tasks, key)
    if spec.injection is None:
        if tasks and spec.campaign:
            yield make_finding(
                Severity.WARNING,
                "injection",
                f"{', '.join(sorted(tasks))} injects sources, and the campaign file does not say so",
                "its APDB is not kept apart from that of the sky, and the catalogue is not checked",
                "write injection: {catalog: COLLECTION}",
                key=key,
            )
        return
    if not tasks and _is_difference_imaging(graph):
        yield make_finding(
            Severity.ERROR,
            "injection",
            "no task of the pipeline injects sources, and the campaign has 'injection'",
            "difference imaging would be that of the sky alone",
            "name a pipeline with injectVisit, such as ApPipeWithFakes-DC2.yaml",
            key=key,
        )
    yield from _check_skipped(butler, spec, graph, tasks)
    science = [task for task in tasks.values() if not _is_of_template(task)]
    if science and selection is not None:
        yield from check_catalogue(butler, science[0], selection, spec.injection)


def _is_difference_imaging(graph: Any) -> bool:
    return any(task.task_class_name.endswith("SubtractTask") for task in graph.tasks.values())


def _is_of_template(task: Any) -> bool:
    return _TEMPLATE in task.config.connections.input_exposure


def _check_images(tasks: Mapping[str, Any], key: str) -> Iterator[Finding]:
    """Report sources that are injected into science images and templates alike: they are subtracted again."""
    chosen: dict[str, list[str]] = defaultdict(list)
    for label, task in tasks.items():
        chosen[getattr(task.config, "selection", None) or ""].append(label)
    for selection, labels in chosen.items():
        kinds = {_is_of_template(tasks[label]) for label in labels}
        if kinds == {True, False}:
            selected = f"those of {selection}" if selection else "all sources"
            yield make_finding(
                Severity.ERROR,
                "injection",
                f"{' and '.join(sorted(labels))} both inject {selected}",
                "what is in the science image and in its template is subtracted, and nothing is found",
                "choose with config: {injectVisit:selection: injection_catalog['isVisitSource'], "
                "injectTemplate:selection: injection_catalog['isTemplateSource']}",
                key=key,
            )


def _check_skipped(butler: Any, spec: RunSpec, graph: Any, tasks: Mapping[str, Any]) -> Iterator[Finding]:
    """Report collections that hold what tasks after the injection have made without it: these would be skipped."""
    after = find_injected(graph, tasks)
    for name in spec.skip_existing:
        if name.startswith(f"{spec.output}/"):
            continue  # an earlier run of this campaign
        made = find_types(butler, name) & after
        if made:
            yield make_finding(
                Severity.ERROR,
                "injection",
                f"{name!r} holds {', '.join(sorted(made)[:3])} without injected sources",
                "tasks whose outputs exist are skipped, so that those after the injection do not run",
                "name only collections with calibrated images, such as those of the templates",
                key="diffim: skipExistingIn",
            )


def find_injected(graph: Any, tasks: Mapping[str, Any]) -> frozenset[str]:
    """Find the dataset types between what some tasks inject and the APDB; all after them if none writes to it."""
    import networkx

    names: networkx.DiGraph[str] = networkx.DiGraph(
        (before.name, after.name) for before, after in graph.make_task_xgraph().edges
    )
    names.add_nodes_from(graph.tasks)
    found = {each for label in tasks for each in (label, *networkx.descendants(names, label))}
    if WRITER in names:
        # Others, such as the tables of a visit, the templates may have made before, and nothing here reads them.
        found &= {WRITER, *networkx.ancestors(names, WRITER)}
    return frozenset(
        edge.parent_dataset_type_name for label in found for edge in graph.tasks[label].outputs.values()
    )
