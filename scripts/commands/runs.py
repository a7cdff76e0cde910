"""``apcampaign runs``: list a campaign's runs."""

__all__ = ["command"]

from typing import TYPE_CHECKING

import click

from ..options.campaign import campaign_options, echo_json

if TYPE_CHECKING:
    from ...campaign import Campaign

_LOG_WIDTH = 250  # a log has no width of its own, and paths must stay whole


@click.command()
@campaign_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(campaign: "Campaign", as_json: bool) -> None:
    """List a campaign's runs: which is which, where its files are, how it stands."""
    runs = campaign.runs()
    if as_json:
        echo_json([{**record.model_dump(mode="json"), "state": state} for record, state in runs])
        return
    from rich.table import Table

    from ..display.console import make_console

    table = Table("run", "prepared", "state", "id", "jobs", "output collection", "submit directory")
    for record, state in runs:
        numbers = (record.wms_id or "in a campaign DAG", str(sum(record.jobs.values())))
        table.add_row(
            record.name, record.timestamp, state or "?", *numbers, record.output_run, record.submit_dir
        )
    make_console(_LOG_WIDTH).print(table)
