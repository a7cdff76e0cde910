"""``apcampaign submit``: both steps chained, or one of them."""

__all__ = ["command"]

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from .options import CampaignContext, campaign_options, echo_json, json_option, say

if TYPE_CHECKING:
    from ..bps import PlannedRun
    from ..submit.ledger import RunRecord
    from ..submit.steps import Preview

_dry_run = click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
_check = click.option("--check/--no-check", default=True, help="Whether to begin with a preflight.")


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
@_check
@_dry_run
@json_option
def both(context: CampaignContext, foreground: bool, check: bool, dry_run: bool, as_json: bool) -> None:
    """Submit both steps, the second chained on the first."""
    from ..bps import make_timestamp, plan_campaign
    from ..submit.both import run_in_foreground, submit_both
    from ..submit.chain import NODES

    campaign, site, paths, timestamp = context.campaign, context.site, context.paths, make_timestamp()
    if dry_run:
        _show_previews(context, plan_campaign(campaign, timestamp=timestamp).runs, as_json)
        if not foreground:
            nodes = " → ".join(["templates", *list(NODES)[:2], "diffim", *list(NODES)[2:]])
            say(f"would be chained in {paths.chain(timestamp).dag}: {nodes}")
        return
    runs = plan_campaign(campaign, timestamp=timestamp).runs
    described = [
        {"step": run.step, "output": run.output, "submit_dir": str(paths.run(run).submit)} for run in runs
    ]
    if foreground:
        run_in_foreground(campaign, site, paths, timestamp, say, check=check)
        if as_json:
            echo_json({"runs": described})
        return
    chain, cluster = submit_both(campaign, site, paths, timestamp, say, check=check)
    say(f"submitted the chain {chain.dag} as {cluster}; watch it with `apcampaign status --watch`")
    for run in described:
        say("{step}: output collection {output}, submit directory {submit_dir}".format(**run))
    if as_json:
        echo_json({"chain": str(chain.folder), "cluster": cluster, "runs": described})
    say("it needs nobody logged in; what comes of it: `apcampaign summary`")


@command.command()
@campaign_options
@_check
@_dry_run
@json_option
def templates(context: CampaignContext, check: bool, dry_run: bool, as_json: bool) -> None:
    """Submit the templates step."""
    from ..bps import Step, make_timestamp, plan_campaign
    from ..submit.steps import submit_templates

    if dry_run:
        plan = plan_campaign(context.campaign, timestamp=make_timestamp(), steps=[Step.TEMPLATES])
        _show_previews(context, plan.runs, as_json)
        return
    campaign, timestamp = context.campaign, make_timestamp()
    record = submit_templates(campaign, context.site, context.paths, timestamp, say, check=check)
    _tell(record, as_json)
    say("next: `make submit-diffim` when it has ended (apcampaign submit diffim --wait waits for it)")


@command.command()
@campaign_options
@click.option("--templates", help="A collection with templates; the campaign's own by default.")
@click.option("--wait", is_flag=True, help="Wait for the templates run to end first.")
@click.option("--continue", "continue_apdb", is_flag=True, help="Go on filling an APDB that holds rows.")
@_check
@_dry_run
@json_option
def diffim(
    context: CampaignContext,
    templates: str | None,
    wait: bool,
    continue_apdb: bool,
    check: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Submit the difference imaging step on the templates."""
    from ..bps import make_timestamp
    from ..submit.steps import plan_diffim, submit_diffim

    if dry_run:
        _show_previews(context, [plan_diffim(context.campaign, make_timestamp(), templates)], as_json)
        return
    record = submit_diffim(
        context.campaign,
        context.site,
        context.paths,
        make_timestamp(),
        templates=templates,
        wait=wait,
        continue_apdb=continue_apdb,
        check=check,
        say=say,
    )
    _tell(record, as_json)
    say("next: `apcampaign summary` when it has ended")


def _tell(record: "RunRecord", as_json: bool) -> None:
    """Say what was submitted."""
    say(f"submit directory: {record.submit_dir}")
    say(f"output collection: {record.output}")
    if as_json:
        echo_json(record.model_dump(mode="json"))


def _show_previews(context: CampaignContext, runs: "Sequence[PlannedRun]", as_json: bool) -> None:
    """Say what submitting runs would do."""
    previews = [_preview(context, run) for run in runs]
    if as_json:
        echo_json([{**asdict(preview), "folder": str(preview.folder)} for preview in previews])


def _preview(context: CampaignContext, run: "PlannedRun") -> "Preview":
    """Look ahead at a run, and say what is seen."""
    from ..bps import Step
    from ..submit.gate import check_templates
    from ..submit.steps import apdb_config_of, preview_run, tell_jobs

    campaign, diffim = context.campaign, run.step is Step.DIFFIM
    ready = True
    if diffim:
        gate = check_templates(campaign, run)
        say(gate.explain())
        ready = gate.missing_percent <= campaign.allow_missing_templates
    apdb_config = apdb_config_of(campaign, context.paths) if diffim else None
    preview = preview_run(campaign, run, context.site, context.paths, apdb_config, build_graph=ready)
    say(f"would be submitted from {preview.folder}:\n\n{preview.config}")
    if preview.jobs:
        tell_jobs(preview.jobs, preview.quanta, say)
    else:
        say(f"the jobs of {run.output_run} cannot be counted before its templates are there")
    return preview
