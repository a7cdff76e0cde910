"""``apcampaign cancel``: end what is going on."""

__all__ = ["command"]

import click

from .options import CampaignContext, campaign_options, echo_json, json_option, say


@click.command()
@campaign_options
@json_option
def command(context: CampaignContext, as_json: bool) -> None:
    """End a campaign's chain and runs; what is done stays, and `apcampaign resume` goes on from there."""
    from ..submit.recovery import cancel

    cancel(context.paths, say)
    if as_json:
        echo_json({"cancelled": context.campaign.name})
