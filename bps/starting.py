"""A campaign file to start from, with a comment on every key: what `apcampaign init` writes."""

__all__ = ["CAMERAS", "CampaignStart", "find_wrong_answers", "write_start"]

import difflib
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from ..common.errors import SettingsError
from .campaign import CampaignConfig
from .data import read_mapping
from .mistakes import describe_mistakes
from .schema import campaign_schema, modeline
from .site import explain_unknown
from .yaml_reading import YamlFile

_FILES = Path(str(resources.files(__package__))) / "campaigns"
_DC2 = CampaignConfig.model_fields["instrument"].default
#: What a camera's campaigns have in common, in its file that comes along.
_OF_CAMERA = ("skymap", "inCollection", "where", "templates", "diffim", "allowMissingTemplates")
_WIDTH = 100

#: The keys of the campaign file that have other names in `CampaignStart`.
_KEYS = {"collections": "inCollection", "nights": "dayObs", "database": "apdb.url"}

#: The cameras that a file can be begun for without naming pipelines.
CAMERAS = (_DC2, *sorted(file.stem for file in _FILES.glob("*.yaml") if "-" not in file.stem))


@dataclass(frozen=True, kw_only=True)
class CampaignStart:
    """What a new campaign file says.

    Parameters
    ----------
    name
        The campaign's name; made from instrument and tracts or nights by default.
    butler
        The repository.
    instrument
        The camera.
    skymap, collections
        Skymap and input collections; those of the camera's file by default.
    tracts, nights, bands
        What to process, as the campaign file takes it; all by default.
    site
        Where jobs run.
    database
        The URL of the APDB's database; to be filled in by default.
    """

    butler: str
    instrument: str = _DC2
    name: str = ""
    skymap: str = ""
    collections: str = ""
    tracts: str = ""
    nights: str = ""
    bands: str = ""
    site: str = "local"
    database: str = ""


def write_start(start: CampaignStart) -> str:
    """Write a campaign file.

    Parameters
    ----------
    start
        What it says.

    Raises
    ------
    SettingsError
        If the camera is unknown.
    """
    return "".join(_write_lines(_collect(start)))


def find_wrong_answers(start: CampaignStart) -> dict[str, str]:
    """Find what a new campaign file cannot say: what is wrong, by the field of `CampaignStart`."""
    if wrong := _explain_camera(start.instrument):
        return {"instrument": wrong}
    wrong = "" if "$" in start.site else explain_unknown(start.site)
    found = {"site": wrong} if wrong else {}
    content = {key: value for key, value in _collect(start).items() if value is not None}
    try:
        CampaignConfig.model_validate(content)
    except ValidationError as error:
        keys = {_KEYS.get(field, field): field for field in CampaignStart.__dataclass_fields__}
        for sentence in describe_mistakes(
            error, YamlFile(Path(), content, {}, ""), {key: key for key in keys}
        ):
            key, _, what = sentence.partition(": ")
            found[keys.get(key, key)] = what.removeprefix(f"{key}: ")
    return found


def _collect(start: CampaignStart) -> dict[str, Any]:
    camera = _read_camera(start.instrument)
    skip = camera.get("diffim", {}).get("skipExistingIn")
    first = (start.tracts or start.nights).replace(",", " ").split() or ["campaign"]
    return {
        "name": start.name or f"{'dc2' if start.instrument == _DC2 else start.instrument.lower()}-{first[0]}",
        "butler": start.butler,
        "instrument": start.instrument,
        "skymap": start.skymap or camera["skymap"],
        "tracts": _as_list(start.tracts),
        "dayObs": _as_list(start.nights),
        "bands": _as_list(start.bands),
        "inCollection": _as_list(start.collections) or camera["inCollection"],
        "where": camera.get("where"),
        "templates": {"pipeline": camera["templates"]["pipeline"]},
        "diffim": {"pipeline": camera["diffim"]["pipeline"]}
        | ({} if skip is None else {"skipExistingIn": skip}),
        "allowMissingTemplates": camera.get("allowMissingTemplates"),
        "apdb": {"url": start.database} if start.database else None,
        "site": start.site,
        "notify": None,
    }


def _read_camera(instrument: str) -> Mapping[str, Any]:
    if instrument == _DC2:
        fields = CampaignConfig.model_fields
        return {
            "skymap": fields["skymap"].default,
            "inCollection": "2.2i/defaults/test-med-1",
            "templates": {"pipeline": "ApTemplate-DC2.yaml"},
            "diffim": {"pipeline": "ApPipe-DC2.yaml"},
        }
    if wrong := _explain_camera(instrument):
        raise SettingsError(f"instrument: {wrong}")
    return {
        key: value for key, value in read_mapping(_FILES / f"{instrument}.yaml").items() if key in _OF_CAMERA
    }


def _explain_camera(instrument: str) -> str:
    """Say that nothing is known of a camera, and which may be meant; empty if something is."""
    if instrument in CAMERAS:
        return ""
    near = difflib.get_close_matches(instrument.casefold(), [name.casefold() for name in CAMERAS], n=1)
    meant = [name for name in CAMERAS if name.casefold() in near]
    hint = f"did you mean {meant[0]!r}? " if meant else ""
    return (
        f"nothing is known about the pipelines of {instrument!r}; {hint}expected one of {', '.join(CAMERAS)}; for "
        f"another one copy a file of {_FILES} and name its skymap and pipelines"
    )


#: What is written, as a comment, for what is not given.
_TO_FILL_IN = {
    "tracts": "3828..3830",
    "dayObs": "20260905",
    "bands": "[g, r, i]",
    "where": '"visit > 1000 AND detector < 189"',
    "allowMissingTemplates": "10",
    "apdb": "\n  url: postgresql://user@host/database",
    "notify": "\n  email: operator@example.org",
}


def _write_lines(content: Mapping[str, Any]) -> Iterator[str]:
    yield modeline()
    yield "# Begun by `apcampaign init`. Keys with # before them are not set.\n"
    yield "# Next: `apcampaign apdb init`, `apcampaign check`, `apcampaign plan`, `apcampaign submit`.\n"
    described = campaign_schema()["properties"]
    for key, value in content.items():
        yield "\n"
        for line in textwrap.wrap(described[key]["description"], _WIDTH):
            yield f"# {line}\n"
        if value is not None:
            yield yaml.safe_dump({key: value}, sort_keys=False, width=_WIDTH, allow_unicode=True)
        else:
            example = f"{key}:{' ' * (not _TO_FILL_IN[key].startswith(chr(10)))}{_TO_FILL_IN[key]}"
            yield from (f"# {line}\n" for line in example.splitlines())


def _as_list(text: str) -> Any:
    """Give what the campaign file says for one value, or for several."""
    values: list[str | int] = [
        int(word) if word.isdigit() else word for word in text.replace(",", " ").split()
    ]
    return None if not values else values[0] if len(values) == 1 else values
