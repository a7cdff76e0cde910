"""Sites where the jobs of a campaign run (``bps/sites/*.yaml``), and the WMS of each."""

__all__ = ["Site", "Wms", "load_site", "wms_kind"]

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources
from pathlib import Path
from typing import Any

from ..common.errors import SettingsError
from .yaml_reading import read_yaml

# The only key of a site file that is not BPS's: environment variables that jobs get from the submitter.
_PASSED_VARIABLES_KEY = "passEnvironment"


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
    """

    name: str
    settings: Mapping[str, Any]
    passed_variables: tuple[str, ...]

    @property
    def wms_service(self) -> str:
        """The class of the BPS plugin that runs the jobs."""
        return str(self.settings["wmsServiceClass"])

    @property
    def wms(self) -> Wms:
        """The WMS that runs the jobs."""
        return wms_kind(self.wms_service)


def load_site(name: str) -> Site:
    """Read a site by the name of its file in ``bps/sites``, or by path.

    Raises
    ------
    SettingsError
        If there is no such site, or its file lacks what every site needs.
    """
    known = Path(str(resources.files(__package__))) / "sites"
    path = Path(name) if "/" in name or name.endswith(".yaml") else known / f"{name}.yaml"
    try:
        file = read_yaml(path, "site file")
    except FileNotFoundError:
        names = ", ".join(sorted(file.stem for file in known.glob("*.yaml")))
        raise SettingsError(
            f"site: {name!r} is unknown", expected=f"one of {names}, or the path of a site file"
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
    return Site(name=name, settings=settings, passed_variables=tuple(passed))
