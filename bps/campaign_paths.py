"""Paths in a campaign file, written so that they mean the same in every folder."""

__all__ = ["resolve_paths"]

import os
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

#: Keys that may hold the path of a file or a folder.
_PATHS = (
    ("butler",),
    ("site",),
    ("apdb", "config"),
    ("injection", "beside"),
    ("templates", "pipeline"),
    ("templates", "pipelineYaml"),
    ("diffim", "pipeline"),
    ("diffim", "pipelineYaml"),
    ("bps", "includeConfigs"),
    ("templates", "bps", "includeConfigs"),
    ("diffim", "bps", "includeConfigs"),
)
#: Of these the variables are read now: whoever uses them later may have others, or reads none. BPS and `pipetask`
#: read those of the other keys, such as ``$AP_PIPE_DIR``, which then tell which release was meant.
_WITHOUT_VARIABLES = (("butler",), ("site",), ("apdb", "config"), ("injection", "beside"))

#: What a name without a folder may be that of.
_OURS = (
    Path(str(resources.files("apcampaign.pipelines"))),
    Path(str(resources.files(__package__))) / "sites",
)
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


def resolve_paths(
    content: dict[str, Any], folder: Path, environment: Mapping[str, str]
) -> dict[tuple[str, ...], str]:
    """Write paths as absolute ones: the jobs, and the nodes between the runs, run in other folders.

    Relative ones are relative to the campaign file, or to the working directory. What is no file there stays as it
    is, such as the alias of a repository.

    Parameters
    ----------
    content
        The content of the campaign file, which is changed.
    folder
        The folder of the file.
    environment
        The variables that paths may name.

    Returns
    -------
    mistakes
        What is wrong with a path, by its key.
    """
    mistakes: dict[tuple[str, ...], str] = {}
    for keys in _PATHS:
        section: Any = content
        for key in keys[:-1]:
            section = section.get(key) if isinstance(section, dict) else None
        if not isinstance(section, dict) or keys[-1] not in section:
            continue
        given = section[keys[-1]]
        values = given if isinstance(given, list) else [given]
        try:
            if keys in _WITHOUT_VARIABLES:
                values = [_write_variables(each, environment) for each in values]
            found = [_absolute(_write_home(each), folder) for each in values]
        except ValueError as error:
            mistakes[keys] = str(error)
            continue
        section[keys[-1]] = found if isinstance(given, list) else found[0]
    return mistakes


def _write_variables(value: Any, environment: Mapping[str, str]) -> Any:
    if not isinstance(value, str):
        return value

    def write(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        if not environment.get(name):
            raise ValueError(
                f"{value!r} names the variable {name}, which is not set; set it, or write the path"
            )
        return environment[name]

    return _VARIABLE.sub(write, value)


def _write_home(value: Any) -> Any:
    if not isinstance(value, str) or not value.startswith("~"):
        return value
    written = os.path.expanduser(value)  # noqa: PTH111 - what follows # is no part of a path
    if written.startswith("~"):
        raise ValueError(f"{value!r}: nobody's home folder is {value.partition('/')[0]}; write the path")
    return written


def _absolute(value: Any, folder: Path) -> Any:
    if not isinstance(value, str) or "$" in value:
        return value
    name, mark, subset = value.partition("#")
    try:
        if any((ours / name).is_file() or (ours / f"{name}.yaml").is_file() for ours in _OURS):
            return value
        for base in (folder, Path()):
            # Without a slash the name of a folder is rather the alias of a repository.
            if name and (path := base / name).exists() and (path.is_file() or "/" in name):
                return f"{path.resolve()}{mark}{subset}"
    except (OSError, ValueError):  # no name that a file can have, such as one of 300 letters
        pass
    return value
