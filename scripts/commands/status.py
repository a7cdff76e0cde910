"""``apcampaign status``: show the progress of a campaign."""

__all__ = ["command"]

from typing import TYPE_CHECKING

import click

from ..options.campaign import echo_json, record_options, run_option

if TYPE_CHECKING:
    from ...campaign import Campaign


@click.command()
@record_options
@run_option
@click.option("--watch", is_flag=True, help="Refresh until all has ended; Ctrl-C stops it.")
@click.option("--parts", is_flag=True, help="Show the parts of divided steps instead of the labels of jobs.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; with --watch, a line each time.")
def command(campaign: "Campaign", run: str | None, watch: bool, parts: bool, as_json: bool) -> None:
    """Show the progress of a campaign: its jobs by label, when they are expected to end, and what they wait for.

    Works while it runs and after, on any host that sees the folder of its runs, and without HTCondor: then it
    says what it cannot know.
    """
    if watch:
        from ..display.status_watch import watch_status

        watch_status(campaign, run=run, parts=parts, as_json=as_json)
    elif as_json:
        echo_json(campaign.status(run).as_dict())
    else:
        from ..display.console import make_console
        from ..display.status import draw_status

        make_console().print(draw_status(campaign.status(run), parts=parts))
