"""``apcampaign status``: how far a campaign is."""

__all__ = ["command"]

import click

from .options import CampaignContext, campaign_options, echo_json


@click.command()
@campaign_options
@click.option("--watch", is_flag=True, help="Look again and again until all has ended; Ctrl-C stops looking.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; with --watch, a line each time.")
def command(context: CampaignContext, watch: bool, as_json: bool) -> None:
    """Say how far a campaign is: its jobs by label, when they are expected to end, and what they wait for.

    Works while it runs and after, on any host that sees the folder of its runs, and without HTCondor: then it
    says what it cannot know.
    """
    from ..submit.monitor import CampaignReader

    reader = CampaignReader(context.paths)
    if watch:
        from ..submit.closing import tell_trouble
        from .status_watch import watch_status

        def complain(problem: str) -> None:
            click.echo(problem, err=True)

        watch_status(reader, as_json=as_json, tell=tell_trouble(context.campaign, reader, complain))
    elif as_json:
        echo_json(reader.read().as_dict())
    else:
        from .console import make_console
        from .status_screen import draw_status

        make_console().print(draw_status(reader.read()))
