"""``apcampaign runs``: list a campaign's runs."""

__all__ = ["command"]

from typing import TYPE_CHECKING

import click

from ..options.campaign import echo_json, record_options, run_option, say

if TYPE_CHECKING:
    from ...campaign import Campaign


@click.command()
@record_options
@run_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(campaign: "Campaign", run: str | None, as_json: bool) -> None:
    """List a campaign's runs: which is which, where its files are, how it stands."""
    runs = campaign.runs(run)
    if as_json:
        echo_json([{**record.model_dump(mode="json"), "state": state} for record, state in runs])
        return
    if not runs:
        say(f"campaign {campaign.settings.name} has no runs in {campaign.folder}")
        return
    from ...bps import Wms
    from ...monitor import name_state
    from ..display.console import make_console
    from ..display.table import Table

    table = Table("run", "prepared", "state", "id", "jobs", "output collection", "submit directory")
    for record, state in runs:
        where = "in a campaign DAG" if record.wms is Wms.HTCONDOR else "in the foreground"
        numbers = (record.wms_id or where, str(sum(record.jobs.values())))
        table.add_row(
            record.name,
            record.timestamp,
            name_state(state) if state else "?",
            *numbers,
            record.output_run,
            record.adopted_from or record.submit_dir,
        )
    make_console().print(table)
