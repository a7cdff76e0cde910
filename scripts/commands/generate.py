"""``apcampaign generate``: write the pair of BPS submit configs, for ``bps submit`` by hand."""

__all__ = ["command"]

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..options.campaign import campaign_options, echo_json, json_option, say

if TYPE_CHECKING:
    from ...campaign import Campaign


@click.command()
@campaign_options
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default="configs",
    show_default=True,
    help="The folder to write to.",
)
@click.option(
    "--apdb-config", help="The APDB's configuration: a URI or label:NAME; the campaign's by default."
)
@json_option
def command(campaign: "Campaign", output: Path, apdb_config: str | None, as_json: bool) -> None:
    """Write the pair of BPS submit configs of a campaign.

    They are for `bps submit` by hand: templates first, then difference imaging. `apcampaign submit` makes
    its own, whose order of visits a file alone cannot carry: here it is BPS's, one visit after another whatever
    sky they see, or none.
    """
    from ...bps import NARROW, UNORDERED, Ordering, plan_campaign

    if campaign.settings.diffim.ordering is Ordering.NONE:
        say(UNORDERED)
    if campaign.settings.tracts and any(run.graph_query for run in plan_campaign(campaign.settings)):
        say(NARROW)
    written = campaign.write_configs(output, apdb_config=apdb_config)
    for file in written:
        say(f"wrote {file}")
    if as_json:
        echo_json({"written": [str(file) for file in written]})
