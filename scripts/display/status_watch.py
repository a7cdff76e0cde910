"""Screen of ``apcampaign status --watch``, drawn repeatedly until the campaign has ended."""

__all__ = ["watch_status"]

import json
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ...campaign import Campaign

_SHORTEST, _LONGEST = 2.0, 60.0  # seconds between two looks
_REST = 10  # the pause after a look is at least this many times as long as the look took


def watch_status(campaign: "Campaign", *, run: str | None = None, parts: bool, as_json: bool) -> None:
    """Show a campaign until it has ended, less often the longer nothing happens.

    Parameters
    ----------
    campaign
        The campaign; people whom it names are notified of trouble.
    run
        The name of the run to look at; by default those that count.
    parts
        Whether to show the parts of divided steps.
    as_json
        Whether to print a line of JSON each time instead.
    """
    from rich.live import Live

    from .console import make_console
    from .status import draw_status

    console = make_console()
    # Without a terminal nothing can be drawn over: each look is then printed below the last one.
    overdraw = console.is_terminal and not as_json
    pause, before = _SHORTEST, ""
    with Live(console=console, auto_refresh=False, screen=False) if overdraw else nullcontext() as live:
        try:
            begun = time.monotonic()
            for status in campaign.watch(run, notify=True):
                took = time.monotonic() - begun
                now = json.dumps([step["jobs"] for step in status.as_dict()["steps"]])
                if isinstance(live, Live):
                    live.update(draw_status(status, console.height, parts=parts), refresh=True)
                elif as_json:
                    click.echo(json.dumps(status.as_dict()))
                elif now != before:
                    console.print(draw_status(status, parts=parts))
                if status.active:
                    pause = _SHORTEST if now != before else min(1.5 * pause, _LONGEST)
                    before = now
                    time.sleep(max(pause, _REST * took))
                begun = time.monotonic()
        except KeyboardInterrupt:
            return
