"""``apcampaign resume``: continue a campaign after a failure."""

__all__ = ["command"]

from typing import TYPE_CHECKING

import click

from ..options.campaign import (
    dry_run_option,
    echo_json,
    end_dry_run,
    json_option,
    record_options,
    say,
)

if TYPE_CHECKING:
    from ...campaign import Campaign
    from ...campaign_handle import StepName


def _warn_of_old_name(_ctx: click.Context, _param: click.Parameter, value: bool) -> bool:
    if value:
        click.echo("apcampaign: --past-failures is now called --skip-failed", err=True)
    return value


@click.command()
@record_options
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="STEP.KEY=VALUE",
    help="A BPS setting to change, such as templates.pipetask.makeDirectWarp.requestMemory=8192.",
)
@click.option("--new-graph", is_flag=True, help="Build new graphs, since pipelines have changed.")
@click.option("--step", type=click.Choice(["templates", "diffim"]), help="Continue this step only.")
@click.option(
    "--skip-failed",
    is_flag=True,
    help="Associate later visits without waiting for earlier overlapping ones that failed; those are deferred.",
)
@click.option(
    "--past-failures",
    is_flag=True,
    callback=_warn_of_old_name,
    help="The old name of --skip-failed (deprecated).",
)
@dry_run_option
@json_option
def command(
    campaign: "Campaign",
    changes: tuple[str, ...],
    new_graph: bool,
    step: "StepName | None",
    skip_failed: bool,
    past_failures: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Continue from what is done: what was submitted last, and is not done.

    Shows what will be rerun and why. What was written to the APDB by an association that failed is rolled back
    first. With the same settings and software HTCondor goes on where it ended; else new graphs are built
    that leave out what is done. Failed associations that overlapping later visits went past are deferred. Where
    visits wait for a failed association, they do so until it succeeds or until --skip-failed.
    """
    plan = campaign.plan_resume(
        step, set=changes, new_graph=new_graph, skip_failed=skip_failed or past_failures
    )
    if dry_run:
        end_dry_run(plan, as_json=as_json)
    submission = plan.execute()
    if as_json:
        echo_json(submission.as_dict())
        return
    say("\n".join(submission.describe()))
    say("watch it with `apcampaign status --watch`; see the results with `apcampaign summary`")
