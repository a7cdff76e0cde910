"""``apcampaign plan``: what a campaign will run and take, before it is submitted."""

__all__ = ["command"]

from typing import TYPE_CHECKING

import click

from .options import CampaignContext, campaign_options, echo_json, say

if TYPE_CHECKING:
    from ..submit.forecast import Forecast


@click.command()
@campaign_options
@click.option(
    "--slots", type=click.IntRange(min=1), help="On how many slots; by default those that the site has."
)
@click.option("--templates", help="A collection with templates; the campaign's own first step by default.")
@click.option("--json", "form", flag_value="json", help="Print JSON.")
@click.option("--mermaid", "form", flag_value="mermaid", help="Print a picture in the language of Mermaid.")
@click.option("--dot", "form", flag_value="dot", help="Print a picture in the language of Graphviz.")
def command(context: CampaignContext, slots: int | None, templates: str | None, form: str | None) -> None:
    """Say what a campaign will run and take: quanta, jobs, core-hours, disk, time. Changes nothing.

    Times are learned from earlier runs in the folder of runs; where there are none, they are guessed, and
    marked so.
    """
    from ..submit.forecast import count_slots, draw_dot, draw_mermaid, make_forecast

    note = f"on {slots} slots"
    if slots is None:
        slots, note = count_slots(context.site)
    forecast = make_forecast(
        context.campaign, context.site, context.paths, slots=slots, templates=templates, notes=[note]
    )
    if form == "json":
        echo_json(forecast.as_dict())
    elif form == "mermaid":
        click.echo(draw_mermaid(forecast), nl=False)
    elif form == "dot":
        click.echo(draw_dot(forecast), nl=False)
    else:
        _show(forecast)


def _show(forecast: "Forecast") -> None:
    """Print a forecast for a person."""
    from .plan_table import draw_forecast

    draw_forecast(forecast)
    for note in forecast.notes:
        say(note)
