"""``apcampaign generate``: the pair of BPS submit configs."""

__all__ = ["command"]

import os
from pathlib import Path

import click

from .options import CampaignContext, campaign_options, echo_json, json_option, say


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
def command(context: CampaignContext, output: Path, apdb_config: str | None, as_json: bool) -> None:
    """Write the pair of BPS submit configs of a campaign.

    They are for `bps submit` by hand: templates first, then difference imaging. `apcampaign submit` makes
    its own, whose order of visits a file alone cannot carry: here it is BPS's, one (visit, detector) after
    another, or none.
    """
    from ..bps import UNORDERED, Ordering, build_config, dump_config, make_timestamp, plan_campaign
    from ..common.files import write_atomically

    campaign = context.campaign
    if campaign.diffim.ordering is Ordering.NONE:
        say(UNORDERED)
    apdb_config = apdb_config or campaign.apdb.config or str(context.paths.apdb_config)
    written = []
    for run in plan_campaign(campaign, timestamp=make_timestamp()).runs:
        name = Path(getattr(campaign, run.step).pipeline.partition("#")[0]).stem
        config = build_config(
            campaign,
            run,
            context.site,
            submit_path=output / "submit" / run.step / run.timestamp,
            apdb_config=apdb_config,
            environment=os.environ,
        )
        path = output / f"{name}-bps.yaml"
        write_atomically(path, dump_config(config))
        say(f"wrote {path}")
        written.append(str(path))
    if as_json:
        echo_json({"written": written})
