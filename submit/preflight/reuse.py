"""Reuse checks: what a run takes over instead of making it was made with the configuration that it has itself.

A run skips each quantum whose metadata are in the collections that it skips (``--skip-existing-in``), and nothing
in Rubin's middleware compares the configuration that made them with its own. This is done here: with the pipelines
of the runs before it, and with the configurations that are recorded in the repository (``<label>_config``).
"""

__all__ = ["Maker", "check_reuse", "find_differences"]

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ...bps.lint import Finding, Severity
from .run_spec import RunSpec, make_finding
from .selection import Selection

#: Fields that change no output. Names of connections are compared as they are when all is resolved. The URL of the
#: APDB may be written in several ways; that it is the right one is checked elsewhere.
_HARMLESS = re.compile(r"saveLogOutput|apdb_config_url|connections\b.*")
#: Dimensions that tell of which raw images a quantum is.
_OF_RAWS = {"exposure", "visit", "group"}
_MOST_FIELDS = 12
_MOST_SOURCES = 3


@dataclass(frozen=True, kw_only=True)
class Maker:
    """A run whose outputs another takes over, and which may not have run yet.

    Parameters
    ----------
    name
        How to call it.
    graph
        Its pipeline graph.
    selection
        What its data query selects; `None` if that is not known.
    """

    name: str
    graph: Any
    selection: Selection | None = None


def check_reuse(
    butler: Any, spec: RunSpec, graph: Any, selection: Selection | None, makers: Iterable[Maker]
) -> Iterator[Finding]:
    """Report tasks whose outputs a run takes over although it configures these tasks otherwise.

    Parameters
    ----------
    butler
        The repository; `None` if it cannot be read.
    spec
        The run.
    graph
        Its pipeline graph.
    selection
        What its data query selects; `None` if that is not known.
    makers
        Runs whose outputs it skips and that the repository does not know, or not all of.
    """
    if not spec.skip_existing:
        return
    for maker in makers:
        for label in sorted(set(graph.tasks) & set(maker.graph.tasks)):
            task, theirs = graph.tasks[label], maker.graph.tasks[label]
            if (differences := _compare_tasks(theirs, task)) and _overlap(task, selection, maker.selection):
                yield _finding(spec, label, [maker.name], differences)
    if butler is not None:
        yield from _check_recorded(butler, spec, graph, selection)


def find_differences(made: Any, own: Any) -> list[str]:
    """List the fields in which two configurations of a task differ, of those that can change its outputs.

    Parameters
    ----------
    made, own
        Configurations (`lsst.pipe.base.PipelineTaskConfig`).

    Returns
    -------
    differences
        A text for each field, with its name and both values.
    """
    if type(made) is not type(own):
        return [f"its configuration is a {_class_name(made)} there and a {_class_name(own)} here"]
    lines: list[str] = []
    made.compare(own, shortcut=False, output=lines.append)
    differences = [_describe_line(line) for line in lines]
    for name in sorted((theirs := _connections(made)) | (ours := _connections(own))):
        if theirs.get(name) != ours.get(name):
            differences.append(
                f"connections.{name} is {theirs.get(name)!r} there and {ours.get(name)!r} here"
            )
    # A comparison of configurations does not look at the classes of subtasks.
    for name in sorted((theirs := _subtasks(made)) | (ours := _subtasks(own))):
        if theirs.get(name) != ours.get(name):
            differences.append(
                f"{name} is {theirs.get(name, 'as by default')} there and {ours.get(name, 'as by default')} here"
            )
    return [difference for difference in differences if difference]


def _compare_tasks(made: Any, own: Any) -> list[str]:
    """List how two tasks of one label differ."""
    if made.task_class_name != own.task_class_name:
        return [f"it is {made.task_class_name} there and {own.task_class_name} here"]
    return find_differences(made.config, own.config)


def _describe_line(line: str) -> str:
    """Say what `Config.compare` says in a line; nothing if that changes no output."""
    name, _, values = line.rstrip(".").partition(": ")
    field = name.partition(" / ")[0].removeprefix("config.")
    if _HARMLESS.fullmatch(field):
        return ""
    there, differs, here = values.partition(" != ")
    return f"{field} is {there} there and {here} here" if differs else f"{field}: {values}"


def _connections(config: Any) -> dict[str, str]:
    """Give the dataset types of all connections, with their templates filled in."""
    connections = config.connections.ConnectionsClass(config=config)
    return {name: str(connection.name) for name, connection in connections.allConnections.items()}


