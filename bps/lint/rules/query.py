"""Rules for ``dataQuery``: its quotes and parentheses, and the names of dimensions and their fields."""

__all__ = ["check_query"]

import re
from collections.abc import Iterator

from ...query import check_where
from ..findings import Finding, Severity
from ..includes import expand
from ..submit_file import SubmitFile
from ..tree import Section
from ..vocabulary import close_matches, names_in

_STRING = re.compile(r"T?'[^']*'")
_NAME = re.compile(r"(?<![\w.'])[A-Za-z_][\w.]*")
_KEYWORDS = {
    "and", "or", "not", "in", "is", "null", "true", "false", "overlaps", "glob", "contains", "intersects",
    "point", "circle", "box", "polygon", "region", "union", "t", "timespan", "ingest_date", "any", "between",
}  # fmt: skip
_TIMESPAN = {"timespan", "begin", "end", "region"}


def check_query(config: SubmitFile) -> Iterator[Finding]:
    """Read the data query as BPS and Butler do."""
    item = config.top("dataQuery")
    if item is None or item.value is None:
        return
    if not isinstance(item.value, str):
        yield item.finding(
            Severity.ERROR,
            "data-query",
            f"the data query is {item.value!r}; expected text",
            "Butler cannot read it",
            "write a condition such as \"instrument='LSSTCam-imSim' AND tract=3828\"",
        )
        return
    text = expand(item.value, config.environment)
    try:
        text = _fill_in(config, text)
        check_where(text.replace("{", "").replace("}", "") if config.is_open(text) else text)
    except ValueError as error:
        yield item.finding(
            Severity.ERROR,
            "data-query",
            f"the data query cannot be read: {error}",
            "building the quantum graph ends with a traceback, or a different query is run",
            "write strings in single quotes, and close every quote and parenthesis",
        )
        return
    if config.is_open(text) or "$" in text or not config.vocabulary.dimensions:
        return
    dimensions = config.vocabulary.dimensions
    fields = {field for names in dimensions.values() for field in names} | _TIMESPAN
    for name in dict.fromkeys(_NAME.findall(_STRING.sub(" ", text))):
        first, _, rest = name.partition(".")
        if name.casefold() in _KEYWORDS or (not rest and (first in dimensions or first in fields)):
            continue
        if rest and first in dimensions:
            if rest in dimensions[first] or rest in dimensions or rest.split(".")[0] in _TIMESPAN:
                continue
            near, known = close_matches(rest, dimensions[first]), sorted(dimensions[first])
            near = [f"{first}.{field}" for field in near]
            expected = f"a field of {first}: {', '.join(known)}"
        else:
            near = close_matches(name, [*dimensions, *fields])
            expected = "a dimension such as visit, or a field of one such as visit.seeing"
        yield item.finding(
            Severity.ERROR,
            "data-query",
            f"{name!r} in the data query is neither a dimension nor a field of one",
            "building the quantum graph ends with a traceback",
            f"write {near[0]!r}" if near else f"name {expected}; put strings in single quotes",
        )


def _fill_in(config: SubmitFile, text: str) -> str:
    """Fill in the user's own variables."""
    for name in names_in(text):
        item = config.top(name)
        if item is not None and not isinstance(item.value, Section | list):
            text = text.replace(f"{{{name}}}", str(item.value))
    return text
