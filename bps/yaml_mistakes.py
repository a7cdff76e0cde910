"""What YAML loses or changes silently, and what is behind its errors."""

__all__ = ["YamlMistake", "describe_yaml_error", "find_surprises"]

import re
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

_PLAIN_NUMBER = re.compile(r"[-+]?(0|[1-9][0-9]*)|[-+]?0[xb][0-9a-f]+", re.IGNORECASE)
_DATE = "a date"
_SECRET = re.compile(r"password$|webhook$", re.IGNORECASE)
#: What PyYAML says of a mistake (all of these words), and what is usually behind it.
_REASONS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("cannot start any token", "'\\t'"), "a tab stands where only spaces may; indent with spaces"),
    (("cannot start any token",), "this character cannot begin a value; put the value in quotes"),
    (
        ("another document",),
        "a second document begins here ('---'); one file holds one campaign or one site",
    ),
    (
        ("mapping values are not allowed",),
        "a ': ' in a value; put the value in quotes, or correct the indentation",
    ),
    (("could not find expected ':'",), "a key without ': ' after it; write 'key: value'"),
    (("unexpected end of stream",), "a quote that is opened here is not closed"),
    (("found '<stream end>'",), "a bracket or brace is not closed"),
    (("got '<stream end>'",), "a bracket or brace is not closed"),
    (("expected ',' or",), "a bracket or brace is not closed, or a ',' is missing"),
    (("undefined alias",), "a value that begins with * is an alias for YAML; put it in quotes"),
    (("could not determine a constructor",), "YAML takes this for a tag; put the value in quotes"),
    (
        ("expected <block end>",),
        "the line is indented otherwise than those around it, or text follows a value",
    ),
)


@dataclass(frozen=True)
class YamlMistake:
    """Something wrong with the YAML of a file.

    Parameters
    ----------
    what
        What is wrong, and what to write instead.
    line, column
        Its place, counted from 1; 0 if it has none.
    """

    what: str
    line: int = 0
    column: int = 0


def describe_yaml_error(error: Exception, text: str) -> YamlMistake:
    """Say what is wrong in a text that is not YAML, in words that tell what to write."""
    if isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position) + 1
        return YamlMistake(
            f"this is not YAML: it holds the character {chr(error.character)!r}; remove it", line
        )
    if isinstance(error, RecursionError):
        return YamlMistake("this is not YAML that can be read: it is nested too deeply")
    context = getattr(error, "context_mark", None)
    mark = getattr(error, "problem_mark", None) or context
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    said = str(problem)
    reason = next((reason for words, reason in _REASONS if all(word in said for word in words)), "")
    what = f"this is not YAML: {reason or said}" + (f" ({said})" if reason else "")
    if context is not None and ("end of stream" in said or "stream end" in said):
        mark = context  # where the quote or the bracket was opened
    return YamlMistake(what, mark.line + 1, mark.column + 1) if mark else YamlMistake(what)


def find_surprises(node: yaml.Node, path: str = "") -> Iterator[YamlMistake]:
    """Find what YAML would lose or change silently: keys given twice, numbers and dates that do not look so.

    Parameters
    ----------
    node
        What has been read.
    path
        The key of the value, for messages.
    """
    where = f"{path}: " if path else ""
    line, column = node.start_mark.line + 1, node.start_mark.column + 1
    if isinstance(node, yaml.SequenceNode):
        for inner in node.value:
            yield from find_surprises(inner, path)
    elif isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            name, here = str(key.value), key.start_mark.line + 1
            whole = f"{path}.{name}" if path else name
            if key.tag.rpartition(":")[2] not in ("str", "merge"):
                yield YamlMistake(
                    f"{whole}: YAML reads this key as {_kind(key)}; put it in quotes",
                    here,
                    key.start_mark.column + 1,
                )
            elif name in seen and name != "<<":
                yield YamlMistake(
                    f"{whole}: this key is given twice, first in line {seen[name]}; join both, or remove one",
                    here,
                    key.start_mark.column + 1,
                )
            seen.setdefault(name, here)
            yield from find_surprises(value, whole)
    elif isinstance(node, yaml.ScalarNode) and node.style is None and (reading := _reading(node)):
        remedy = (
            "in quotes, or a night as 20260905"
            if reading == _DATE
            else "in quotes, or as the number that is meant"
        )
        shown = node.value
        if _SECRET.search(path):
            shown, reading = "it", "another number"
        yield YamlMistake(f"{where}YAML reads {shown} as {reading}; write it {remedy}", line, column)


def _kind(node: yaml.Node) -> str:
    words = {
        "bool": "true or false",
        "null": "nothing",
        "timestamp": _DATE,
        "seq": "a list",
        "map": "a mapping",
    }
    return words.get(node.tag.rpartition(":")[2], "a number")


def _reading(node: yaml.ScalarNode) -> str:
    """Say what YAML makes of a number or a date, if that is not what it looks like."""
    kind = node.tag.rpartition(":")[2]
    if kind == "timestamp":
        return _DATE
    if kind not in ("int", "float") or _PLAIN_NUMBER.fullmatch(node.value):
        return ""
    if kind == "float" and not set(node.value) & {":", "_"}:
        return ""
    value = yaml.SafeLoader("").construct_object(node)
    why = "in base 60" if ":" in node.value else "with _ between digits" if "_" in node.value else "in base 8"
    return f"the number {value} ({why})"
