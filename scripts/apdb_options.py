"""What the ``apcampaign apdb`` commands have in common: which APDB, and of which campaign."""

__all__ = [
    "butler_options",
    "campaign_of",
    "campaign_options",
    "expectation_of",
    "hide_passwords",
    "new_apdb",
    "place_options",
    "reference_of",
]

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..common.errors import CampaignError
from ..common.secrets import redact
from .options import RUNS_OPTION, CampaignContext

if TYPE_CHECKING:
    from ..apdb import Expectation

DEFAULT_CAMPAIGN = Path("campaign.yaml")

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
    for option in reversed(_CAMPAIGN_OPTIONS):
        function = option(function)
    return function


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


def expectation_of(
    butler: str | None, collections: tuple[str, ...], campaign_file: Path | None, runs: Path
) -> "Expectation":
    """Ask a repository what was associated: the one given, else the campaign's."""
    from ..apdb import read_expectation

    if not butler or not collections:
        context = campaign_of(campaign_file, runs)
        if context is None:
            raise CampaignError(
                "where were the associations recorded? name the repository and its collection (--butler, "
                "--collection), or a campaign with --campaign FILE"
            )
        butler = butler or context.campaign.butler
        collections = collections or (f"{context.campaign.root_collection}/diffim",)
    return read_expectation(butler, collections)


def campaign_of(campaign_file: Path | None, runs: Path) -> "CampaignContext | None":
    """Load the campaign, if there is one."""
    from ..bps import load_campaign

    if campaign_file is None and not DEFAULT_CAMPAIGN.exists():
        return None
    # The URL may hold a password here, which a campaign refuses; the commands read it themselves.
    environment = {key: value for key, value in os.environ.items() if key != "APCAMPAIGN_DB"}
    campaign = load_campaign(campaign_file or DEFAULT_CAMPAIGN, environment=environment)
    return CampaignContext(campaign=campaign, runs=runs)


def reference_of(
    reference: str | None, campaign_file: Path | None, runs: Path, namespace: str | None
) -> tuple[str, str | None]:
    """Name the APDB that is meant: the one given, else the campaign's."""
    hide_passwords()
    if reference is not None:
        return reference, (namespace or None) if "://" in reference else None
    context = campaign_of(campaign_file, runs)
    if context is None:
        raise CampaignError(
            "which APDB? name its configuration file, label:NAME or a URL (and --namespace), or a campaign "
            "with --campaign FILE"
        )
    return context.campaign.apdb.config or str(context.paths.apdb_config), None


def hide_passwords() -> None:
    """Take passwords off the command line that ``ps`` shows, as far as this process can."""
    shown = [re.sub(r"([?&]password=)[^&]*", r"\1***", redact(word)) for word in sys.argv]
    if shown != sys.argv:
        click.echo(
            "apcampaign: a password on the command line can be seen by others on this machine; better give the "
            "URL in the variable APCAMPAIGN_DB, or the password in ~/.pgpass",
            err=True,
        )
        try:
            from setproctitle import setproctitle
        except ImportError:
            return
        setproctitle(" ".join(shown))


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
    from ..apdb import ApdbOptions, ApdbTarget, namespace_for

    context = campaign_of(campaign_file, runs)
    if context is not None:
        settings = context.campaign.apdb
        if settings.config and not db:
            raise CampaignError(f"the campaign uses the ready APDB {settings.config}; there is none to make")
        db = db or settings.url
        instrument = instrument or context.campaign.instrument
        config = config or context.paths.apdb_config
        if not (db or "").startswith("sqlite"):
            namespace = namespace or settings.namespace or namespace_for(context.campaign.name)
    if not db or config is None:
        raise CampaignError(
            "an APDB needs a database (--db, make DB=…) and a place for its configuration (--config), or a "
            "campaign that says so (--campaign)"
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
        "campaign": context.campaign.name if context else None,
    }
