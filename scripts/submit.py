"""``apcampaign submit``: both steps chained, or one of them."""

__all__ = ["command"]

import click

from .options import CampaignContext, campaign_options, say


class _DefaultGroup(click.Group):
    """A group that takes its options as those of its ``both`` command when no other is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put in the command that is meant."""
        if "--help" not in args and not (args and args[0] in self.commands):
            args = ["both", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_DefaultGroup)
def command() -> None:
    """Submit a campaign, or one of its steps.

    Without a step: both, chained inside HTCondor (`apcampaign submit both`).
    """


@command.command()
@campaign_options
@click.option("--foreground", is_flag=True, help="Run one step after the other from here, without a chain.")
def both(context: CampaignContext, foreground: bool) -> None:
    """Submit both steps, the second chained on the first."""
    from ..bps import make_timestamp
    from ..submit.operations import run_chain, submit_both

    campaign, site, paths, timestamp = context.campaign, context.site, context.paths, make_timestamp()
    if foreground:
        run_chain(campaign, site, paths, timestamp, say)
        return
    chain, cluster = submit_both(campaign, site, paths, timestamp, say)
    say(f"submitted the chain {chain.dag} as {cluster}; watch it with `condor_q -dag {cluster}`")
    say("it needs nobody logged in; what comes of it: `apcampaign summary`")


@command.command()
@campaign_options
def templates(context: CampaignContext) -> None:
    """Submit the templates step."""
    from ..bps import make_timestamp
    from ..submit.operations import submit_templates

    record = submit_templates(context.campaign, context.site, context.paths, make_timestamp(), say)
    say(f"submit directory: {record.submit_dir}")
    say(f"output collection: {record.output}")
    say("next: `make submit-diffim` when it has ended (apcampaign submit diffim --wait waits for it)")


@command.command()
@campaign_options
@click.option("--templates", help="A collection with templates; the campaign's own by default.")
@click.option("--wait", is_flag=True, help="Wait for the templates run to end first.")
def diffim(context: CampaignContext, templates: str | None, wait: bool) -> None:
    """Submit the difference imaging step on the templates."""
    from ..bps import make_timestamp
    from ..submit.operations import submit_diffim

    record = submit_diffim(
        context.campaign,
        context.site,
        context.paths,
        make_timestamp(),
        templates=templates,
        wait=wait,
        say=say,
    )
    say(f"submit directory: {record.submit_dir}")
    say(f"output collection: {record.output}")
    say("next: `apcampaign summary` when it has ended")
