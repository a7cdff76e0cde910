"""``apcampaign completeness``: tell what share of the injected sources a campaign has found."""

__all__ = ["command"]

import sys
from typing import TYPE_CHECKING

import click

from ..exits import ExitCode
from ..options.campaign import campaign_options, echo_json

if TYPE_CHECKING:
    from ...campaign import Campaign


@click.command()
@campaign_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(campaign: "Campaign", as_json: bool) -> None:
    """Tell what share of the injected sources a campaign has found, and how well measured.

    It is for campaigns with `injection`: what was injected into the science images is compared with the
    DiaSources in the APDB. Works while the campaign runs and after, on the images that were associated. Exits 3 if
    there are none with injected sources yet.
    """
    result = campaign.completeness()
    if as_json:
        echo_json(result.as_dict())
    else:
        from ..display.completeness import show_completeness

        show_completeness(result)
    sys.exit(ExitCode.YES if result.injected else ExitCode.UNKNOWN)
