"""Options of the commands that BPS runs: those of a campaign are appended to ours, and must not undo them.

The values of BPS's keys ``extraQgraphOptions``, ``extraRunQuantumOptions`` and the like are the last arguments of
`pipetask` and `butler`. A campaign's are joined to ours (`join_options`), wherever in the BPS settings they
are given; what would undo what the campaign relies on is refused by name (`check_options`, `check_settings`).
"""

__all__ = [
    "APDB_CONFIG",
    "GRAPH_OPTIONS",
    "RUN_OPTIONS",
    "check_options",
    "check_settings",
    "config_overrides",
    "find_options_for_tasks",
    "join_options",
    "read_config_overrides",
    "read_option",
]

import re
import shlex
import unicodedata
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from .model import MisfitError

#: BPS's keys with further options of a command.
_OPTIONS_KEY = re.compile(r"extra\w+Options")
GRAPH_OPTIONS = "extraQgraphOptions"
"""BPS's key for further options of ``pipetask qgraph``."""
RUN_OPTIONS = "extraRunQuantumOptions"
"""BPS's key for further options of ``pipetask run-qbb``."""

#: Where the campaign file says what BPS's settings must not say otherwise, by BPS's key.
_FIXED_SETTINGS = {
    "pipelineYaml": "write it as 'pipeline' of the step",
    "butlerConfig": "write it as 'butler'",
    "inCollection": "write it as 'inCollection' of the campaign or of the step",
    "output": "write its beginning as 'outCollection'",
    "outputRun": "write its beginning as 'outCollection'; the rest is the step and the time",
    "dataQuery": "write it as 'dataQuery' or 'where' of the step",
    "submitPath": "choose the folder of all runs with --runs or $APCAMPAIGN_RUNS",
    "qgraphFile": "remove it: each run gets a graph of its own",
    "qgraphFileTemplate": "remove it: the graph is looked up by its default name",
    "wmsServiceClass": "write it in a site file, and name that as 'site'",
}

_OF_GRAPH = "remove it: each run gets a graph of its own"
_SKIPS = (
    "remove it: `apcampaign submit` and `apcampaign resume` skip what is done without it, and diffim takes "
    "what the templates step has calibrated"
)
_OF_RUN = "write the beginning of the collection's name as 'outCollection'"
_ONE_RUN = "remove it: each run has a RUN collection of its own, and reads its own inputs"
#: The same for options of ``pipetask qgraph``.
_FIXED_GRAPH_OPTIONS = {
    "-b": "write it as 'butler'",
    "--butler-config": "write it as 'butler'",
    "-i": "write it as 'inCollection'",
    "--input": "write it as 'inCollection'",
    "-o": _OF_RUN,
    "--output": _OF_RUN,
    "--output-run": _OF_RUN,
    "-p": "write it as 'pipeline' of the step",
    "--pipeline": "write it as 'pipeline' of the step",
    "-d": "write it as 'where' or 'dataQuery' of the step",
    "--data-query": "write it as 'where' or 'dataQuery' of the step",
    "-g": _OF_GRAPH,
    "--qgraph": _OF_GRAPH,
    "-q": _OF_GRAPH,
    "--save-qgraph": _OF_GRAPH,
    "--skip-existing-in": _SKIPS,
    "--skip-existing": _SKIPS,
    "--extend-run": _ONE_RUN,
    "--replace-run": _ONE_RUN,
    "--rebase": _ONE_RUN,
}
_FIXED_RUN_OPTIONS = {"--qgraph-node-id": "remove it: BPS names the quanta of each job"}
_FIXED_OPTIONS = {GRAPH_OPTIONS: _FIXED_GRAPH_OPTIONS, RUN_OPTIONS: _FIXED_RUN_OPTIONS}
_PRUNE = "--prune-unanchored-quanta"
#: The pipelines' parameter for the APDB, as it stands in options.
APDB_CONFIG = ("parameters", "apdb_config")
_APDB_REMEDY = "write it as 'config' of 'apdb'"


def check_options(text: str, key: str = GRAPH_OPTIONS) -> str:
    """Refuse options that would undo what the campaign relies on.

    Parameters
    ----------
    text
        The options.
    key
        BPS's key for them.

    Returns
    -------
    text
        The same.

    Raises
    ------
    ValueError
        If they cannot be read, or one of them is not for the user to give; it names it and what to do instead.
    """
    try:
        arguments = shlex.split(text)
    except ValueError as error:
        raise ValueError(f"{text!r} cannot be read as options: {error}; close every quote") from None
    fixed = _FIXED_OPTIONS.get(key, {})
    for argument in arguments:
        if unicodedata.category(argument[:1] or " ") == "Pd" and argument[0] != "-":
            raise ValueError(
                f"{argument!r} begins with a {argument[0]}; options begin with plain hyphens, -- or -"
            )
        name = argument.partition("=")[0] if argument.startswith("--") else argument[:2]
        if name in fixed:
            raise ValueError(f"the option {name} is set by apcampaign; {fixed[name]}")
    for label, field, _ in read_config_overrides(text):
        _check_override(label, field)
    return text


