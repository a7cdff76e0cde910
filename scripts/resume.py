"""``apcampaign resume``: continue a campaign after a failure."""

__all__ = ["command"]

import click

from .options import CampaignContext, campaign_options, echo_json, json_option, say


@click.command()
@campaign_options
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="STEP.KEY=VALUE",
    help="A BPS setting to change, such as templates.pipetask.makeDirectWarp.requestMemory=8192.",
)
@click.option("--new-graph", is_flag=True, help="Build new graphs, since pipelines have changed.")
@click.option(
    "--step", type=click.Choice(["templates", "diffim"]), help="Continue the newest run of this step only."
)
@click.option(
    "--past-failures",
    is_flag=True,
    help="Associate later visits without waiting for failed earlier ones, which are tried again after them.",
)
@json_option
def command(
    context: CampaignContext,
    changes: tuple[str, ...],
    new_graph: bool,
    step: str | None,
    past_failures: bool,
    as_json: bool,
) -> None:
    """Continue from what is done: the chain, or the run of a single step, that was submitted last.

    Says what will run again and why. What was written to the APDB by an association that did not end well is
    taken back first. With the same settings and software HTCondor goes on where it ended; else new graphs are
    built that leave out what is done. Where an association failed, later visits of the same sky wait for
    it, until it is done or until --past-failures.
    """
    from ..bps import Step, make_timestamp
    from ..submit.rerun import resume_newest

    wms_id = resume_newest(
        context.paths,
        make_timestamp(),
        step=Step(step) if step else None,
        changes=changes,
        new_graph=new_graph,
        past_failures=past_failures,
        say=say,
    )
    if as_json:
        echo_json({"wms_id": wms_id})
    elif wms_id:
        say("watch it with `apcampaign status --watch`; what comes of it: `apcampaign summary`")
