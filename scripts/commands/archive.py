"""``apcampaign archive``: pack the records of a campaign into one file."""

__all__ = ["command"]

from pathlib import Path
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


@click.command()
@record_options
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@dry_run_option
@json_option
def command(campaign: "Campaign", file: Path, dry_run: bool, as_json: bool) -> None:
    """Pack the records of a campaign, its configurations, its report and its summary into FILE.

    FILE ends in .tar.gz or .tar.zst. The data stay where they are, and no password is put into it. An older
    archive of the same campaign is replaced.
    """
    if dry_run:
        end_dry_run(campaign.plan_archive(file), as_json=as_json)
    archive = campaign.archive(file)
    echo_json(archive.as_dict()) if as_json else say("\n".join(archive.describe()))
