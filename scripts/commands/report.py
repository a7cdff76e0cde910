"""``apcampaign report``: write one HTML page of the progress and the results of a campaign."""

__all__ = ["command"]

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..options.campaign import campaign_options, echo_json, run_option, say

if TYPE_CHECKING:
    from ...campaign import Campaign
    from ...report import ReportData


@click.command()
@campaign_options
@run_option
@click.option(
    "--output",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where the page goes; report.html in the campaign's folder, or that of --run, by default.",
)
@click.option("--watch", is_flag=True, help="Write it repeatedly until the campaign has ended.")
@click.option(
    "--interval",
    type=click.IntRange(5, 86_400),
    default=30,
    show_default=True,
    help="Seconds between two, with --watch; an open page loads itself again as often.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON: where it is, and what it says first.")
def command(
    campaign: "Campaign", run: str | None, file: Path | None, watch: bool, interval: int, as_json: bool
) -> None:
    """Write one HTML page: the progress of a campaign, what it took, and its results.

    The page needs no network to be opened and no server. Sources that could not be read are listed on the page.
    """
    from ..display.score_figure import score_figures, true_light_curves

    target = file or campaign.report_file(run)
    if watch:
        for data in campaign.watch_report(
            target, run=run, interval=interval, appendix=score_figures, truth=true_light_curves
        ):
            _show(target, data, as_json)
    else:
        from ...report import ReportReader, write_report

        reader = ReportReader(campaign.workspace, score_figures, true_light_curves, run)
        _, data = write_report(campaign.workspace, target, reader=reader)
        _show(target, data, as_json)


def _show(file: Path, data: "ReportData", as_json: bool) -> None:
    from ...report import campaign_state, headline

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
        say(f"missing from the report: {note}")
