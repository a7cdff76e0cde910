"""``apcampaign plan``: forecast what a campaign will run and take, before it is submitted."""

__all__ = ["command"]

from typing import TYPE_CHECKING

import click

from ..display.forecast import show_forecast
from ..options.campaign import campaign_options, echo_json
from ..options.values import COUNT

if TYPE_CHECKING:
    from ...campaign import Campaign


@click.command()
@campaign_options
@click.option(
    "--slots", type=click.IntRange(1, COUNT.max), help="Number of slots; by default those of the site."
)
@click.option("--templates", help="A collection with templates; the campaign's own first step by default.")
@click.option("--json", "form", flag_value="json", help="Print JSON.")
@click.option("--mermaid", "form", flag_value="mermaid", help="Print a diagram in Mermaid's language.")
@click.option("--dot", "form", flag_value="dot", help="Print a diagram in Graphviz's language.")
def command(campaign: "Campaign", slots: int | None, templates: str | None, form: str | None) -> None:
    """Forecast what a campaign will run and take: quanta, jobs, core-hours, disk, time. Changes nothing.

    Times are taken from earlier runs in the folder of runs; where there are none they are guessed, and marked
    as such.
    """
    from ...submit.forecast import draw_dot, draw_mermaid

    forecast = campaign.forecast(slots, templates=templates)
    if form == "json":
        echo_json(forecast.as_dict())
    elif form == "mermaid":
        click.echo(draw_mermaid(forecast), nl=False)
    elif form == "dot":
        click.echo(draw_dot(forecast), nl=False)
    else:
        show_forecast(forecast)
