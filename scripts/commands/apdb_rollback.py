"""``apcampaign apdb rollback``: roll back associations, so that they can run again."""

__all__ = ["command"]

from pathlib import Path

import click

from ..options.apdb import (
    PlannedChange,
    butler_options,
    find_apdb_reference,
    find_expected_associations,
    place_options,
)
from ..options.campaign import confirm, echo_json, end_dry_run, say
from ..options.values import ID


@click.command()
@place_options
@click.option("--visit", "visits", type=ID, multiple=True, help="A visit; with --detector.")
@click.option("--detector", "detectors", type=ID, multiple=True, help="Its detector.")
@click.option("--unrecorded", is_flag=True, help="All that verify finds written but not recorded.")
@butler_options
@click.option("--with-later", is_flag=True, help="Also roll back the later associations that built on them.")
@click.option("--yes", is_flag=True, help="Do it without asking.")
@click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    reference: str | None,
    campaign_file: Path | None,
    runs: Path,
    namespace: str | None,
    visits: tuple[int, ...],
    detectors: tuple[int, ...],
    unrecorded: bool,
    butler: str | None,
    collections: tuple[str, ...],
    with_later: bool,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Roll back the association of (visit, detector)s, so that it can run again.

    Name them with --visit and --detector, once for each, or take --unrecorded. Everything is rolled back in one
    transaction, or nothing. No campaign that fills the APDB may be active.
    """
    from ...apdb import find_apdb, plan_rollback, roll_back, verify_apdb
    from ...submit.preconditions.apdb_hold import hold_apdb, read_fillers

    if unrecorded == bool(visits) or len(visits) != len(detectors):
        raise click.UsageError("give --visit and --detector, as many of each, or --unrecorded")
    place, namespace = find_apdb_reference(reference, campaign_file, runs, namespace)
    fillers = read_fillers(runs, find_apdb(place, namespace).target)
    if not dry_run:
        for obstacle in fillers.obstacles:
            raise obstacle
    keys = list(zip(visits, detectors, strict=True))
    if unrecorded:
        expectation = find_expected_associations(butler, collections, campaign_file, runs)
        keys = list(verify_apdb(place, expectation, namespace=namespace, order=None).unrecorded)
        if not keys:
            echo_json({"requested": [], "actions": []}) if as_json else say("nothing is unrecorded")
            return
    plan = plan_rollback(place, keys, with_later=with_later, namespace=namespace)
    if dry_run:
        end_dry_run(PlannedChange(plan, fillers.obstacles), as_json=as_json)
    echo_json(plan.as_dict()) if as_json else say("\n".join(plan.describe()))
    if not yes:
        confirm(f"Delete {sum(plan.rows.values())} rows?")
    with hold_apdb(fillers):
        roll_back(plan)
    say("done; the quanta can run again") if not as_json else None
