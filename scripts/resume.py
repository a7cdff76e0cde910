"""``apcampaign resume``: continue a campaign after a failure."""

__all__ = ["command"]

import click

from .options import CampaignContext, campaign_options, say


@click.command()
@campaign_options
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="STEP.KEY=VALUE",
    help="A BPS setting to change, such as templates.pipetask.makeDirectWarp.requestMemory=8192.",
)
@click.option("--new-graph", is_flag=True, help="Build new graphs, since software or pipelines have changed.")
def command(context: CampaignContext, changes: tuple[str, ...], new_graph: bool) -> None:
    """Continue a campaign's chain from what is done.

    Says what will run again and why. What was written to the APDB by an association that did not end well is
    taken back first. With the same settings HTCondor goes on where it ended; with changed ones new graphs
    are built that leave out what is done.
    """
    from ..bps import make_timestamp
    from ..submit.recovery import resume

    cluster = resume(context.paths, make_timestamp(), changes=changes, new_graph=new_graph, say=say)
    say(f"watch it with `condor_q -dag {cluster}`; what comes of it: `apcampaign summary`")
