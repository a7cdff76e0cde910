"""``apcampaign inspect``: show what the repository holds for a campaign."""

__all__ = ["command"]

from typing import TYPE_CHECKING

import click

from ..display.inspection import show_inspection
from ..options.campaign import campaign_options, echo_json

if TYPE_CHECKING:
    from ...campaign import Campaign


@click.command()
@campaign_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(campaign: "Campaign", as_json: bool) -> None:
    """Show what the repository holds for a campaign: collections, visits, tracts, bands, coverage of patches."""
    inspection = campaign.inspect()
    if as_json:
        echo_json(inspection.as_dict())
    else:
        show_inspection(inspection)
