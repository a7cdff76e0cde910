"""YAML read so that nothing in it is lost or changed silently, and every value keeps its line.

YAML 1.1 drops the first of two equal keys, everything after a second document, and what follows a ``#``; it reads
``0127`` as 87, ``72:00:00`` as 259200, ``2026-09-05`` as a date and ``no`` as false. `read_yaml` refuses all of
these but the last: `YamlFile.explain` tells of it when a value turns out not to be what was meant.
"""

__all__ = ["KeyPath", "YamlFile", "parse_value", "read_yaml"]

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ..common.errors import SettingsError
from .yaml_mistakes import describe_yaml_error, find_invisible, find_surprises

#: The path of a value: keys, and places in lists.
type KeyPath = tuple[str | int, ...]


@dataclass(frozen=True)
class YamlFile:
    """A YAML file that holds a mapping.

    Parameters
    ----------
    path
        The file.
    content
        Its content.
    nodes
        What stands in the file, by the path of each value; for a key of a mapping its line is that of the key.
    text
        Its text.
    """

    path: Path
    content: dict[str, Any]
    nodes: Mapping[KeyPath, tuple[yaml.Node, int]]
    text: str

    def place(self, path: KeyPath = ()) -> str:
        """Name the place of a value, as compilers do: ``campaign.yaml:7``, or the file if it has none."""
        while path and path not in self.nodes:
            path = path[:-1]
        return f"{self.path}:{self.nodes[path][1]}" if path else str(self.path)

    def explain(self, path: KeyPath) -> str:
        """Say how YAML came to a value that was not meant; empty if there is nothing to say."""
        node = self.nodes[path][0] if path in self.nodes else None
        if isinstance(node, yaml.MappingNode) and node.flow_style:
            return "YAML reads what stands in braces as a mapping; put the value in quotes"
        if not isinstance(node, yaml.ScalarNode) or node.style is not None:
            return ""
        if not node.value:
            return "nothing is written there"
        if (comment := self._comment(node)).strip():
            return f"for YAML {comment.strip()!r} is a comment; put the whole value in quotes if it is not"
        if node.value == "~":
            return "YAML reads ~ as nothing; write the folder after it: ~/…"
        kind = node.tag.rpartition(":")[2]
        reads = {"bool": "true or false", "int": "a number", "float": "a number", "timestamp": "a date"}.get(
            kind
        )
        return f"YAML reads {node.value} as {reads}; put it in quotes if a word is meant" if reads else ""

    def find_cut(self, path: KeyPath) -> str:
        """Find a comment that may be meant as a part of the value before it; empty if there is none."""
        node = self.nodes[path][0] if path in self.nodes else None
        if not isinstance(node, yaml.ScalarNode) or node.style is not None:
            return ""
        comment = self._comment(node)
        if not re.search(r"#\S|[=<>'()]|\b(AND|OR|IN)\b", comment):
            return ""
        return (
            f"for YAML {comment.strip()!r} is a comment, which may be meant as a part of the value; put the whole "
            "value in quotes, or the comment on a line of its own"
        )

    def _comment(self, node: yaml.Node) -> str:
        line = self.text.splitlines()[node.end_mark.line] if self.text else ""
        found = re.match(r"\s*,?\s+(#.*)", line[node.end_mark.column :])
        return found[1] if found else ""


def read_yaml(path: Path, what: str) -> YamlFile:
    """Read a YAML file that holds a mapping.

    Parameters
    ----------
    path
        The file.
    what
        What it is, for messages: ``campaign file``.

    Raises
    ------
    FileNotFoundError
        If it is not there.
    SettingsError
        If it cannot be read, is not YAML, or YAML would lose or change something of it. All that is found is
        listed, each with its line.
    """
    text = _read_text(path, what)
    nodes: dict[KeyPath, tuple[yaml.Node, int]] = {}
    try:
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        if not isinstance(root, yaml.MappingNode) or not root.value:
            is_empty = root is None or root.value in ("", [])
            raise SettingsError(
                f"the {what} {path} is {'empty' if is_empty else 'not a mapping'}",
                expected="lines such as 'name: dc2-test-med-1'",
            )
        mistakes = [*find_invisible(text), *find_surprises(root)]
        content = {} if mistakes else loader.construct_document(root)
    except (yaml.YAMLError, RecursionError) as error:
        mistakes = list(find_invisible(text)) or [describe_yaml_error(error, text)]
        root, content = yaml.MappingNode("", []), {}
    if mistakes:
        raise SettingsError(
            "\n".join(
                f"{path}:{mistake.line}: {mistake.what}" if mistake.line else f"{path}: {mistake.what}"
                for mistake in mistakes
            )
        )
    _walk(root, (), nodes)  # constructing has put merged keys in their places
    return YamlFile(path, content, nodes, text)


def parse_value(text: str) -> Any:
    """Read one value of a command line as YAML.

    Raises
    ------
    ValueError
        If it is not YAML, or YAML would change it.
    """
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        mistakes = list(find_surprises(node))
        if not mistakes:
            return loader.construct_document(node)
    except (yaml.YAMLError, RecursionError) as error:
        mistakes = [describe_yaml_error(error, text)]
    raise ValueError(mistakes[0].what)


def _walk(node: yaml.Node, path: KeyPath, nodes: dict[KeyPath, tuple[yaml.Node, int]]) -> None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            nodes[*path, str(key.value)] = (value, key.start_mark.line + 1)
            _walk(value, (*path, str(key.value)), nodes)
    elif isinstance(node, yaml.SequenceNode):
        for place, inner in enumerate(node.value):
            nodes[*path, place] = (inner, inner.start_mark.line + 1)
            _walk(inner, (*path, place), nodes)


def _read_text(path: Path, what: str) -> str:
    data = b""
    try:
        data = path.read_bytes()
        return data.decode("utf-8-sig")
    except FileNotFoundError:
        raise
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SettingsError(
            f"{path}:{line}: the {what} is not UTF-8 there: {error.reason}", remedy="save it as UTF-8"
        ) from None
    except OSError as error:
        raise SettingsError(
            f"the {what} {path} cannot be read: {error.strerror}", remedy="name another, or let it be read"
        ) from error
