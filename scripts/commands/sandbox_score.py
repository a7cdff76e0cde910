"""``apcampaign sandbox score``: compare a campaign's APDB with the truth of the simulated sky."""

__all__ = ["score", "score_apdb"]

import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlparse

import click

from ..options.apdb import campaign_options, find_apdb_reference, find_campaign
from ..options.campaign import echo_json, json_option

if TYPE_CHECKING:
    from ...sandbox.score import Score


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), required=False)
@click.argument("apdb", required=False)
@campaign_options
@json_option
def score(
    folder: Path | None,
    apdb: str | None,
    campaign_file: Path | None,
    runs: Path,
    namespace: str | None,
    as_json: bool,
) -> None:
    """Score what a campaign on the sandbox in FOLDER has written to APDB; by default the campaign's own.

    APDB is the path or URI of its configuration, label:NAME, or a database URL (with --namespace). Exits 1 if
    a goal is not reached. The report of such a campaign draws the score (apcampaign report).
    """
    if apdb is None:
        _refuse_injected(campaign_file, runs)
    folder = folder or _find_sandbox(campaign_file, runs)
    result = score_apdb(folder, *find_apdb_reference(apdb, campaign_file, runs, namespace))
    if as_json:
        echo_json(result.as_dict())
    else:
        from ..display.score import show_score

        show_score(result)
    sys.exit(0 if result.good else 1)


def _refuse_injected(campaign_file: Path | None, runs: Path) -> None:
    """Refuse a campaign with injected sources, which the truth of the sky does not have."""
    from ...common.errors import SettingsError

    campaign = find_campaign(campaign_file, runs)
    if campaign is not None and campaign.settings.injection is not None:
        raise SettingsError(
            f"campaign {campaign.name} has injected sources, which are not in the truth of the sky",
            remedy="see how many of them it has found with `apcampaign completeness`",
        )


def _find_sandbox(campaign_file: Path | None, runs: Path) -> Path:
    """Find the sandbox that a campaign runs on."""
    from ...common.errors import SettingsError

    campaign = find_campaign(campaign_file, runs)
    if campaign is None:
        raise SettingsError(
            "it is not known which sandbox is meant",
            remedy="name its folder and an APDB, or a campaign with --campaign FILE",
        )
    return Path(urlparse(campaign.settings.butler).path).parent


def score_apdb(folder: Path, apdb: str, namespace: str | None = None) -> "Score":
    """Score what is in an APDB; parameters as for the command."""
    from ...apdb import read_dia_sources
    from ...sandbox.score import score as judge
    from ...sandbox.truth import read_truth

    return judge(read_truth(folder), read_dia_sources(apdb, namespace))
