"""``apcampaign apdb verify``: prove that an APDB holds what was associated."""

__all__ = ["command", "show"]

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .apdb_options import butler_options, expectation_of, place_options, reference_of
from .options import echo_json

if TYPE_CHECKING:
    from ..apdb import Verification

ORDERS = ("sky", "detector", "none")


@click.command()
@place_options
@butler_options
@click.option("--no-butler", is_flag=True, help="Check the APDB against itself only.")
@click.option(
    "--order",
    type=click.Choice(ORDERS),
    default="sky",
    show_default=True,
    help="Which visits must be in time order: those of the same sky, all of one detector, or none.",
)
@click.option("--limit", default=1000, show_default=True, help="Findings of each kind to list.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    reference: str | None,
    campaign_file: Path | None,
    runs: Path,
    namespace: str | None,
    butler: str | None,
    collections: tuple[str, ...],
    no_butler: bool,
    order: str,
    limit: int,
    as_json: bool,
) -> None:
    """Prove that an APDB holds what was associated: each once, whole, in time order.

    Compares it with the apdb_marker and dia_source_apdb of a Butler repository. APDB, repository and
    collections are the campaign's by default. Exits 1 if anything is wrong.
    """
    from ..apdb import verify_apdb

    place, namespace = reference_of(reference, campaign_file, runs, namespace)
    expectation = None if no_butler else expectation_of(butler, collections, campaign_file, runs)
    result = verify_apdb(
        place,
        expectation,
        namespace=namespace,
        order="sky" if order == "sky" else "detector" if order == "detector" else None,
        limit=limit,
    )
    echo_json(result.as_dict()) if as_json else show(result)
    sys.exit(0 if result.good else 1)


def show(result: "Verification") -> None:
    """Print a verification for a person."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, soft_wrap=True)
    for kind, count in result.counts.items():
        table = Table("visit", "detector", "rows", "what", title=f"{kind}: {count:,}", title_justify="left")
        for finding in result.findings:
            if finding.kind == kind:
                key = ["" if part is None else str(part) for part in (finding.visit, finding.detector)]
                table.add_row(*key, f"{finding.rows:,}", finding.message)
        console.print(table)
    console.print(
        f"{result.target.place}: {result.stored:,} visit-detectors, {result.sources:,} DiaSources, "
        f"{result.forced:,} DiaForcedSources, read in {result.seconds:.1f} s",
        markup=False,
    )
    against = f"the {result.expected:,} of {result.source}" if result.source else "itself"
    total = sum(result.counts.values())
    found = "good" if result.good else f"{total:,} finding{'s' * (total > 1)}"
    console.print(f"checked against {against}: {found}", markup=False)
