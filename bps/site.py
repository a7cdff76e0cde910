"""Sites where the jobs of a campaign run (``bps/sites/*.yaml``), and the WMS of each."""

__all__ = ["Site", "SiteNotes", "Wms", "explain_unknown", "list_sites", "load_site", "wms_kind"]

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from ..common.errors import SettingsError
from .yaml_reading import YamlFile, read_yaml

# The keys of a site file that are not BPS's: what people should know, and environment variables that jobs get from
# the submitter.
_NOTES_KEY = "about"
_PASSED_VARIABLES_KEY = "passEnvironment"

_TELL = "`apcampaign sites` tells what each is"
_KNOWN = Path(str(resources.files(__package__))) / "sites"


class Wms(StrEnum):
    """The WMSs that are told apart here."""

    HTCONDOR = "htcondor"
    PARSL = "parsl"
    PANDA = "panda"
    OTHER = "other"


def wms_kind(wms_service: str) -> Wms:
    """Tell which WMS a BPS plugin class speaks to.

    Parameters
    ----------
    wms_service
        The full name of the class, as ``wmsServiceClass`` has it.
    """
    return next((wms for wms in Wms if f".{wms}." in wms_service), Wms.OTHER)


class SiteNotes(BaseModel):
    """What people should know of a site.

    Parameters
    ----------
    title
        What it is, in a line.
    needs
        What must be there before a campaign is submitted, and what to set.
    tried
        What has run there.
    sources
        Where its settings come from, with dates.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str = ""
    needs: tuple[str, ...] = ()
    tried: str = ""
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Site:
    """Where jobs run.

    Parameters
    ----------
    name
        As the campaign names it.
    settings
        BPS settings.
    passed_variables
        Environment variables that jobs get from whoever submits.
    notes
        What people should know of it.
    file
        Where it is described.
    """

    name: str
    settings: Mapping[str, Any]
    passed_variables: tuple[str, ...]
    notes: SiteNotes = field(default_factory=SiteNotes)
    file: Path | None = None

    @property
    def wms_service(self) -> str:
        """The class of the BPS plugin that runs the jobs."""
        return str(self.settings["wmsServiceClass"])

    @property
    def wms(self) -> Wms:
        """The WMS that runs the jobs."""
        return wms_kind(self.wms_service)


def list_sites() -> tuple[str, ...]:
    """Name the sites that come along."""
    return tuple(sorted(file.stem for file in _KNOWN.glob("*.yaml")))


def explain_unknown(name: str) -> str:
    """Say that a site is neither one that comes along nor named as a file; empty if it is."""
    sites = list_sites()
    if _is_path(name) or name in sites:
        return ""
    near = difflib.get_close_matches(name.casefold(), sites, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return (
        f"{name!r} is unknown; {hint}expected one of {', '.join(sites)}, or the path of a site file; {_TELL}"
    )


def _is_path(name: str) -> bool:
    return "/" in name or name.endswith(".yaml")


def load_site(name: str) -> Site:
    """Read a site by the name of its file in ``bps/sites``, or by path.

    Raises
    ------
    SettingsError
        If there is no such site, or its file lacks what every site needs.
    """
    path = Path(name) if _is_path(name) else _KNOWN / f"{name}.yaml"
    try:
        file = read_yaml(path, "site file")
    except FileNotFoundError:
        raise SettingsError(
            f"site: {unknown}" if (unknown := explain_unknown(name)) else f"site: there is no file {name}",
            expected="" if unknown else f"the path of a site file, or one of {', '.join(list_sites())}",
            remedy="" if unknown else _TELL,
        ) from None
    settings = file.content
    for key in ("wmsServiceClass", "computeSite"):
        if key not in settings:
            raise SettingsError(
                f"the site file {path} has no {key!r}, which every site needs", remedy=f"write {key}: …"
            )
        if not isinstance(settings[key], str):
            raise SettingsError(
                f"{file.place((key,))}: {key} cannot be {settings[key]!r}",
                expected="a word",
                remedy=file.explain((key,)),
            )
    passed = settings.pop(_PASSED_VARIABLES_KEY, [])
    if not isinstance(passed, list) or not all(isinstance(variable, str) for variable in passed):
        raise SettingsError(
            f"{file.place((_PASSED_VARIABLES_KEY,))}: {_PASSED_VARIABLES_KEY} cannot be {passed!r}",
            expected="a list of names of environment variables",
        )
    notes = _read_notes(file)
    return Site(name=name, settings=settings, passed_variables=tuple(passed), notes=notes, file=path)


def _read_notes(file: YamlFile) -> SiteNotes:
    try:
        return SiteNotes.model_validate(file.content.pop(_NOTES_KEY, {}))
    except ValidationError as error:
        first = error.errors()[0]
        raise SettingsError(
            f"{file.place((_NOTES_KEY,))}: {'.'.join(map(str, (_NOTES_KEY, *first['loc'])))}: {first['msg']}",
            expected=f"any of {', '.join(SiteNotes.model_fields)}",
        ) from error
