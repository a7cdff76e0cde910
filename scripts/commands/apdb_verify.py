"""``apcampaign apdb verify``: verify that an APDB holds what was associated."""

__all__ = ["command"]

import sys
from pathlib import Path

import click

from ..options.apdb import butler_options, find_apdb_reference, find_expected_associations, place_options
from ..options.campaign import echo_json
from ..options.values import COUNT

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
@click.option("--limit", type=COUNT, default=1000, show_default=True, help="Findings of each kind to list.")
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
    """Verify that an APDB holds what was associated: each once, completely, in time order.

    Compares it with the apdb_marker and dia_source_apdb of a Butler repository. APDB, repository and
    collections are the campaign's by default. Exits 1 if anything is wrong.
    """
    from ...apdb import verify_apdb

    place, namespace = find_apdb_reference(reference, campaign_file, runs, namespace)
    expectation = None if no_butler else find_expected_associations(butler, collections, campaign_file, runs)
    result = verify_apdb(
        place,
        expectation,
        namespace=namespace,
        order="sky" if order == "sky" else "detector" if order == "detector" else None,
        limit=limit,
    )
    if as_json:
        echo_json(result.as_dict())
    else:
        from ..display.apdb import show_verification

        show_verification(result)
    sys.exit(0 if result.good else 1)
