"""``apcampaign summary``: summarise the results of a campaign."""

__all__ = ["command"]

import sys
from typing import TYPE_CHECKING

import click

from ..options.campaign import campaign_options, echo_json

if TYPE_CHECKING:
    from ...campaign import Campaign


@click.command()
@campaign_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(campaign: "Campaign", as_json: bool) -> None:
    """Summarise the results of a campaign: quanta, difference images, rows of the APDB.

    Exits 1 if a step is missing or any quantum is not done.
    """
    summary = campaign.summary()
    if as_json:
        echo_json(summary.as_dict())
    else:
        from ..display.summary import show_summary

        show_summary(summary)
    sys.exit(0 if summary.good else 1)
