"""Rules for the type and the unit of each value, such as those of ``requestMemory``.

Also for class names (``wmsServiceClass``, ``clusterAlgorithm``), for ``computeSite``, and for settings of
``payload`` that override those of single tasks.
"""

__all__ = ["check_values"]

import re
from collections.abc import Iterator
from typing import Any

from ...site import Wms, wms_kind
from ..findings import Finding, Severity
from ..installed import has_class
from ..submit_file import SubmitFile
from ..tree import Item, Section
from ..vocabulary import FREE_SECTIONS, close_matches

_UNIT = re.compile(r"\s*([\d.]+)\s*([KMGT])i?B?\s*", re.IGNORECASE)
_MIB = {"K": 1 / 1024, "M": 1, "G": 1024, "T": 1024**2}
_NUMBERS = {"int": int, "float": float}
#: No task runs in less memory, MiB: a number of GiB was meant.
_LEAST_MEMORY = 128
_CLASSES = ("wmsServiceClass", "clusterAlgorithm")


def check_values(config: SubmitFile) -> Iterator[Finding]:
    """Compare every value with the type that the installed BPS expects."""
    for item in config.root.walk():
        if set(item.path[:-1]) & FREE_SECTIONS or item.key in config.vocabulary.removed:
            continue
        if item.key in _CLASSES:
            yield from _check_class(config, item)
        elif item.value is None:
            yield from _check_empty(config, item)
        else:
            yield from _check_type(config, item)
    yield from _check_payload(config)
    yield from _check_site(config)


def _check_type(config: SubmitFile, item: Item) -> Iterator[Finding]:
    types = config.vocabulary.types_of(item.key)
    if item.path[0] == "site" and wms_kind(config.wms) is Wms.PARSL:
        types = config.vocabulary.code.strict_types.get(item.key, types)
        if isinstance(item.value, int) and types == {"str"}:
            yield item.finding(
                Severity.ERROR,
                "wrong-type",
                f"{item.key!r} is the number {item.value}; expected text",
                "Parsl's plugin refuses it; without quotes YAML reads a time such as 10:00:00 as a number",
                f'write it in quotes, such as {item.key}: "10:00:00"',
            )
            return
    if isinstance(item.value, Section):
        if types and not types & {"dict", "BpsConfig"} and not _holds_section(config, item.value):
            yield _wrong(item, "a mapping", types)
        return
    if isinstance(item.value, str):
        yield from _check_text(config, item, item.value, types)
    elif isinstance(item.value, bool):
        if types and "bool" not in types and types & _NUMBERS.keys():
            yield _wrong(item, str(item.value), types)
    elif isinstance(item.value, int | float):
        if types == {"bool"} and item.value not in (0, 1):
            yield _wrong(item, str(item.value), types)
        yield from _check_number(item, item.value)


def _holds_section(config: SubmitFile, section: Section) -> bool:
    """Tell whether it holds a section that belongs at the top: then that one is reported."""
    return any(item.key in config.vocabulary.top_sections for item in section)


def _check_text(config: SubmitFile, item: Item, text: str, types: frozenset[str]) -> Iterator[Finding]:
    if config.is_open(text) or "bpsEval" in text or not types:
        return
    if item.key.startswith(("requestMemory", "requestDisk", "memoryLimit")) and (
        match := _UNIT.fullmatch(text)
    ):
        number = round(float(match[1]) * _MIB[match[2].upper()])
        yield item.finding(
            Severity.ERROR,
            "wrong-unit",
            f"{item.key!r} is {text!r}; expected a number of MiB",
            "BPS does not check it: the job requests something else, or `bps prepare` ends with a traceback",
            f"write {item.key}: {number}",
        )
    elif types & _NUMBERS.keys() and "str" not in types:
        yield _wrong(item, repr(text), types)
    elif types == {"bool"}:
        yield item.finding(
            Severity.ERROR,
            "wrong-type",
            f"{item.key!r} is the text {text!r}; expected true or false",
            "every text that is not empty counts as true, even 'False'",
            f"write {item.key}: {'false' if text.casefold() in ('false', 'no', 'off', '0', '') else 'true'}",
        )


