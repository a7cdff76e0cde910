"""What YAML loses or changes silently, and what is behind its errors."""

__all__ = ["YamlMistake", "describe_yaml_error", "find_invisible", "find_surprises"]

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import yaml

_PLAIN_NUMBER = re.compile(r"[-+]?(0|[1-9][0-9]*)|[-+]?0[xb][0-9a-f]+", re.IGNORECASE)
_DATE = "a date"
_SECRET = re.compile(r"password$|webhook$", re.IGNORECASE)
#: Characters that look like a space or like nothing, and are neither for YAML.
_INVISIBLE = re.compile("[\u00a0\u00ad\u1680\u2000-\u200f\u2028-\u202f\u205f-\u2064\u3000\ufeff]")
_COMMENT = re.compile(r"(^|\s)#")
#: What PyYAML says of a mistake (all of these words), and what is usually behind it.
_REASONS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("cannot start any token", "'\\t'"), "a tab stands where only spaces may; indent with spaces"),
    (("cannot start any token",), "this character cannot begin a value; put the value in quotes"),
    (
        ("expected '<document start>'",),
        "text follows where YAML has ended; expected lines such as 'key: value'",
    ),
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
    (
        ("expected the node content", "','"),
        "a ',' stands where a value belongs; remove it, or write the value before it",
    ),
    (("expected the node content",), "no value can begin here; write one, in quotes if in doubt"),
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
    if "mapping values are not allowed" in said and mark:
        reason = _explain_second_key(text.splitlines(), mark) or reason
    what = f"this is not YAML: {reason or said}" + (f" ({said})" if reason else "")
    if context is not None and ("end of stream" in said or "stream end" in said):
        mark = context  # where the quote or the bracket was opened
    return YamlMistake(what, mark.line + 1, mark.column + 1) if mark else YamlMistake(what)


def _explain_second_key(lines: Sequence[str], mark: yaml.Mark) -> str:
    """Explain why a good ``key: value`` is not taken for one: the line before it is to blame."""
    if not mark.line or not re.fullmatch(r"\s*[\w.-]+", lines[mark.line][: mark.column]):
        return ""
    if re.match(r"\s*[\w.-]+:(\s|$)", lines[mark.line - 1]):
        return "this line is indented more than the one before, which has a value already"
    return f"line {mark.line} has no ': ' after its key; write 'key: value', with a space after the colon"


def find_invisible(text: str) -> Iterator[YamlMistake]:
    """Find the lines with characters that look like a space or like nothing, outside of comments.

    They come along when text is copied from a web page or a word processor.
    """
    for number, line in enumerate(text.splitlines(), start=1):
        if found := _INVISIBLE.search(_COMMENT.split(line)[0]):
            name = unicodedata.name(found[0], "without a name").lower()
            yield YamlMistake(
                f"column {found.start() + 1} holds a character that cannot be seen "
                f"(U+{ord(found[0]):04X}, {name}); write a space instead, or remove it",
                number,
                found.start() + 1,
            )


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
            # What is no word is refused below, without what is in it.
            name, here = str(key.value) if isinstance(key, yaml.ScalarNode) else "?", key.start_mark.line + 1
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
