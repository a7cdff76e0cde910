"""Sentences about what is wrong in a campaign file: where, with which value, and what was expected."""

__all__ = ["describe_mistakes", "describe_value"]

import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from .apdb_settings import ApdbSettings
from .campaign import CampaignConfig, DiffimSettings, StepSettings
from .injection import InjectionSettings
from .model import MisfitError
from .notify import EmailSettings, NotifySettings
from .yaml_reading import KeyPath, YamlFile

#: The models of the sections, by the beginning of a key's path.
_SECTIONS: Mapping[tuple[str, ...], type[BaseModel]] = {
    (): CampaignConfig,
    ("templates",): StepSettings,
    ("diffim",): DiffimSettings,
    ("injection",): InjectionSettings,
    ("apdb",): ApdbSettings,
    ("notify",): NotifySettings,
    ("notify", "email"): EmailSettings,
}
#: What a value is not, by its key.
_NUMBERS = {
    "tracts": "not a whole number ≥ 0; expected such as 3828, or a range such as 3828..3830",
    "dayObs": "not a night; expected such as 20260905, or a range such as 20260905..20260907",
    "parts": "neither 'auto' nor a whole number ≥ 1",
    "prepareSlots": "not a whole number ≥ 1",
    "prepareMemory": "not a whole number ≥ 1, of MiB",
    "allowMissingTemplates": "not a number from 0 to 100",
    "radius": "not a number of arcseconds above 0, and 60 at most",
    "edge": "not a number of arcseconds ≥ 0",
}
_OF_WORDS = ("enum", "literal_error")
_CLOSE = 0.65  # of two words, so that one is meant by the other
_SECTION = ("model_type", "dict_type", "model_attributes_type")


def describe_mistakes(
    error: ValidationError,
    file: YamlFile,
    sources: Mapping[str, str],
    *,
    known: Collection[KeyPath | None] = (),
) -> list[str]:
    """Describe the mistakes that pydantic has found, in the order of the lines.

    Parameters
    ----------
    error
        What it has found.
    file
        The campaign file.
    sources
        Where values come from that are not from the file, by key.
    known
        Keys of which it is known already that they are wrong.
    """
    found: dict[tuple[int, str], tuple[Any, KeyPath, bool]] = {}
    for details in error.errors(include_url=False):
        location = tuple(_trim(details["loc"]))
        lies = location
        if isinstance(misfit := details.get("ctx", {}).get("error"), MisfitError):
            lies = location + misfit.key
            location = location if misfit.named else lies
        if location in known:
            continue
        key = ".".join(part for part in location if isinstance(part, str))
        given = sources.get(key)
        place = given or file.place(lies)
        line = int(place.rpartition(":")[2]) if given is None and place != str(file.path) else 0
        where = f"{place}: {key}" if key else place
        # The alternatives of a type give an error each.
        found.setdefault((line, where), (details, location, given is None))
    sentences = []
    listed: set[tuple[str, ...]] = set()
    for (_, where), (details, location, in_file) in sorted(found.items(), key=lambda each: each[0][0]):
        said = _say(details, location, listed)
        explained = _explain(details, location, file) if in_file else ""
        sentences.append(f"{where}: {said}; {explained}" if explained else f"{where}: {said}")
    return sentences


def describe_value(error: ValidationError, key: str) -> str:
    """Describe what pydantic has first found wrong in a value by itself, which is that of a key."""
    return _say(error.errors(include_url=False)[0], (key,), set())


def _explain(details: Any, location: KeyPath, file: YamlFile) -> str:
    """Say how YAML came to a value of the wrong type, or cut one."""
    kind, value = details["type"], details.get("input")
    if kind in ("extra_forbidden", "missing") or location[:1] == ("notify",):
        return ""  # in the latter it may be a secret
    explained = file.explain(location)
    if isinstance(value, str):
        return explained if explained.startswith("for YAML") else ""
    if _key(location) in _NUMBERS:  # quotes would not help
        return explained.partition(";")[0] if isinstance(value, bool) else ""
    if kind == "string_type" or (kind in ("tuple_type", *_OF_WORDS) and not isinstance(value, Mapping)):
        return explained
    return ""


def _key(location: KeyPath) -> str:
    return next((part for part in reversed(location) if isinstance(part, str)), "")


def _trim(location: tuple[int | str, ...]) -> Iterator[str | int]:
    """Leave out of pydantic's location what stands for a function, or for one of a value's types."""
    for place, part in enumerate(location):
        inner = isinstance(part, str) and place > 0
        if not (inner and (re.search(r"[-\[]", str(part)) or part in ("str", "int", "float", "bool"))):
            yield part


def _say(details: Any, location: KeyPath, listed: set[tuple[str, ...]]) -> str:
    kind, value = details["type"], details.get("input")
    if kind == "extra_forbidden":
        return _say_unknown(location, listed)
    if kind == "missing":
        return "this key is missing"
    if kind == "value_error":
        return str(details["ctx"]["error"])
    if kind == "too_short":
        return "the list is empty; expected at least one value"
    if kind == "string_too_short":
        return "the text is empty"
    if value is None and kind == "string_type":
        return "there is no value"
    if number := _NUMBERS.get(_key(location)):
        return f"{value!r} is {number}"
    if kind in _OF_WORDS:
        return _say_word(value, str(details["ctx"]["expected"]))
    shown = "it" if location[:1] == ("notify",) else repr(value)  # there it may be a secret
    if kind in _SECTION:
        return f"{shown} is not a section; expected lines such as 'key: value' below, indented"
    expected = {
        "string_type": "not a text",
        "string_pattern_mismatch": "not a name; expected letters, digits, '_' and '-'",
        "tuple_type": "not a list; expected such as [a, b]",
        "bool_parsing": "neither true nor false",
        "bool_type": "neither true nor false",
    }.get(kind)
    if expected:
        return f"{shown} is {expected}"
    return str(details["msg"]) if shown == "it" else f"{details['msg']} (got {shown})"


def _say_word(value: Any, expected: str) -> str:
    """Say which words are valid, and which one may be meant."""
    valid = re.findall(r"'([^']*)'", expected)
    near = difflib.get_close_matches(str(value).casefold(), valid, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{value!r} is unknown; {hint}valid are {', '.join(valid)}"


def _say_unknown(location: KeyPath, listed: set[tuple[str, ...]]) -> str:
    """Say which key may be meant, and list those of its section, unless that was done before."""
    *section, key = (str(part) for part in location)
    model = _SECTIONS.get(tuple(section), CampaignConfig)
    valid = [field.alias or name for name, field in model.model_fields.items()]
    near = difflib.get_close_matches(key, valid, n=1, cutoff=_CLOSE)
    hint = f"did you mean {near[0]!r}?" if near else _say_elsewhere(key)
    if tuple(section) not in listed:
        hint = f"{hint} valid keys here are {', '.join(valid)}".strip()
        listed.add(tuple(section))
    return f"this key is unknown; {hint}" if hint else "this key is unknown"


def _say_elsewhere(key: str) -> str:
    """Tell the section in which a key would be right."""
    sections = [
        ".".join(path) or "the top"
        for path, model in _SECTIONS.items()
        if key in {field.alias or name for name, field in model.model_fields.items()}
    ]
    return f"it belongs to {' or '.join(sections)};" if sections else ""
