"""``apcampaign start-over``: write the campaign file of the same campaign again, in an empty APDB."""

__all__ = ["command"]

import sys
from pathlib import Path
from typing import Any

import click

from ...common.progress import show_progress
from ..options.campaign import RUNS_OPTION, dry_run_option, echo_json, json_option, say
from ..options.values import ValueType


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), required=False)
@click.option(
    "--campaign",
    "campaign_file",
    type=click.Path(path_type=Path),
    default="campaign.yaml",
    envvar="APCAMPAIGN_CAMPAIGN",
    show_default=True,
    help="The campaign file of the old campaign.",
)
@RUNS_OPTION
@click.option("--name", help="The name of the new campaign; the old one with -v2, -v3, … by default.")
@click.option("--db", "database", help="The database of its APDB; by default that of the old campaign.")
@click.option("--keep-templates", is_flag=True, help="Take the templates of the old campaign.")
@click.option(
    "--day-obs",
    type=ValueType("dayObs"),
    metavar="YYYYMMDD",
    help="The night, where the campaign file names one.",
)
@click.option(
    "--check/--no-check", default=True, help="Whether to ask repository and database for what is there."
)
@dry_run_option
@json_option
def command(file: Path | None, campaign_file: Path, runs: Path, **options: Any) -> None:
    """Write a campaign file that runs the same campaign again, under a new name, into an empty APDB.

    The new FILE, campaign-v2.yaml by default, is the old one with its comments, but for another name, other
    collections, and another namespace or SQLite file. The old campaign stays as it is.
    """
    from ...campaign import Campaign

    dry_run, as_json = options.pop("dry_run"), options.pop("as_json")
    with show_progress(f"asking what is there beside {campaign_file}"):
        plan = Campaign.plan_start_over(campaign_file, file, runs=runs, **options)
    if not dry_run:
        plan.execute()
    if as_json:
        echo_json(plan.as_dict())
    else:
        say("\n".join(plan.describe()))
        if not dry_run:
            say(f"next: {', then '.join(f'`{each}`' for each in plan.commands)}")
    sys.exit(1 if plan.obstacles else 0)
