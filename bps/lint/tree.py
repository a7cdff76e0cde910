"""YAML file as a tree that knows the line of every key."""

__all__ = ["Item", "Place", "Section", "merge_sections", "plain", "read_tree"]

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ..yaml_mistakes import describe_yaml_error
from .findings import Finding, Severity


@dataclass(frozen=True)
class Place:
    """Where a key is: file, line and column, counted from 1."""

    file: str
    line: int
    column: int


@dataclass(frozen=True)
class Section:
    """A mapping, by key."""

    items: Mapping[str, "Item"] = field(default_factory=dict)

    def __contains__(self, key: str) -> bool:
        return key in self.items

    def __iter__(self) -> Iterator["Item"]:
        return iter(self.items.values())

    def section(self, *keys: str) -> "Section":
        """Give a nested section; an empty one if there is none."""
        found = self
        for key in keys:
            item = found.items.get(key)
            if item is None or not isinstance(item.value, Section):
                return Section()
            found = item.value
        return found

    def find(self, *keys: str) -> "Item | None":
        """Give a nested item; `None` if there is none."""
        return self.section(*keys[:-1]).items.get(keys[-1])

    def walk(self) -> Iterator["Item"]:
        """Iterate over all items, each section before its content."""
        for item in self:
            yield item
            if isinstance(item.value, Section):
                yield from item.value.walk()


@dataclass(frozen=True)
class Item:
    """A key and its value: a scalar, a list, or a section."""

    path: tuple[str, ...]
    value: Any
    place: Place

    @property
    def key(self) -> str:
        """The last part of the path."""
        return self.path[-1]

    def finding(self, severity: Severity, rule: str, what: str, why: str, remedy: str) -> Finding:
        """Make a finding about this item."""
        return Finding(
            severity=severity,
            rule=rule,
            what=what,
            why=why,
            remedy=remedy,
            file=self.place.file,
            key=".".join(self.path),
            line=self.place.line,
            column=self.place.column,
        )


def read_tree(path: Path) -> tuple[Section, list[Finding]]:
    """Read a YAML file.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    root, findings
        The tree, empty if the file is not a mapping or cannot be read, and what is wrong with the YAML.
    """
    text = ""
    try:
        text = path.read_text(encoding="utf-8")
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        what = f"the file cannot be read: {reason}"
        return Section(), [
            _unreadable(path, what, remedy="correct its path, its permissions, or its encoding")
        ]
    except yaml.YAMLError as error:
        mistake = describe_yaml_error(error, text)
        return Section(), [_unreadable(path, mistake.what, mistake.line, mistake.column)]
    if node is None:
        return Section(), []
    if not isinstance(node, yaml.MappingNode):
        mark = node.start_mark
        return Section(), [_unreadable(path, "the file holds no mapping", mark.line + 1, mark.column + 1)]
    findings: list[Finding] = []
    return _section(loader, node, (), str(path), findings), findings


def _unreadable(path: Path, what: str, line: int = 0, column: int = 0, *, remedy: str = "") -> Finding:
    return Finding(
        severity=Severity.ERROR,
        rule="yaml",
        what=what,
        why="BPS ends with a traceback before it does anything",
        remedy=remedy or "write lines such as 'computeSite: s3df', indented by spaces",
        file=str(path),
        line=line or None,
        column=column or None,
    )


def _section(
    loader: yaml.SafeLoader, node: yaml.MappingNode, path: tuple[str, ...], file: str, findings: list[Finding]
) -> Section:
    seen: dict[str, int] = {}
    for key_node, _ in node.value:
        key, line = str(key_node.value), key_node.start_mark.line + 1
        if key in seen and key != "<<":
            findings.append(
                Finding(
                    severity=Severity.ERROR,
                    rule="duplicate-key",
                    what=f"{key!r} is given twice; the first is in line {seen[key]}",
                    why="YAML silently keeps the last one and drops the first",
                    remedy="join both, or remove one",
                    file=file,
                    key=".".join((*path, key)),
                    line=line,
                    column=key_node.start_mark.column + 1,
                )
            )
        seen[key] = line
    loader.flatten_mapping(node)
    items = {}
    for key_node, value_node in node.value:
        key = str(key_node.value)
        here = (*path, key)
        mark = key_node.start_mark
        value: Any
        if isinstance(value_node, yaml.MappingNode):
            value = _section(loader, value_node, here, file, findings)
        else:
            try:
                value = loader.construct_object(value_node, deep=True)
            except yaml.YAMLError:
                value = str(value_node.value)  # a tag unknown here
        items[key] = Item(here, value, Place(file, mark.line + 1, mark.column + 1))
    return Section(items)


def merge_sections(first: Section, second: Section) -> Section:
    """Join two trees; what is in the second wins."""
    items = dict(first.items)
    for key, item in second.items.items():
        before = items.get(key)
        if before and isinstance(before.value, Section) and isinstance(item.value, Section):
            item = Item(item.path, merge_sections(before.value, item.value), item.place)
        items[key] = item
    return Section(items)


def plain(section: Section) -> dict[str, Any]:
    """Give a tree as plain values."""
    return {
        item.key: plain(item.value) if isinstance(item.value, Section) else item.value for item in section
    }
