"""``apcampaign adopt``: make what was submitted with ``bps submit`` a run of the campaign."""

__all__ = ["command"]

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..options.campaign import campaign_options, dry_run_option, echo_json, end_dry_run, json_option

if TYPE_CHECKING:
    from ...campaign import Campaign


@click.command()
@click.argument(
    "folders",
    metavar="SUBMIT_DIR...",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
)
@campaign_options
@dry_run_option
@json_option
def command(campaign: "Campaign", folders: tuple[Path, ...], dry_run: bool, as_json: bool) -> None:
    """Adopt runs submitted with `bps submit` into the campaign.

    SUBMIT_DIR is what `bps submit` has printed as the submit directory, of a run with a config that `apcampaign
    generate` has written. From then on the run counts as if `apcampaign submit` had submitted it: for `status`,
    `failures`, `summary`, `report`, `apdb verify`, `cancel` and `resume`. Neither its directory nor the queue is
    changed.
    """
    plan = campaign.plan_adoption(*folders)
    if dry_run:
        end_dry_run(plan, as_json=as_json)
    plan.execute()
    if as_json:
        echo_json(plan.as_dict())
