"""``apcampaign apdb import``: make an empty APDB equal to an exported one."""

__all__ = ["command"]

from dataclasses import replace
from pathlib import Path

import click

from ..options.apdb import find_apdb_reference, place_options
from ..options.campaign import dry_run_option, echo_json, end_dry_run, json_option


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@place_options
@click.option("--filtered", is_flag=True, help="Also if the folder holds a part of an APDB only.")
@dry_run_option
@json_option
def command(
    folder: Path,
    reference: str | None,
    campaign_file: Path | None,
    runs: Path,
    namespace: str | None,
    filtered: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Load what `apcampaign apdb export` has written into an empty APDB, which is then equal to the exported one.

    The APDB must have been made by `apcampaign apdb init`, with the same options and the same version of the
    schema; it may be in another kind of database. Everything is loaded and verified in one transaction, or
    nothing.
    """
    from ...apdb.export import import_apdb, plan_import
    from ...submit.preconditions.apdb_hold import hold_apdb, read_fillers

    place, namespace = find_apdb_reference(reference, campaign_file, runs, namespace)
    plan = plan_import(folder, place, filtered=filtered, namespace=namespace)
    fillers = read_fillers(runs, plan.place.target)
    plan = replace(plan, obstacles=(*fillers.obstacles, *plan.obstacles))
    if dry_run:
        end_dry_run(plan, as_json=as_json)
    with hold_apdb(fillers):
        imported = import_apdb(plan)
    if as_json:
        echo_json(imported.as_dict())
    else:
        from ..display.apdb_export import show_import

        show_import(imported)
