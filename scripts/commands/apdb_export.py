"""``apcampaign apdb export``: write an APDB to Parquet files."""

__all__ = ["command"]

from pathlib import Path

import click

from ..options.apdb import find_apdb_reference, place_options
from ..options.campaign import dry_run_option, echo_json, end_dry_run, json_option


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@place_options
@click.option("--visits", help='These visits only, such as "731500 731600..731699".')
@click.option(
    "--circle",
    type=(float, float, float),
    metavar="RA DEC RADIUS",
    help="A circle on the sky only; degrees.",
)
@click.option(
    "--time", type=(float, float), metavar="BEGIN END", help="Exposures of this time only; MJD, TAI."
)
@dry_run_option
@json_option
def command(
    folder: Path,
    reference: str | None,
    campaign_file: Path | None,
    runs: Path,
    namespace: str | None,
    visits: str | None,
    circle: tuple[float, float, float] | None,
    time: tuple[float, float] | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Write an APDB to a new folder of Parquet files, one for each table, with a manifest.

    The files hold one moment of the APDB, which may be in use. Columns have the descriptions, units and UCDs of
    the APDB's schema; astropy, pandas and LSDB read them. `apcampaign apdb import` makes an equal APDB of the
    folder. With --visits, --circle or --time only such sources are exported, and the DiaObjects that they belong
    to.
    """
    from ...apdb.export import Circle, Selection, export_apdb, parse_visits, plan_export

    place, namespace = find_apdb_reference(reference, campaign_file, runs, namespace)
    selection = Selection(
        visits=parse_visits(visits) if visits is not None else (),
        circle=Circle(*circle) if circle else None,
        time=time,
    )
    plan = plan_export(place, folder, selection, namespace=namespace)
    if dry_run:
        end_dry_run(plan, as_json=as_json)
    exported = export_apdb(plan)
    if as_json:
        echo_json(exported.as_dict())
    else:
        from ..display.apdb_export import show_export

        show_export(exported)
