"""``apcampaign retire``: show what a campaign holds, and remove what nobody needs any more."""

__all__ = ["command"]

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..options.campaign import RunType, confirm, dry_run_option, echo_json, json_option, record_options, say

if TYPE_CHECKING:
    from ...campaign import Campaign


@click.command()
@record_options
@click.option("--intermediates", is_flag=True, help="Remove what later tasks have read and is no product.")
@click.option(
    "--run",
    "names",
    multiple=True,
    metavar="NAME",
    type=RunType(),
    help="Remove this run: its output collection, as `apcampaign runs` shows it, or the end of that; may be "
    "repeated.",
)
@click.option("--everything", is_flag=True, help="Remove all of the campaign.")
@click.option(
    "--type",
    "types",
    multiple=True,
    metavar="PATTERN",
    help="Count dataset types that match as intermediate, too.",
)
@click.option(
    "--keep",
    "keep",
    multiple=True,
    metavar="PATTERN",
    help="Count dataset types that match as not intermediate.",
)
@click.option("--keep-apdb", is_flag=True, help="Leave the APDB, with --everything.")
@click.option(
    "--archive",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Pack the campaign's records into this file before (.tar.gz or .tar.zst).",
)
@click.option("--yes", is_flag=True, help="Do it without asking.")
@dry_run_option
@json_option
def command(
    campaign: "Campaign",
    intermediates: bool,
    names: tuple[str, ...],
    everything: bool,
    types: tuple[str, ...],
    keep: tuple[str, ...],
    keep_apdb: bool,
    archive: Path | None,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Show what a campaign holds: datasets by type, rows of its APDB, files; and remove what is chosen of it.

    Only what is the campaign's own is removed, and nothing that a collection of others or another campaign
    uses. What was removed is written down, and `apcampaign status` tells it. Interrupted, it goes on where it
    was if it is called again.
    """
    if intermediates + bool(names) + everything > 1:
        raise click.UsageError("give one of --intermediates, --run and --everything")
    if (types or keep) and not intermediates:
        raise click.UsageError("--type and --keep are for --intermediates")
    if archive and not (intermediates or names or everything):
        raise click.UsageError(
            "--archive is packed before something is removed; without that it is `apcampaign archive`"
        )
    if keep_apdb and not everything:
        raise click.UsageError("--keep-apdb is for --everything")
    plan = campaign.plan_retirement(
        intermediates=intermediates,
        runs=names,
        everything=everything,
        types=types,
        keep=keep,
        keep_apdb=keep_apdb,
        archive=archive,
    )
    chosen = plan.request.scope is not None
    if as_json and (dry_run or not chosen):
        echo_json(plan.as_dict())
    elif not chosen:
        from ..display.retirement import show_holdings

        show_holdings(plan)
    else:
        say("\n".join(plan.describe()))
    if dry_run or not chosen:
        sys.exit(1 if plan.obstacles else 0)
    if not yes and not plan.obstacles:
        confirm(f"Remove {plan.total} for good?")
    record = plan.execute()
    echo_json({**plan.as_dict(), "record": record.as_dict()}) if as_json else say(record.describe())
