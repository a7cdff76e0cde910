"""``apcampaign sandbox score``: compare a campaign's APDB with the truth of the simulated sky."""

__all__ = ["score", "score_apdb"]

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..options.campaign import echo_json, json_option

if TYPE_CHECKING:
    from ...sandbox.score import Score


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.argument("apdb")
@click.option("--namespace", help="PostgreSQL schema of the APDB; only together with a URL.")
@json_option
def score(folder: Path, apdb: str, namespace: str | None, as_json: bool) -> None:
    """Score what a campaign on the sandbox in FOLDER has written to APDB.

    APDB is the path or URI of its configuration, label:NAME, or a database URL (with --namespace). Exits 1 if
    a goal is not reached. The report of such a campaign draws the score (apcampaign report).
    """
    result = score_apdb(folder, apdb, namespace)
    if as_json:
        echo_json(result.as_dict())
    else:
        from ..display.score import show_score

        show_score(result)
    sys.exit(0 if result.good else 1)


def score_apdb(folder: Path, apdb: str, namespace: str | None = None) -> "Score":
    """Score what is in an APDB; parameters as for the command."""
    from ...apdb import read_dia_sources
    from ...sandbox.score import score as judge
    from ...sandbox.truth import read_truth

    return judge(read_truth(folder), read_dia_sources(apdb, namespace))
