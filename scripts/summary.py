"""``apcampaign summary``: what came of a campaign."""

__all__ = ["command", "show"]

import sys
from typing import TYPE_CHECKING

import click

from .options import CampaignContext, campaign_options, echo_json

if TYPE_CHECKING:
    from rich.console import Console

    from ..submit.summary import Summary


@click.command()
@campaign_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(context: CampaignContext, as_json: bool) -> None:
    """Say what came of a campaign: quanta, difference images, rows of the APDB.

    Exits 1 if a step is missing or any quantum is not done.
    """
    from ..submit.summary import summarise

    summary = summarise(context.campaign, context.paths)
    if as_json:
        echo_json(summary.as_dict())
    else:
        show(summary)
    sys.exit(0 if summary.good else 1)


def show(summary: "Summary") -> None:
    """Print a summary for a person."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = 120  # a log has no width of its own
    for step in summary.steps:
        table = Table(
            "task", "quanta", "done", "failed", "blocked", "unknown", title=f"{step.step}: {step.output_run}"
        )
        for label, count in step.quanta.items():
            numbers = (count.expected, count.successful, count.failed, count.blocked, count.unknown)
            table.add_row(label, *map(str, numbers), style=None if count.good else "bold red")
        console.print(table)
        console.print(f"{step.products} {step.product}; submit directory {step.submit_dir}")
        console.print(f"state of the run: {step.state or 'its workload manager cannot tell'}")
    if summary.apdb_config:
        table = Table("table", "rows", title=f"APDB: {summary.apdb_config}")
        for name, rows in summary.apdb_rows.items():
            table.add_row(name, str(rows))
        console.print(table)
    if summary.apdb_unchecked:
        console.print(f"{summary.apdb_unchecked}: its rows are neither counted nor verified")
    if summary.verification:
        from .apdb_verify import show as show_verification

        show_verification(summary.verification)
    if summary.templates and summary.templates.missing:
        console.print(f"{summary.templates.explain()}; the campaign allows {summary.allowed:g} %")
    _show_gaps(summary, console)
    console.print(f"campaign {summary.campaign}: " + ("complete" if summary.good else "NOT complete"))


def _show_gaps(summary: "Summary", console: "Console") -> None:
    """Say what failures have done to the order of visits."""
    from rich.table import Table

    if waiting := summary.gaps.waiting:
        console.print(
            f"{len(waiting)} associations wait for earlier ones of the same sky that failed: go on with "
            "`apcampaign resume`, or past the failed ones with `apcampaign resume --past-failures`"
        )
    if summary.gaps.overtaken:
        names = ("visit", "detector", "overtaken by", "DiaObjects that lack it")
        table = Table(*names, title="failed, and later visits of the same sky went past")
        for each in summary.gaps.overtaken:
            shown = ", ".join(map(str, each.objects[:3])) + (", …" if len(each.objects) > 3 else "")
            by = f"visit {each.later[0]}, detector {each.later[1]}"
            table.add_row(str(each.visit), str(each.detector), by, f"{len(each.objects)}: {shown}")
        console.print(table)
