"""``apcampaign apdb lightcurve``: show the measurements of DiaObjects."""

__all__ = ["command"]

import sys
from pathlib import Path

import click

from ...common.text import count
from ..options.apdb import find_apdb_reference, place_options
from ..options.campaign import echo_json, say
from ..options.values import ID


def _check_place(
    ctx: click.Context, param: click.Parameter, value: tuple[float, float] | None
) -> tuple[float, float] | None:
    """Refuse what is not on the sky."""
    if value and not (0 <= value[0] <= 360 and -90 <= value[1] <= 90):
        raise click.BadParameter(
            f"there is no place at right ascension {value[0]:g}, declination {value[1]:g}; expected degrees, "
            "from 0 to 360 and from -90 to 90",
            ctx,
            param,
        )
    return value


@click.command()
@place_options
@click.option("--object", "ids", type=ID, multiple=True, metavar="ID", help="A DiaObject; may be repeated.")
@click.option(
    "--at",
    type=(float, float),
    callback=_check_place,
    metavar="RA DEC",
    help="Those at a place on the sky; degrees.",
)
@click.option(
    "--radius",
    type=click.FloatRange(0, 180 * 3600, min_open=True),
    default=1.0,
    show_default=True,
    metavar="ARCSEC",
    help="How near to that place.",
)
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Write a file: .parquet, .csv or .ecsv."
)
def command(
    reference: str | None,
    campaign_file: Path | None,
    runs: Path,
    namespace: str | None,
    ids: tuple[int, ...],
    at: tuple[float, float] | None,
    radius: float,
    as_csv: bool,
    as_json: bool,
    output: Path | None,
) -> None:
    """Show the light curves of DiaObjects: their DiaSources and DiaForcedSources in time order.

    Name the objects with --object, or a place with --at. Exits 1 if there are none.
    """
    from ...apdb import Circle, find_light_curves

    if bool(ids) == (at is not None):
        raise click.UsageError("give --object or --at")
    place, namespace = find_apdb_reference(reference, campaign_file, runs, namespace)
    circle = Circle(*at, radius / 3600) if at else None
    found = find_light_curves(place, ids=ids or None, circle=circle, namespace=namespace)
    if as_json:
        echo_json(found.as_dict())
    elif as_csv:
        click.echo(found.measurements.to_csv(index=False), nl=False)
    elif output is None:
        from ..display.apdb_lightcurve import show_light_curves

        show_light_curves(found)
    if output is not None and len(found.objects):
        found.write(output)
        say(f"wrote {count(len(found.measurements), 'measurement')} to {output}")
    sys.exit(0 if len(found.objects) else 1)