def _check_number(item: Item, value: float) -> Iterator[Finding]:
    if item.key == "requestMemory" and 0 < value < _LEAST_MEMORY:
        yield item.finding(
            Severity.ERROR,
            "wrong-unit",
            f"'requestMemory' is {value}, which means {value} MiB",
            "the jobs are killed as soon as Python has started",
            f"write the number of MiB, such as requestMemory: {round(value * 1024)} for {value} GiB",
        )
    elif item.key in ("requestMemory", "requestCpus", "requestDisk") and value <= 0:
        yield item.finding(
            Severity.ERROR,
            "wrong-unit",
            f"{item.key!r} is {value}",
            "no job can request that",
            "write a number above zero",
        )
    elif item.key == "numberOfRetries" and value < 0:
        yield item.finding(
            Severity.ERROR,
            "wrong-unit",
            f"{item.key!r} is {value}",
            "a job cannot be tried fewer times than once",
            "write 0 for no further attempt, or how many there may be",
        )
    elif item.key == "memoryMultiplier" and value < 1:
        yield item.finding(
            Severity.WARNING,
            "wrong-unit",
            f"{item.key!r} is {value}",
            "a job that was killed for its memory would be tried again with less of it",
            "write 1 for as much as before, or a larger number",
        )


def _wrong(item: Item, found: str, types: frozenset[str]) -> Finding:
    names = {
        "int": "a whole number",
        "float": "a number",
        "bool": "true or false",
        "str": "text",
        "list": "a list",
    }
    expected = " or ".join(sorted(names.get(kind, kind) for kind in types))
    return item.finding(
        Severity.ERROR,
        "wrong-type",
        f"{item.key!r} is {found}; expected {expected}",
        "BPS does not check types: `bps prepare` ends with a traceback, or the value never applies",
        f"write {expected}, without quotes" if types <= {"int", "float", "bool"} else f"write {expected}",
    )


def _check_empty(config: SubmitFile, item: Item) -> Iterator[Finding]:
    """Report a key without a value, where BPS takes that for a value."""
    if len(item.path) == 1 and item.key in config.vocabulary.label_sections:
        return
    if item.key == "computeSite" or item.key in config.defaults:
        site = next(iter(config.root.section("site").items), None) if item.key == "computeSite" else None
        lost = f", so nothing under 'site.{site}' applies" if site else ""
        yield item.finding(
            Severity.WARNING,
            "empty-value",
            f"{item.key!r} has no value",
            f"BPS takes the value to be nothing{lost}",
            f"write {item.key}: {site}" if site else "give it a value, or remove the line",
        )


def _check_class(config: SubmitFile, item: Item) -> Iterator[Finding]:
    name = item.value
    if not isinstance(name, str):
        yield _wrong(item, repr(name), frozenset({"str"}))
        return
    if not name.startswith("lsst.ctrl.bps") or has_class(name):
        return
    near = config.vocabulary.near_plugin(name)
    if has_class(name) is None and item.key == "wmsServiceClass" and not near:
        return  # a plugin that is not installed here
    yield item.finding(
        Severity.ERROR,
        "unknown-class",
        f"there is no {name}",
        "BPS ends with a traceback when it imports it",
        f"write {near}" if near else "correct the name",
    )


def _check_site(config: SubmitFile) -> Iterator[Finding]:
    """Report a site whose name is probably a misspelling of one that has settings."""
    item = config.top("computeSite")
    sites = config.root.section("site").items
    if item is None or not isinstance(item.value, str) or item.value in sites or config.is_open(item.value):
        return
    if near := close_matches(item.value, sites):
        yield item.finding(
            Severity.ERROR,
            "misspelt-site",
            f"'computeSite' is {item.value!r}, but the section 'site' has {near[0]!r}",
            f"nothing under 'site.{near[0]}' applies",
            f"write computeSite: {near[0]}",
        )


def _check_payload(config: SubmitFile) -> Iterator[Finding]:
    """Report settings of the payload that override those of single tasks."""
    for item in config.root.section("payload"):
        if item.key not in config.vocabulary.code.types or isinstance(item.value, Section):
            continue
        for section in ("cluster", "pipetask"):
            for label in config.root.section(section):
                value: Any = label.value.items.get(item.key) if isinstance(label.value, Section) else None
                if value is not None and value.value != item.value:
                    yield value.finding(
                        Severity.WARNING,
                        "payload-wins",
                        f"{value.key!r} of {label.key} never applies",
                        f"'payload.{item.key}' ({item.value}) is looked up first and overrides that of every task",
                        f"move {item.key!r} from 'payload' to the top of the file",
                    )
