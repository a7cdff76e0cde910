"""``apcampaign report``: one HTML page of what a campaign does and what came of it."""

__all__ = ["command"]

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import CampaignContext, campaign_options, echo_json, say

if TYPE_CHECKING:
    from ..submit.report import ReportData


@click.command()
@campaign_options
@click.option(
    "--output",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where the page goes; report.html beside the campaign's runs by default.",
)
@click.option("--watch", is_flag=True, help="Write it again and again until the campaign has ended.")
@click.option(
    "--interval",
    type=click.IntRange(min=5),
    default=30,
    show_default=True,
    help="Seconds between two, with --watch; an open page loads itself again as often.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON: where it is, and what it says first.")
def command(context: CampaignContext, file: Path | None, watch: bool, interval: int, as_json: bool) -> None:
    """Write one HTML page: how far a campaign is, what it took, and what came of it.

    The page needs no network to be opened and no server. What cannot be read is said on it.
    """
    from ..submit.closing import send
    from ..submit.report import ReportReader, default_report, watch_report, write_report
    from .score_figure import score_figures

    campaign, paths = context.campaign, context.paths
    target = file or default_report(paths)
    reader = ReportReader(campaign, paths, score_figures)
    if watch:
        watch_report(
            campaign,
            paths,
            target,
            reader=reader,
            interval=interval,
            say=lambda data: _tell(target, data, as_json),
            tell=lambda notice: send(campaign, notice, lambda problem: click.echo(problem, err=True)),
        )
    else:
        _, data = write_report(campaign, paths, target, reader=reader)
        _tell(target, data, as_json)


def _tell(file: Path, data: "ReportData", as_json: bool) -> None:
    from ..submit.report import campaign_state, headline

    state, _ = campaign_state(data)
    tiles = headline(data)
    if as_json:
        numbers = {tile.title: {"value": tile.value, "remark": tile.remark} for tile in tiles}
        echo_json(
            {
                "report": str(file),
                "state": state,
                "final": data.final,
                "headline": numbers,
                "notes": data.notes,
            }
        )
        return
    say(f"{file}: {state}" + "".join(f"; {tile.title} {tile.value}" for tile in tiles[:2]))
    for note in data.notes:
        say(f"not on it: {note}")
