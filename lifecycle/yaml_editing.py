"""Editing of a YAML file as text: only what is changed is written anew, and comments stay where they are."""

__all__ = ["edit_yaml"]

import re
from collections.abc import Mapping
from typing import Any

import yaml

from ..common.errors import SettingsError

#: A key of the file, or a key of one of its sections.
type Key = tuple[str, ...]


def edit_yaml(text: str, changes: Mapping[Key, Any]) -> str:
    """Give values to keys of a YAML file that holds a mapping, with mappings as its sections.

    Parameters
    ----------
    text
        The file.
    changes
        The values by key, or by section and key; `None` takes a key out of its section.

    Returns
    -------
    text
        The file with these values. Its other lines, and its comments, are as they were.

    Raises
    ------
    SettingsError
        If the text does not let that be done, such as where a value is shared by an anchor.
    """
    wanted = _separate(yaml.safe_load(text))
    for key, value in changes.items():
        _put(wanted, key, value)
    try:
        for key, value in changes.items():
            text = _set(text, key, value)
        found = yaml.safe_load(text)
    except yaml.YAMLError:
        found = None
    if found != wanted:
        raise SettingsError(
            f"the file cannot be edited: {', '.join('.'.join(key) for key in changes)} cannot be written without "
            "changing something else",
            remedy="write plain lines, `key: value`, where it has anchors (&), merged keys (<<) or braces",
        )
    return text


def _separate(content: Any) -> Any:
    """Copy a mapping, with a copy for each place where an anchor puts the same one."""
    if isinstance(content, dict):
        return {key: _separate(value) for key, value in content.items()}
    return content


def _put(content: dict[str, Any], key: Key, value: Any) -> None:
    for name in key[:-1]:
        if content.get(name) is None:
            content[name] = {}
        content = content[name]
    if value is None:
        content.pop(key[-1], None)
    else:
        content[key[-1]] = value


def _set(text: str, key: Key, value: Any) -> str:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    section = root if len(key) == 1 else (_find(root, key[:-1]) or (None, None))[1]
    if section is None:
        return text if value is None else _set(text, key[:-1], {key[-1]: value})
    braces = any(isinstance(node, yaml.MappingNode) and node.flow_style for node in (root, section))
    pair = _find(root, key)
    if value is None:
        return text if pair is None else _remove(text, pair, braces=braces)
    written = _write(value, braces=braces)
    if pair is not None:
        return _replace(text, pair, written)
    line = f"{key[-1]}: {written}"
    if section is root and not braces:
        return f"{text}{'' if text.endswith('\n') else '\n'}{line}\n"
    return _insert(text, section, line)


def _find(node: yaml.Node | None, key: Key) -> tuple[yaml.Node, yaml.Node] | None:
    """Find the nodes of a key and of its value."""
    pair = None
    for name in key:
        pairs = node.value if isinstance(node, yaml.MappingNode) else ()
        pair = next((each for each in pairs if each[0].value == name), None)
        if pair is None:
            return None
        node = pair[1]
    return pair


def _replace(text: str, pair: tuple[yaml.Node, yaml.Node], new: str) -> str:
    begin, end = pair[1].start_mark.index, pair[1].end_mark.index
    # What is written in several lines ends where the next key begins.
    old = text[begin:end]
    tail = old[len(old.rstrip()) :] + text[end:]
    colon = text.index(":", pair[0].end_mark.index) + 1
    before = text[colon:begin]
    if not before.strip(" "):
        return f"{text[:colon]}{before or ' '}{new}{tail}"
    # It began on a line of its own; what is between is a comment.
    return f"{text[:colon]} {new}{before.rstrip()}{tail}"


def _insert(text: str, section: yaml.Node, line: str) -> str:
    """Put a line into a section, before what is in it."""
    begin = section.start_mark.index
    if not isinstance(section, yaml.MappingNode):  # nothing, or comments only
        return f"{text[:begin]}\n  {line}{text[begin:]}"
    if section.flow_style:
        return f"{text[: begin + 1]}{line}{', ' * bool(section.value)}{text[begin + 1 :]}"
    return f"{text[:begin]}{line}\n{' ' * section.start_mark.column}{text[begin:]}"


def _remove(text: str, pair: tuple[yaml.Node, yaml.Node], *, braces: bool) -> str:
    """Take the lines of a key out, or what stands of it between braces."""
    begin, end = pair[0].start_mark.index, pair[1].end_mark.index
    if braces:
        if after := re.match(r"\s*,\s*", text[end:]):
            return text[:begin] + text[end + after.end() :]
        return re.sub(r"\s*,\s*\Z", "", text[:begin]) + text[end:]
    begin = text.rfind("\n", 0, begin) + 1
    end = end if text[:end].endswith("\n") else text.find("\n", end) + 1 or len(text)
    return text[:begin] + text[end:]


def _write(value: Any, *, braces: bool) -> str:
    """Write a value in one line; between braces more has to be quoted."""
    text: str = yaml.safe_dump(
        [value] if braces else value, default_flow_style=True, width=10_000, allow_unicode=True
    )
    return text.strip()[1:-1] if braces else text.removesuffix("\n").removesuffix("\n...")
