"""Options that the commands of BPS get: whether `pipetask` has them, and can read their values."""

__all__ = ["check_command_options"]

import os
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from ...bps import GRAPH_OPTIONS
from ...bps.lint import Finding, Severity
from .run_spec import RunSpec, make_finding

#: BPS's keys with further options, the command that gets them, and what becomes of wrong ones.
_COMMANDS = {
    GRAPH_OPTIONS: ("qgraph", "there is no quantum graph"),
    "extraInitOptions": ("pre_exec_init_qbb", "the first job fails, and no other runs"),
    "extraRunQuantumOptions": ("run_qbb", "every job fails, after the quantum graph is built"),
    "extraUpdateQgraphOptions": ("update_graph_run", "there is no quantum graph"),
}


def check_command_options(spec: RunSpec) -> Iterator[Finding]:
    """Report options that a command of BPS does not have, and values that it cannot read."""
    given = [(path, text) for path, text in _walk(spec.config) if path[-1] in _COMMANDS and text.strip()]
    if not given:
        return
    commands = _import_commands()
    for path, text in given:
        name, why = _COMMANDS[path[-1]]
        command = getattr(commands, name, None)
        if isinstance(command, click.Command) and (problem := _find_problem(command, text)):
            yield make_finding(
                Severity.ERROR,
                "options",
                f"`pipetask {name.replace('_', '-')}` does not take {text!r}: {problem}",
                why,
                f"see `pipetask {name.replace('_', '-')} --help`",
                key=f"{spec.name}: {'.'.join(path)}",
            )


def _import_commands() -> Any:
    """Import the commands of `pipetask`, and take back what that adds to the environment of this process."""
    before = set(os.environ)
    from lsst.ctrl.mpexec.cli import cmd

    for name in set(os.environ) - before:
        del os.environ[name]
    return cmd


def _find_problem(command: click.Command, text: str) -> str:
    """Say what is wrong with some options, or nothing; what BPS replaces in them is not known."""
    options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    # Arguments come from BPS.
    bare = click.Command(command.name, params=list(options))
    context = click.Context(bare)
    try:
        values, rest, _ = bare.make_parser(context).parse_args(shlex.split(text))
        for option in options:
            if option.name in values and "{" not in str(values[option.name]):
                option.type_cast_value(context, values[option.name])
        problems = [*_find_odd_settings(values), *_find_absent_files(values)]
    except click.ClickException as error:
        return error.format_message()
    except ValueError as error:  # of quotes
        return str(error)
    if rest:
        return f"Got unexpected extra argument ({' '.join(rest)})"
    return problems[0] if problems else ""


def _find_odd_settings(values: Mapping[str, Any]) -> Iterator[str]:
    """Find what is given with ``-c`` and sets nothing."""
    for value in values.get("config") or ():
        name, equals, _ = str(value).partition("=")
        if not (equals and ":" in name) and "{" not in str(value):
            yield f"-c {value} has not the form label:field=value."


def _find_absent_files(values: Mapping[str, Any]) -> Iterator[str]:
    """Find files of configurations (``-C``) that are not there."""
    for value in values.get("config_file") or ():
        label, colon, path = str(value).partition(":")
        path = os.path.expandvars(path)
        if not colon:
            yield f"-C {value} has not the form label:file."
        elif "://" not in path and not {"{", "$"} & set(path) and not Path(path).is_file():
            yield f"there is no file {path} with the configuration of {label}."


def _walk(settings: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _walk(value, (*path, str(key)))
        elif isinstance(value, str):
            yield (*path, str(key)), value
