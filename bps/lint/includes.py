"""Reading of a submit file with the files that it includes, as BPS does."""

__all__ = ["INCLUDE", "UNSET", "expand", "read_with_includes"]

import re
from collections.abc import Mapping
from pathlib import Path

from .findings import Finding, Severity
from .tree import Item, Section, merge_sections, read_tree

INCLUDE = "includeConfigs"
"""BPS's key for the files that a file includes."""

#: A variable of the environment that `expand` has left.
UNSET = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


def expand(text: str, environment: Mapping[str, str]) -> str:
    """Replace variables of the environment; those that are not set are left."""
    return UNSET.sub(lambda match: environment.get(match[1] or match[2], match[0]), text)


def read_with_includes(
    path: Path, environment: Mapping[str, str], parents: tuple[Path, ...] = ()
) -> tuple[Section, list[Finding], bool]:
    """Read a submit file and everything that it includes.

    Parameters
    ----------
    path
        The file.
    environment
        Environment variables for the names of included files.
    parents
        The files that lead here.

    Returns
    -------
    root, findings, whole
        The joined tree, in which every item knows its own file; what is wrong with the files; and whether
        all of them could be read.
    """
    root, findings = read_tree(path)
    whole = not any(finding.rule == "yaml" for finding in findings)
    merged, more, included = _resolve(root, path, environment, (*parents, path.resolve()))
    return merged, findings + more, whole and included


def _resolve(
    section: Section, path: Path, environment: Mapping[str, str], parents: tuple[Path, ...]
) -> tuple[Section, list[Finding], bool]:
    findings: list[Finding] = []
    whole = True
    own: dict[str, Item] = {}
    included = Section()
    for item in section:
        if item.key == INCLUDE:
            names = item.value if isinstance(item.value, list) else [item.value]
            for name in names:
                part, more, complete = _include(item, name, path, environment, parents)
                included = merge_sections(included, _moved(part, item.path[:-1]))
                findings += more
                whole &= complete
        elif isinstance(item.value, Section):
            value, more, complete = _resolve(item.value, path, environment, parents)
            own[item.key] = Item(item.path, value, item.place)
            findings += more
            whole &= complete
        else:
            own[item.key] = item
    return merge_sections(included, Section(own)), findings, whole


def _include(
    item: Item, name: object, path: Path, environment: Mapping[str, str], parents: tuple[Path, ...]
) -> tuple[Section, list[Finding], bool]:
    def wrong(severity: Severity, what: str, why: str, remedy: str) -> tuple[Section, list[Finding], bool]:
        return Section(), [item.finding(severity, "include", what, why, remedy)], False

    if not isinstance(name, str) or not name:
        return wrong(
            Severity.ERROR, f"{name!r} is not a file name", "BPS ends with a traceback", "name a file"
        )
    if "://" in name:
        return Section(), [], False
    expanded = expand(name, environment)
    if unset := UNSET.search(expanded):
        return wrong(
            Severity.WARNING,
            f"{name!r} cannot be read: ${unset[1] or unset[2]} is not set here",
            "BPS fails where the variable is not set; the content of the file is not checked now",
            "set the variable (`setup` of the package does), then check again",
        )
    places = [Path(expanded)] if Path(expanded).is_absolute() else [Path(expanded), path.parent / expanded]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        looked = " and ".join(str(place.parent.absolute()) for place in places)
        return wrong(
            Severity.ERROR,
            f"there is no file {expanded!r} (looked in {looked})",
            "BPS ends with «Unable to find referenced include file»",
            "correct the name, or remove the line",
        )
    if found.resolve() in parents:
        return wrong(
            Severity.ERROR,
            f"{found} includes itself, by way of {path}",
            "BPS reads it endlessly and ends with a RecursionError",
            "remove one of the includes",
        )
    if found.suffix not in (".yaml", ".json"):
        return wrong(
            Severity.ERROR,
            f"{found} ends neither in .yaml nor in .json",
            "BPS reads no other files and ends with a traceback",
            "rename the file",
        )
    return read_with_includes(found, environment, parents)


def _moved(section: Section, path: tuple[str, ...]) -> Section:
    """Move an included tree to the place of its include."""
    if not path:
        return section
    items = {}
    for item in section:
        value = _moved(item.value, path) if isinstance(item.value, Section) else item.value
        items[item.key] = Item((*path, *item.path), value, item.place)
    return Section(items)
