"""``apcampaign sandbox score``: how well a campaign has found what is on the simulated sky."""

__all__ = ["score", "score_apdb", "show_score"]

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import echo_json, json_option

if TYPE_CHECKING:
    from ..sandbox.score import Score


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.argument("apdb")
@click.option("--namespace", help="PostgreSQL schema of the APDB; only beside a URL.")
@json_option
def score(folder: Path, apdb: str, namespace: str | None, as_json: bool) -> None:
    """Score what a campaign on the sandbox in FOLDER has written to APDB.

    APDB is the path or URI of its configuration, label:NAME, or a database URL (with --namespace). Exits 1 if
    a goal is not reached. The report of such a campaign draws the score (apcampaign report).
    """
    result = score_apdb(folder, apdb, namespace)
    echo_json(result.as_dict()) if as_json else show_score(result)
    sys.exit(0 if result.good else 1)


def score_apdb(folder: Path, apdb: str, namespace: str | None = None) -> "Score":
    """Score what is in an APDB; parameters as for the command."""
    from ..apdb import read_dia_sources
    from ..sandbox.score import score as judge
    from ..sandbox.truth import read_truth

    return judge(read_truth(folder), read_dia_sources(apdb, namespace))


def show_score(result: "Score") -> None:
    """Print a score for a person."""
    from rich.console import Console
    from rich.table import Table

    from ..sandbox.score import GOALS

    console = Console(highlight=False, soft_wrap=True)
    table = Table("what", "value", "goal")
    for name, (least, most) in GOALS.items():
        style = "bold red" if name in result.missed else None
        table.add_row(name, f"{getattr(result, name):.3f}", f"{least:g} to {most:g}", style=style)
    console.print(table)
    bins = Table("S/N from", "true changes", "found", "DiaSources", "true")
    for row in result.by_snr:
        bins.add_row(*(f"{value:g}" for value in row))
    console.print(bins)
    console.print("all goals reached" if result.good else f"NOT reached: {', '.join(result.missed)}")