def check_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """Refuse BPS settings that would undo what the campaign relies on, wherever they are.

    Returns
    -------
    settings
        The same.

    Raises
    ------
    MisfitError
        If one of them is not for the user to give; it names it and what to do instead.
    """
    for path, value in _walk(settings):
        *sections, key = path
        if key in _FIXED_SETTINGS and sections in ([], ["payload"]):
            raise MisfitError(
                path, f"{'.'.join(path)} is set by apcampaign; {_FIXED_SETTINGS[key]}", named=True
            )
        if _OPTIONS_KEY.fullmatch(key) and value is not None:
            try:
                check_options(str(value), key)
            except ValueError as error:
                raise MisfitError(path, f"{'.'.join(path)}: {error}", named=True) from None
    return settings


def config_overrides(parameters: Mapping[str, str], config: Mapping[str, str]) -> list[str]:
    """Write values for a pipeline's parameters and for fields of its tasks as arguments of `pipetask`.

    Parameters
    ----------
    parameters
        Values by name.
    config
        Values by ``label:field``.

    Raises
    ------
    ValueError
        If a name cannot be one, or a value holds what BPS would change.
    """
    pairs = {f"parameters:{name}": value for name, value in parameters.items()} | dict(config)
    arguments = []
    for name, text in pairs.items():
        if not re.fullmatch(r"\w+:[\w.\[\]'-]+", name):
            raise ValueError(
                f"{name!r} names no field; expected label:field, such as calibrateImage:threshold"
            )
        _check_override(*name.split(":", 1))
        if not text or any(character in text for character in '{}"\n'):
            raise ValueError(f"the value {text!r} of {name} is empty or holds a brace, \" or a line's end")
        arguments += ["-c", f"{name}={text}"]
    return arguments


def read_config_overrides(options: str) -> list[tuple[str, str, str]]:
    """Find what options of ``pipetask qgraph`` say about configurations: (label, field, value) of each ``-c``.

    Parameters
    ----------
    options
        The options; none are found in what cannot be read.
    """
    try:
        arguments = shlex.split(options)
    except ValueError:
        return []
    found = []
    for place, argument in enumerate(arguments):
        if argument in ("-c", "--config"):
            text = arguments[place + 1] if place + 1 < len(arguments) else ""
        elif argument.startswith("--config="):
            text = argument.partition("=")[2]
        elif argument.startswith("-c") and not argument.startswith("--"):
            text = argument[2:]
        else:
            continue
        name, equals, value = text.partition("=")
        label, colon, field = name.partition(":")
        if equals and colon:
            found.append((label, field, value))
    return found


def find_options_for_tasks(options: str, config: Mapping[str, str]) -> list[str]:
    """Find the options of ``pipetask qgraph`` that are for certain tasks, and so for a pipeline with all of them.

    Parameters
    ----------
    options
        The options.
    config
        Values that are given otherwise too, by ``label:field``; they are none of them.
    """
    found = [
        f"-c {label}:{field}={value}"
        for label, field, value in read_config_overrides(options)
        if label != "parameters" and f"{label}:{field}" not in config
    ]
    return found + [f"{_PRUNE} {text}" for text in read_option(options, _PRUNE)]


def read_option(options: str, name: str) -> list[str]:
    """Find the values that options give for one of them.

    Parameters
    ----------
    options
        The options; nothing is found in what cannot be read.
    name
        The long name, such as ``--input``.
    """
    try:
        arguments = shlex.split(options)
    except ValueError:
        return []
    after = [value for before, value in pairwise(arguments) if before == name]
    return after + [text.partition("=")[2] for text in arguments if text.startswith(f"{name}=")]


def join_options(base: Mapping[str, str], *layers: Mapping[str, Any]) -> dict[str, Any]:
    """Join the options of several layers of BPS settings, the first of which are ours.

    Parameters
    ----------
    base
        Options of ours, by BPS's key; a command gets them whatever other options it has.
    layers
        BPS settings; their options follow in this order.

    Returns
    -------
    settings
        The options of all, each in the section that it was in. A section's options are BPS's for a label, a
        cluster or a site instead of those at the top, so ours are in each of them.
    """
    texts: dict[tuple[str, ...], list[str]] = {(key,): [text] for key, text in base.items() if text}
    for layer in layers:
        for path, value in _walk(layer):
            if _OPTIONS_KEY.fullmatch(path[-1]) and value:
                ours = base.get(path[-1], "")
                texts.setdefault(path, [ours] if ours else []).append(str(value))
    settings: dict[str, Any] = {}
    for (*sections, key), parts in texts.items():
        place = settings
        for section in sections:
            place = place.setdefault(section, {})
        place[key] = " ".join(parts)
    return settings


def _check_override(label: str, field: str) -> None:
    if (label, field) == APDB_CONFIG:
        raise ValueError(f"{label}:{field} is set by apcampaign; {_APDB_REMEDY}")


def _walk(settings: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Go through the values of nested sections."""
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _walk(value, (*path, str(key)))
        else:
            yield (*path, str(key)), value
