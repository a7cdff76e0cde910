"""``apcampaign check``: what would go wrong, before anything is submitted."""

__all__ = ["command"]

import sys
from typing import TYPE_CHECKING

import click

from .findings import exit_code, finding_options, show_findings
from .options import CampaignContext, campaign_options, echo_json

if TYPE_CHECKING:
    from ..submit.preflight import Preflight

STEPS = ("templates", "diffim")


@click.command()
@campaign_options
@click.option("--step", type=click.Choice(STEPS), help="Check one step only; both by default.")
@click.option("--templates", help="A collection with templates; the campaign's own by default.")
@finding_options
def command(
    context: CampaignContext,
    step: str | None,
    templates: str | None,
    form: str,
    ignore: tuple[str, ...],
    strict: bool,
) -> None:
    """Check a campaign before it is submitted. Changes nothing.

    Looks at the configs, repository, data, pipelines, APDB, workload manager, disks and versions, and says
    everything that is wrong at once. Exits 1 if there is an error.
    """
    from ..bps import Step
    from ..submit.preflight import check_campaign

    steps = [Step(step)] if step else list(Step)
    result = check_campaign(context.campaign, context.site, context.paths, templates=templates, steps=steps)
    findings = [finding for finding in result.findings if finding.rule not in ignore]
    if form == "json":
        echo_json({**result.as_dict(), "findings": [finding.as_dict() for finding in findings]})
    else:
        if form == "table":
            show(result)
        show_findings(findings, form)
    sys.exit(exit_code(findings, strict=strict))


def show(result: "Preflight") -> None:
    """Print for a person what will be processed."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, soft_wrap=True)
    for step, counts in result.selections.items():
        words = ", ".join(f"{name} {count:,}" for name, count in counts.items())
        table = Table("task", "quanta, at most", title=f"{step}: {words}", title_justify="left")
        for estimate in result.estimates.get(step, ()):
            table.add_row(estimate.label, f"{estimate.quanta:,}")
        table.add_row("all", f"{sum(e.quanta for e in result.estimates.get(step, ())):,}", style="bold")
        console.print(table)
    console.print(f"checked in {result.seconds:.1f} s", style="dim")
