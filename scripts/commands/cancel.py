"""``apcampaign cancel``: cancel the running jobs of a campaign."""

__all__ = ["command"]

import sys
from typing import TYPE_CHECKING

import click

from ..options.campaign import campaign_options, dry_run_option, echo_json, json_option, say

if TYPE_CHECKING:
    from ...campaign import Campaign


@click.command()
@campaign_options
@dry_run_option
@json_option
def command(campaign: "Campaign", dry_run: bool, as_json: bool) -> None:
    """Cancel the running jobs of a campaign; what is done stays, and `apcampaign resume` goes on from there."""
    plan = campaign.plan_cancel()
    if dry_run:
        echo_json(plan.as_dict()) if as_json else say("\n".join(plan.describe()))
        sys.exit(1 if plan.obstacles else 0)
    plan.execute()
    if as_json:
        echo_json(plan.as_dict())
