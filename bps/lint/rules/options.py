"""Rules for commands and their options: quotes, and the values that ``-c`` gives to the pipeline's tasks."""

__all__ = ["check_options"]

import re
import shlex
from collections.abc import Iterator

from ..findings import Finding, Severity
from ..submit_file import SubmitFile
from ..tree import Item
from ..vocabulary import close_matches

#: Keys whose value is a command, or the end of one.
_COMMANDS = re.compile(r"\w*(Options|Command|Cmd\w*)|(create|update)QuantumGraph")
_OVERRIDE = re.compile(r"(?P<label>[^:=]+):(?P<field>[^=]+)=")
_FOR_GRAPH = "extraQgraphOptions"


def check_options(config: SubmitFile) -> Iterator[Finding]:
    """Report quotes that are not closed, and values for what the pipeline does not have."""
    for item in config.root.walk():
        if not isinstance(item.value, str) or not _COMMANDS.fullmatch(item.key):
            continue
        try:
            words = shlex.split(item.value)
        except ValueError as error:
            yield item.finding(
                Severity.ERROR,
                "unbalanced-quote",
                f"{item.key!r} cannot be read as a command: {str(error).lower()}",
                "what follows becomes one argument, or the command is refused",
                "close every quote",
            )
            continue
        if item.key == _FOR_GRAPH:
            for value in _values(words):
                yield from _check_value(config, item, value)


def _values(words: list[str]) -> Iterator[str | None]:
    """Find what is given with ``-c``; `None` where nothing follows."""
    following = iter(words)
    for word in following:
        if word in ("-c", "--config"):
            yield next(following, None)
        elif word.startswith("--config="):
            yield word.partition("=")[2]
        elif re.match(r"-c[^-\s]", word):
            yield word[2:]


def _check_value(config: SubmitFile, item: Item, value: str | None) -> Iterator[Finding]:
    found = None if value is None else _OVERRIDE.match(value)
    if found is None:
        if value is None or "{" not in value:
            yield item.finding(
                Severity.ERROR,
                "override",
                f"-c is followed by {'nothing' if value is None else repr(value)}",
                "pipetask refuses it, and there is no graph",
                "write -c label:field=value",
            )
        return
    label, name = found["label"].strip(), found["field"].strip()
    if config.labels is None or "{" in f"{label}{name}":
        return
    is_parameter = label == "parameters"
    known = config.labels.parameters if is_parameter else config.labels.tasks.keys()
    if (wanted := name if is_parameter else label) in known:
        return
    near = close_matches(wanted, known)
    yield item.finding(
        Severity.WARNING if is_parameter else Severity.ERROR,
        "override",
        f"the pipeline {config.labels.file.name} has no {'parameter' if is_parameter else 'task'} {wanted!r}",
        "nothing reads it, and nothing is changed"
        if is_parameter
        else "building the graph ends with a traceback",
        f"write {near[0]!r}" if near else f"see {config.labels.file}",
    )