def _subtasks(config: Any) -> dict[str, str]:
    """Give the classes of subtasks that are not the default ones."""
    found = re.findall(r"^config\.([\w.]+)\.retarget\(target=([\w.]+)", config.saveToString(), re.MULTILINE)
    return {f"the class of {name}": target for name, target in found}


def _class_name(config: Any) -> str:
    return f"{type(config).__module__}.{type(config).__qualname__}"


def _overlap(task: Any, one: Selection | None, other: Selection | None) -> bool:
    """Tell whether two runs have quanta of a task in common, as far as that is known."""
    if one is None or other is None or one.cut or other.cut:
        return True
    names = tuple(name for name in task.dimensions.required if name in one.names and name in other.names)
    return not _OF_RAWS & set(names) or bool(one.project(names) & other.project(names))


def _check_recorded(butler: Any, spec: RunSpec, graph: Any, selection: Selection | None) -> Iterator[Finding]:
    """Compare a run with the configurations that made what is in the collections that it skips."""
    runs = _find_runs(butler, [name for name in spec.skip_existing if name not in spec.planned])
    for label, task in sorted(graph.tasks.items()):
        sources: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for ref in _find(butler, f"{label}_config", runs, find_first=False):
            try:
                differences = find_differences(butler.get(ref), task.config)
            except Exception as error:  # whatever the code of another release raises
                first = str(error).partition("\n")[0]
                differences = [f"its configuration cannot be read here: {type(error).__name__}: {first}"]
            if differences:
                sources[tuple(differences)].append(ref.run)
        if sources and (used := _find_used(butler, task, runs, selection)):
            for differences_, names in sources.items():
                if names := [name for name in names if name in used]:
                    yield _finding(spec, label, names, differences_)


def _find_runs(butler: Any, collections: Sequence[str]) -> list[str]:
    """Find the RUN collections of collections, in the order in which they are searched."""
    from lsst.daf.butler import CollectionType, MissingCollectionError

    found: list[str] = []
    for name in collections:
        try:
            found += butler.collections.query(
                name, flatten_chains=True, collection_types={CollectionType.RUN}
            )
        except MissingCollectionError:
            continue  # nothing is skipped that is not there
    return list(dict.fromkeys(found))


def _find(butler: Any, name: str, runs: Sequence[str], *, find_first: bool) -> list[Any]:
    """Find the datasets of a type, which the repository may not know."""
    from lsst.daf.butler import MissingDatasetTypeError

    if not runs:
        return []
    try:
        refs = butler.query_datasets(
            name, collections=list(runs), find_first=find_first, limit=None, explain=False
        )
    except MissingDatasetTypeError:
        return []
    return list(refs)


def _find_used(butler: Any, task: Any, runs: Sequence[str], selection: Selection | None) -> set[str]:
    """Find the RUN collections from which quanta of a task would be taken over."""
    names = tuple(
        name for name in task.dimensions.required if selection is not None and name in selection.names
    )
    wanted: Collection[tuple[Any, ...]] | None = None
    if selection is not None and not selection.cut and _OF_RAWS & set(names):
        wanted = selection.project(names)
    return {
        ref.run
        for ref in _find(butler, f"{task.label}_metadata", runs, find_first=True)
        if wanted is None or tuple(ref.dataId[name] for name in names) in wanted
    }


def _finding(spec: RunSpec, label: str, sources: Sequence[str], differences: Sequence[str]) -> Finding:
    """Report one task."""
    more = len(differences) - _MOST_FIELDS
    fields = "; ".join(differences[:_MOST_FIELDS]) + (f"; and {more} more" if more > 0 else "")
    others = len(sources) - _MOST_SOURCES
    there = ", ".join(sources[:_MOST_SOURCES]) + (f" and {others} more" if others > 0 else "")
    if not spec.rebases:
        remedy = "configure both alike, or take that collection out of --skip-existing-in"
    elif all(source.startswith(f"{spec.output}/") for source in sources):
        remedy = (
            "put its configuration back, make only the rest with the new one (`apcampaign resume --new-graph`), "
            f"or make all of it with the new one (`apcampaign submit {spec.name}`)"
        )
    else:
        remedy = (
            f"configure {label!r} alike in both steps, or take nothing over: skipExistingIn: [] in {spec.name}, "
            "which then processes its raw images itself"
        )
    return make_finding(
        Severity.ERROR,
        "reuse",
        f"{spec.name} would take over what {label!r} has made in {there}, and configures it otherwise: {fields}",
        "what exists is skipped whatever configuration made it, so images would not be processed as this "
        "pipeline says",
        remedy,
        key=f"{spec.name}: skipExistingIn",
    )
