"""Task labels and subsets of a pipeline file, read from the YAML alone."""

__all__ = ["PipelineLabels", "read_labels"]

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from .includes import UNSET, expand

#: The loader in C is ten times as fast, where it is installed.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class PipelineLabels:
    """What a pipeline file defines, including its imports.

    Parameters
    ----------
    file
        The file.
    tasks
        Label → name of the task's class.
    subsets
        Name → labels.
    parameters
        Names of the pipeline's parameters.
    """

    file: Path
    tasks: Mapping[str, str]
    subsets: Mapping[str, frozenset[str]]
    parameters: frozenset[str]


def read_labels(
    path: Path,
    environment: Mapping[str, str],
    *,
    depth: int = 0,
    mistakes: list[tuple[Path, yaml.YAMLError]] | None = None,
) -> PipelineLabels | None:
    """Read the labels of a pipeline file and of what it imports.

    Parameters
    ----------
    path
        The file.
    environment
        Variables for the locations of imports.
    depth
        The number of imports that lead here.
    mistakes
        Gets the files that are not YAML, and why.

    Returns
    -------
    labels
        `None` if a part cannot be read here, so that it is unknown what the pipeline lacks.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 - it is a safe one
    except yaml.YAMLError as error:
        if mistakes is not None:
            mistakes.append((path, error))
        return None
    except (OSError, UnicodeDecodeError):
        return None
    if not isinstance(content, dict) or depth > 20:
        return None
    tasks: dict[str, str] = {}
    subsets: dict[str, frozenset[str]] = {}
    parameters = set(_mapping(content.get("parameters")))
    imports = content.get("imports") or []
    for entry in imports if isinstance(imports, list) else [imports]:
        entry = {"location": entry} if isinstance(entry, str) else entry
        location = expand(str(entry.get("location", "")), environment)
        if UNSET.search(location) or "://" in location:
            return None
        part = read_labels(path.parent / location, environment, depth=depth + 1, mistakes=mistakes)
        if part is None:
            return None
        chosen = _choose(part, entry)
        tasks |= {label: name for label, name in part.tasks.items() if label in chosen}
        edits = str(entry.get("labeledSubsetModifyMode", "DROP")).upper() == "EDIT"
        for name, labels in part.subsets.items():
            if edits or labels <= chosen:  # otherwise a subset that has lost a task is dropped
                subsets[name] = labels & chosen
        parameters |= part.parameters
    for label, task in _mapping(content.get("tasks")).items():
        name = task.get("class", "") if isinstance(task, dict) else task
        tasks[str(label)] = str(name)
    for name, subset in _mapping(content.get("subsets")).items():
        members = subset.get("subset", ()) if isinstance(subset, dict) else subset
        subsets[str(name)] = frozenset(map(str, members or ()))
    for step in content.get("steps") or []:
        if isinstance(step, dict) and "label" in step:
            subsets.setdefault(str(step["label"]), frozenset())
    return PipelineLabels(path, tasks, subsets, frozenset(map(str, parameters)))


def _choose(part: PipelineLabels, entry: Mapping[str, Any]) -> set[str]:
    def expand_subsets(names: Any) -> set[str]:
        names = [names] if isinstance(names, str) else names or []
        return {label for name in names for label in part.subsets.get(str(name), {str(name)})}

    chosen = expand_subsets(entry["include"]) if entry.get("include") else set(part.tasks)
    return chosen - expand_subsets(entry.get("exclude"))


def _mapping(value: Any) -> Mapping[Any, Any]:
    return value if isinstance(value, dict) else {}
