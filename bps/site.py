"""Sites: where the jobs of a campaign run, as files of BPS settings."""

__all__ = ["PASSED_VARIABLES_KEY", "Site", "load_site"]

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from ..common.errors import CampaignError
from .data import read_mapping

#: The one key of a site file that is ours: environment variables that jobs get from the submitter.
PASSED_VARIABLES_KEY = "passEnvironment"


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
        """The BPS plugin class that runs the jobs."""
        return str(self.settings["wmsServiceClass"])

    @property
    def uses_htcondor(self) -> bool:
        """Whether the jobs go to HTCondor."""
        return ".htcondor." in self.wms_service


def load_site(name: str) -> Site:
    """Read a site by the name of its file in ``bps/sites``, or by path.

    Raises
    ------
    CampaignError
        If there is no such site, or its file does not say what a site must say.
    """
    known = Path(str(resources.files(__package__))) / "sites"
    path = Path(name) if "/" in name or name.endswith(".yaml") else known / f"{name}.yaml"
    if not path.is_file():
        names = ", ".join(sorted(file.stem for file in known.glob("*.yaml")))
        raise CampaignError(f"site: {name!r} is unknown; expected one of {names}, or the path of a site file")
    settings = read_mapping(path)
    for key in ("wmsServiceClass", "computeSite"):
        if not isinstance(settings.get(key), str):
            raise CampaignError(f"the site file {path} has no {key!r}; every site needs one")
    passed = settings.pop(PASSED_VARIABLES_KEY, [])
    if not isinstance(passed, list) or not all(isinstance(word, str) for word in passed):
        raise CampaignError(
            f"{path}: {PASSED_VARIABLES_KEY}: expected a list of names of environment variables"
        )
    return Site(name=name, settings=settings, passed_variables=tuple(passed))
