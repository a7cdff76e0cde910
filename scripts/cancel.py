"""``apcampaign cancel``: end what is going on."""

__all__ = ["command"]

import click

from .options import CampaignContext, campaign_options, say


@click.command()
@campaign_options
def command(context: CampaignContext) -> None:
    """End a campaign's chain and runs; what is done stays, and `apcampaign resume` goes on from there."""
    from ..submit.recovery import cancel

    cancel(context.paths, say)
