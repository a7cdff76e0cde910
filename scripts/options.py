"""What the commands that act on a campaign have in common: its file, and what overrides it."""

__all__ = ["RUNS_OPTION", "CampaignContext", "campaign_options", "echo_json", "json_option", "say"]

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ..bps import Campaign, Site
    from ..submit import CampaignPaths


@dataclass(frozen=True, kw_only=True)
class CampaignContext:
    """A campaign, and where its files are.

    Parameters
    ----------
    campaign
        With everything that overrides its file.
    runs
        The folder of all campaigns' runs.
    """

    campaign: "Campaign"
    runs: Path

    @property
    def paths(self) -> "CampaignPaths":
        """The campaign's files."""
        from ..submit import CampaignPaths

        return CampaignPaths(self.runs, self.campaign.name)

    @property
    def site(self) -> "Site":
        """Where its jobs run."""
        from ..bps import load_site

        return load_site(self.campaign.site)


RUNS_OPTION = click.option(
    "--runs",
    type=click.Path(path_type=Path),
    default="runs",
    envvar="APCAMPAIGN_RUNS",
    show_default=True,
    help="The folder for the runs of all campaigns.",
)
"""Where the ledger is, for commands of which the campaign is not all that counts, too."""

_OPTIONS = (
    click.option(
        "--campaign",
        "campaign_file",
        type=click.Path(path_type=Path),
        default="campaign.yaml",
        envvar="APCAMPAIGN_CAMPAIGN",
        show_default=True,
        help="The campaign file.",
    ),
    RUNS_OPTION,
    click.option("--butler", help="The Butler repository."),
    click.option("--tracts", help='Tracts, such as "3828 3829".'),
    click.option("--bands", help='Bands, such as "g r i".'),
    click.option("--site", help="Where jobs run: s3df, local, parsl-local, or the path of a site file."),
    click.option("--namespace", help="The APDB's namespace (PostgreSQL schema)."),
    click.option(
        "--allow-missing-templates",
        type=click.FloatRange(0, 100),
        metavar="PERCENT",
        help="How many of the needed (patch, band) may lack a template.",
    ),
)


def campaign_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that name a campaign; it gets a `CampaignContext` as its first argument."""

    @functools.wraps(function)
    def wrapper(
        campaign_file: Path,
        runs: Path,
        butler: str | None,
        tracts: str | None,
        bands: str | None,
        site: str | None,
        namespace: str | None,
        allow_missing_templates: float | None,
        **rest: Any,
    ) -> Any:
        from ..bps import load_campaign

        flags = {
            ("butler",): butler,
            ("tracts",): tracts,
            ("bands",): bands,
            ("site",): site,
            ("apdb", "namespace"): namespace,
            ("allowMissingTemplates",): allow_missing_templates,
        }
        campaign = load_campaign(campaign_file, flags=flags)
        return function(CampaignContext(campaign=campaign, runs=runs), **rest)

    for option in reversed(_OPTIONS):
        wrapper = option(wrapper)
    return wrapper


#: For commands that do something: their result as JSON.
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON; what there is to tell goes to standard error."
)


def say(text: str) -> None:
    """Tell the user something; on standard error if the command shall print JSON."""
    context = click.get_current_context(silent=True)
    click.echo(text, err=bool(context and context.params.get("as_json")))


def echo_json(content: Any) -> None:
    """Print plain values for a machine."""
    click.echo(json.dumps(content, indent=2))
