"""``apcampaign check``: check a campaign before it is submitted (the preflight)."""

__all__ = ["command"]

import sys
from typing import TYPE_CHECKING

import click

from ..display.findings import show_findings
from ..display.preflight import show_preflight
from ..options.campaign import campaign_options, echo_json
from ..options.findings import exit_code, finding_options

if TYPE_CHECKING:
    from ...campaign import Campaign
    from ...campaign_handle import StepName

STEPS = ("templates", "diffim")


@click.command()
@campaign_options
@click.option("--step", type=click.Choice(STEPS), help="Check one step only; both by default.")
@click.option("--templates", help="A collection with templates; the campaign's own by default.")
@click.option("--stack", is_flag=True, help="Only compare Rubin's pipelines with what apcampaign relies on.")
@finding_options
def command(
    campaign: "Campaign",
    step: "StepName | None",
    templates: str | None,
    stack: bool,
    form: str,
    ignore: tuple[str, ...],
    strict: bool,
) -> None:
    """Check a campaign before it is submitted. Changes nothing.

    Checks the configs, repository, data, pipelines, APDB, WMS, disks and versions, and reports all
    findings at once. Exits with 1 if there is an error.
    """
    if stack:
        findings = [finding for finding in campaign.check_stack() if finding.rule not in ignore]
        show_findings(findings, form)
        sys.exit(exit_code(findings, strict=strict))
    preflight = campaign.check(step, templates=templates)
    findings = [finding for finding in preflight.findings if finding.rule not in ignore]
    if form == "json":
        echo_json({**preflight.as_dict(), "findings": [finding.as_dict() for finding in findings]})
    else:
        if form == "table":
            show_preflight(preflight)
        show_findings(findings, form)
    sys.exit(exit_code(findings, strict=strict))
