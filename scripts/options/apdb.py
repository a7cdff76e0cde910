"""Options of the ``apcampaign apdb`` commands: which APDB, and of which campaign."""

__all__ = [
    "PlannedChange",
    "butler_options",
    "campaign_options",
    "find_apdb_reference",
    "find_campaign",
    "find_expected_associations",
    "new_apdb",
    "place_options",
]

import functools
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import click

from ...common.errors import ApcampaignError, SettingsError
from ...common.progress import show_progress
from .campaign import RUNS_OPTION

if TYPE_CHECKING:
    from ...apdb import ExpectedAssociations
    from ...campaign import Campaign

DEFAULT_CAMPAIGN = Path("campaign.yaml")


class _Change(Protocol):
    def describe(self) -> Iterable[str]: ...

    def as_dict(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class PlannedChange:
    """A change of an APDB, with what is in its way.

    Parameters
    ----------
    plan
        The change.
    obstacles
        Why it would be refused.
    """

    plan: _Change
    obstacles: tuple[ApcampaignError, ...]

    def describe(self) -> list[str]:
        """Say it in lines."""
        return [*self.plan.describe(), *(f"it would be refused: {error}" for error in self.obstacles)]

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values, for JSON."""
        return {**self.plan.as_dict(), "obstacles": [str(error) for error in self.obstacles]}


_CAMPAIGN_OPTIONS = (
    click.option(
        "--campaign",
        "campaign_file",
        type=click.Path(path_type=Path),
        envvar="APCAMPAIGN_CAMPAIGN",
        help="The campaign file; campaign.yaml if it is there.",
    ),
    RUNS_OPTION,
    click.option(
        "--namespace", envvar="APCAMPAIGN_NAMESPACE", help="The APDB's namespace (PostgreSQL schema)."
    ),
)


def campaign_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that name a campaign, which need not be there."""

    @functools.wraps(function)
    def wrapper(**arguments: Any) -> Any:
        with show_progress(click.get_current_context().command_path):
            return function(**arguments)

    for option in reversed(_CAMPAIGN_OPTIONS):
        wrapper = option(wrapper)
    return wrapper


def place_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the argument and the options that name an APDB."""
    return click.argument("reference", required=False, metavar="[APDB]")(campaign_options(function))


def butler_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say where associations were recorded."""
    collection = click.option(
        "--collection",
        "collections",
        multiple=True,
        help="A collection with the associations' outputs; the campaign's difference imaging by default.",
    )
    repository = click.option(
        "--butler", envvar="APCAMPAIGN_BUTLER", help="The Butler repository; the campaign's by default."
    )
    return repository(collection(function))


def find_expected_associations(
    butler: str | None, collections: tuple[str, ...], campaign_file: Path | None, runs: Path
) -> "ExpectedAssociations":
    """Ask a repository what was associated: the one given, else the campaign's."""
    from ...apdb import read_expected_associations

    others = False
    if not butler or not collections:
        campaign = find_campaign(campaign_file, runs)
        if campaign is None:
            raise SettingsError(
                "it is not known where the associations were recorded",
                remedy="name the repository and its collection (--butler, --collection), or a campaign with "
                "--campaign FILE",
            )
        butler = butler or campaign.settings.butler
        collections = collections or (f"{campaign.settings.root_collection}/diffim",)
        others = campaign.settings.apdb.filled
    return read_expected_associations(butler, collections, others=others)


def find_campaign(campaign_file: Path | None, runs: Path) -> "Campaign | None":
    """Open the campaign, if there is one."""
    from ...campaign import Campaign

    if campaign_file is None and not os.path.lexists(
        DEFAULT_CAMPAIGN
    ):  # a link that leads nowhere is one that is meant
        return None
    # The URL may hold a password here, which a campaign refuses; the commands read it themselves.
    environment = {key: value for key, value in os.environ.items() if key != "APCAMPAIGN_DB"}
    return Campaign.open(campaign_file or DEFAULT_CAMPAIGN, runs=runs, environment=environment)


def find_apdb_reference(
    reference: str | None, campaign_file: Path | None, runs: Path, namespace: str | None
) -> tuple[str, str | None]:
    """Name the APDB that is meant: the one given, else the campaign's."""
    if reference is not None:
        return reference, (namespace or None) if "://" in reference else None
    campaign = find_campaign(campaign_file, runs)
    if campaign is None:
        raise SettingsError(
            "it is not known which APDB is meant",
            remedy="name its configuration file, label:NAME or a URL (and --namespace), or a campaign with "
            "--campaign FILE",
        )
    return campaign.workspace.planned_apdb_config, None


def new_apdb(
    *,
    campaign_file: Path | None,
    runs: Path,
    namespace: str | None,
    db: str | None,
    config: Path | None,
    instrument: str | None,
    readers: tuple[str, ...],
    writers: tuple[str, ...],
    reset: bool,
    replace_config: bool,
    **options: Any,
) -> dict[str, Any]:
    """Say which APDB is to be made: what is given, and for the rest what the campaign says.

    Returns
    -------
    arguments
        For `apcampaign.apdb.plan_init`.
    """
    from ...apdb import ApdbOptions, ApdbTarget, namespace_for

    campaign = find_campaign(campaign_file, runs)
    if campaign is not None:
        settings = campaign.settings.apdb
        if settings.config and not db:
            raise SettingsError(f"the campaign uses the ready APDB {settings.config}; there is none to make")
        db = db or settings.url
        instrument = instrument or campaign.settings.instrument
        config = config or campaign.workspace.paths.apdb_config
        if not (db or "").startswith("sqlite"):
            namespace = namespace or settings.namespace or namespace_for(campaign.name)
    if not db or config is None:
        raise SettingsError(
            "an APDB needs a database and a place for its configuration",
            remedy="give --db and --config, or a campaign that says so (--campaign)",
        )
    target = ApdbTarget.from_url(db, namespace or None)
    return {
        "target": target,
        "instrument": instrument or "",
        "config": config,
        "options": ApdbOptions(**options),
        "readers": readers,
        "writers": writers,
        "reset": reset,
        "replace_config": replace_config,
        "campaign": campaign.name if campaign else None,
    }
