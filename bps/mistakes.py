"""Sentences about what is wrong in a campaign file: where, with which value, and what was expected."""

__all__ = ["describe_mistakes"]

import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from .campaign import ApdbSettings, CampaignConfig, DiffimSettings, StepSettings
from .injection import InjectionSettings
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
#: Keys whose values need not be whole numbers.
_NUMBERS = ("allowMissingTemplates", "edge")
_WHOLE_NUMBER = ("int_parsing", "int_type", "int_from_float", "greater_than_equal", "bool_type")


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
    found: dict[tuple[str, int], str] = {}
    for details in error.errors(include_url=False):
        location = tuple(_trim(details["loc"]))
        if location in known:
            continue
        key = ".".join(part for part in location if isinstance(part, str))
        given = sources.get(key)
        place = given or file.place(location)
        line = int(place.rpartition(":")[2]) if given is None and place != str(file.path) else 0
        where = f"{place}: {key}" if key else place
        sentence = f"{where}: {_say(details, location)}"
        if not given and (explained := _explain(details, location, file)):
            sentence += f"; {explained}"
        found.setdefault((where, line), sentence)  # the alternatives of a type give an error each
    return [found[place] for place in sorted(found, key=lambda place: place[1])]


def _explain(details: Any, location: KeyPath, file: YamlFile) -> str:
    """Say how YAML came to a value of the wrong type, or cut one."""
    if details["type"] in ("extra_forbidden", "missing") or location[:1] == ("notify",):
        return ""  # in the latter it may be a secret
    explained = file.explain(location)
    is_text = isinstance(details.get("input"), str)
    return explained if not is_text or explained.startswith("for YAML") else ""


def _trim(location: tuple[int | str, ...]) -> Iterator[str | int]:
    """Leave out of pydantic's location what stands for a function, or for one of a value's types."""
    for place, part in enumerate(location):
        inner = isinstance(part, str) and place > 0
        if not (inner and (re.search(r"[-\[]", str(part)) or part in ("str", "int", "float", "bool"))):
            yield part


def _say(details: Any, location: KeyPath) -> str:
    kind, value = details["type"], details.get("input")
    if kind == "extra_forbidden":
        return _say_unknown(location)
    if kind == "missing":
        return "this key is missing"
    if kind == "value_error":
        return str(details["ctx"]["error"])
    if location[:1] == ("notify",):
        return str(details["msg"])  # the value may be a secret
    if location[-1:] == ("parts",):
        return f"{value!r} is neither 'auto' nor a whole number ≥ 1"
    if location[-1:] == ("radius",):
        return f"{value!r} is not a number of arcseconds above 0, and 60 at most"
    if kind == "greater_than_equal" and location[-1] in _NUMBERS:
        return f"{value!r} is not a number ≥ 0"
    if kind in _WHOLE_NUMBER and location[:1] == ("tracts",):
        return f"{value!r} is not a whole number ≥ 0; expected such as 3828, or a range such as 3828..3830"
    if kind in _WHOLE_NUMBER:
        return f"{value!r} is not a whole number ≥ 0; expected such as 3828"
    if kind == "too_short":
        return "the list is empty; expected at least one value"
    if kind == "string_type":
        return f"{value!r} is not a text" if value is not None else "there is no value"
    if kind in ("model_type", "dict_type", "model_attributes_type"):
        return f"{value!r} is not a section; expected lines such as 'key: value' below, indented"
    if kind == "tuple_type":
        return f"{value!r} is not a list; expected such as [a, b]"
    return f"{details['msg']} (got {value!r})"


def _say_unknown(location: KeyPath) -> str:
    *section, key = (str(part) for part in location)
    model = _SECTIONS.get(tuple(section), CampaignConfig)
    valid = [field.alias or name for name, field in model.model_fields.items()]
    near = difflib.get_close_matches(key, valid, n=1)
    hint = f"did you mean {near[0]!r}? " if near else _say_elsewhere(key)
    return f"this key is unknown; {hint}valid keys here are {', '.join(valid)}"


def _say_elsewhere(key: str) -> str:
    """Tell the section in which a key would be right."""
    sections = [
        ".".join(path) or "the top"
        for path, model in _SECTIONS.items()
        if key in {field.alias or name for name, field in model.model_fields.items()}
    ]
    return f"it belongs to {' or '.join(sections)}; " if sections else ""
