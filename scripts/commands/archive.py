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


def _check_ending(ctx: click.Context, param: click.Parameter, value: Path) -> Path:
    """Refuse a name that does not say how the archive is compressed."""
    from ...lifecycle.packing import GZIP, ZSTD

    if not value.name.endswith((*GZIP, *ZSTD)):
        endings = ", ".join((*GZIP, *ZSTD))
        raise click.BadParameter(
            f"{value} does not say how to compress; expected a name that ends in one of {endings}", ctx, param
        )
    return value


@click.command()
@record_options
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), callback=_check_ending)
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
