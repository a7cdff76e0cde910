"""``apcampaign cancel``: cancel the running jobs of a campaign."""

__all__ = ["command"]

from typing import TYPE_CHECKING

import click

from ..options.campaign import dry_run_option, echo_json, end_dry_run, json_option, record_options

if TYPE_CHECKING:
    from ...campaign import Campaign


@click.command()
@record_options
@dry_run_option
@json_option
def command(campaign: "Campaign", dry_run: bool, as_json: bool) -> None:
    """Cancel the running jobs of a campaign; what is done stays, and `apcampaign resume` goes on from there."""
    plan = campaign.plan_cancel()
    if dry_run:
        end_dry_run(plan, as_json=as_json)
    plan.execute()
    if as_json:
        echo_json(plan.as_dict())
