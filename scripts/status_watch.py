"""Looking at a campaign again and again."""

__all__ = ["watch_status"]

import json
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..submit.monitor import CampaignReader, CampaignStatus

_SHORTEST, _LONGEST = 2.0, 60.0  # seconds between two looks
_SHARE = 10  # looking takes at most one part in so many of the time


def watch_status(
    reader: "CampaignReader", *, as_json: bool, tell: "Callable[[CampaignStatus], None]" = lambda _: None
) -> None:
    """Show a campaign until all has ended, and look less often the longer nothing happens.

    Parameters
    ----------
    reader
        Of the campaign.
    as_json
        Whether to print a line of JSON each time instead.
    tell
        Takes each look; for those who want to be told of trouble.
    """
    from rich.live import Live

    from .console import make_console
    from .status_screen import draw_status

    console = make_console()
    # Without a terminal nothing can be drawn over: each look is then printed below the last one.
    overdraw = console.is_terminal and not as_json
    pause, before = _SHORTEST, ""
    with Live(console=console, auto_refresh=False, screen=False) if overdraw else nullcontext() as live:
        try:
            while True:
                begun = time.monotonic()
                status = reader.read()
                took = time.monotonic() - begun
                now = json.dumps([step["jobs"] for step in status.as_dict()["steps"]])
                if isinstance(live, Live):
                    live.update(draw_status(status, console.height), refresh=True)
                elif as_json:
                    click.echo(json.dumps(status.as_dict()))
                elif now != before:
                    console.print(draw_status(status))
                if not status.going_on:
                    return
                tell(status)
                pause = _SHORTEST if now != before else min(1.5 * pause, _LONGEST)
                before = now
                time.sleep(max(pause, _SHARE * took))
        except KeyboardInterrupt:
            return
