"""``apcampaign runs``: the ledger."""

__all__ = ["command"]

import click

from .options import CampaignContext, campaign_options, echo_json


@click.command()
@campaign_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(context: CampaignContext, as_json: bool) -> None:
    """List a campaign's runs: which is which, where its files are, how it stands."""
    from rich.console import Console
    from rich.table import Table

    from ..bps import Step
    from ..submit.ledger import list_runs
    from ..submit.stages import run_state

    records = [record for step in Step for record in list_runs(context.paths, step)]
    states = [run_state(record) for record in records]
    if as_json:
        echo_json([{**r.model_dump(mode="json"), "state": s} for r, s in zip(records, states, strict=True)])
        return
    table = Table("step", "prepared", "state", "id", "jobs", "output collection", "submit directory")
    for record, state in zip(records, states, strict=True):
        numbers = (record.wms_id or "in a chain", str(sum(record.jobs.values())))
        table.add_row(
            record.step, record.timestamp, state or "?", *numbers, record.output_run, record.submit_dir
        )
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 250  # a log has no width of its own, and paths must stay whole
    console.print(table)
