"""``apcampaign submit``: submit a campaign, or one of its steps."""

__all__ = ["command"]

import functools
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from ..help import suggest_command
from ..options.campaign import campaign_options, dry_run_option, echo_json, json_option, say
from ..options.values import NightsType

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from ...campaign import Campaign
    from ...campaign_handle import StepName

_check = click.option("--check/--no-check", default=True, help="Whether to begin with a preflight.")
_foreground = click.option(
    "--foreground", is_flag=True, help="Run one step after the other from here, without a campaign DAG."
)


class _DefaultGroup(click.Group):
    """A group that takes its options as those of its ``both`` command when no other is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put in the command that is meant."""
        asks_for_help = not {"-h", "--help"}.isdisjoint(args)
        if (
            args
            and not args[0].startswith("-")
            and args[0] not in self.commands
            and not ctx.resilient_parsing
        ):
            suggest_command(ctx, args[0], self.commands)
        completing = ctx.resilient_parsing and not args  # a step may follow
        if not asks_for_help and not completing and not (args and args[0] in self.commands):
            args = ["both", *args]
        return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the options that it takes for both steps, and the steps."""
        listed = (each.get_help_record(ctx) for each in self.commands["both"].get_params(ctx))
        with formatter.section("Options without a step"):
            formatter.write_dl([each for each in listed if each])
        self.format_commands(ctx, formatter)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """Name the steps, and the options that it takes for both."""
        found = super().shell_complete(ctx, incomplete)
        if incomplete.startswith("-"):
            found += self.commands["both"].shell_complete(ctx, incomplete)
        return found


@click.group(cls=_DefaultGroup, subcommand_metavar="[STEP]")
def command() -> None:
    """Submit a campaign, or one of its steps.

    Without a step: both, as one HTCondor DAG (`apcampaign submit both`).
    """


def _night_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command that opens a campaign the nights to go on with, which its name and collections may name."""

    @functools.wraps(function)
    def wrapper(night: str | None, wait: bool, skip_late: bool, day_obs: str | None, **rest: Any) -> Any:
        if night is None:
            for name, given in (("--wait", wait), ("--skip-late", skip_late)):
                if given:
                    raise click.UsageError(f"{name} goes with --night")
            return function(day_obs=day_obs, nights=None, **rest)
        if day_obs is not None:
            raise click.UsageError("--night and --day-obs exclude each other")
        if wait and rest["dry_run"]:
            wait = False
        # Of nights without an end the campaign's name and collections cannot say which.
        named = None if night.strip().endswith("..") else night
        return function(day_obs=named, nights=night, wait=wait, skip_late=skip_late, **rest)

    for option in (
        click.option("--wait", is_flag=True, help="With --night: wait until nothing else is active."),
        click.option("--skip-late", is_flag=True, help="With --night: leave out what comes too late."),
        click.option(
            "--night",
            type=NightsType(),
            metavar="YYYYMMDD",
            help="Go on with what is new of a night, of nights such as 20260905..20260907, or of all from one on "
            "(20260905..): its difference imaging, into the same APDB.",
        ),
    ):
        wrapper = option(wrapper)
    return wrapper


@command.command()
@_night_options
@campaign_options
@_foreground
@_check
@dry_run_option
@json_option
def both(campaign: "Campaign", **options: Any) -> None:
    """Submit both steps, difference imaging after the templates.

    With --night: difference imaging of what is new of a night, on the templates that are there.
    """
    _submit(campaign, None, **options)


@command.command()
@campaign_options
@_check
@dry_run_option
@json_option
def templates(campaign: "Campaign", **options: Any) -> None:
    """Submit the templates step."""
    _submit(campaign, "templates", **options)
    if not (options["dry_run"] or options["as_json"]):
        say("next: `apcampaign submit diffim --wait`, which waits until it has ended")


@command.command()
@campaign_options
@click.option("--templates", help="A collection with templates; the campaign's own by default.")
@click.option("--wait", is_flag=True, help="Wait for the templates run to end first.")
@click.option("--continue", "continue_apdb", is_flag=True, help="Go on filling an APDB that holds rows.")
@_check
@dry_run_option
@json_option
def diffim(campaign: "Campaign", wait: bool, **options: Any) -> None:
    """Submit the difference imaging step on the templates."""
    newest = campaign.ledger().newest_dag
    if wait and not options["dry_run"] and (newest is None or newest[1].steps == ("templates",)):
        campaign.wait_until_ended()  # else it is this step that is active, and is not submitted again
    _submit(campaign, "diffim", **options)


def _submit(
    campaign: "Campaign",
    step: "StepName | None",
    *,
    dry_run: bool,
    as_json: bool,
    wait: bool = False,
    **options: Any,
) -> None:
    if dry_run:
        from ..display.submission import show_plan

        plan = campaign.plan_submission(step, **options)
        show_plan(plan, as_json=as_json)
        sys.exit(1 if plan.obstacles else 0)
    submission = campaign.submit(step, wait=wait, **options)
    if as_json:
        echo_json(submission.as_dict())
        return
    say("\n".join(submission.describe()))
    if submission.dag is not None:
        say("you can log out now; watch it with `apcampaign status --watch`")
        say("see the results with `apcampaign summary`")
