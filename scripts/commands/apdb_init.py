"""``apcampaign apdb init``: create an empty APDB."""

__all__ = ["command"]

from pathlib import Path
from typing import Any

import click

from ..options.apdb import PlannedChange, campaign_options, new_apdb
from ..options.campaign import confirm, echo_json, end_dry_run, say

INDICES = ("baseline", "pix_id_iov", "last_object_table")


@click.command()
@campaign_options
@click.option(
    "--db",
    envvar=("APCAMPAIGN_DB", "DB"),
    help="postgresql://user@host/database or sqlite:///file; the campaign's by default.",
)
@click.option("--config", type=click.Path(path_type=Path), help="Where to write the APDB's configuration.")
@click.option("--instrument", help="The instrument's name; the campaign's by default.")
@click.option("--grant-reader", "readers", multiple=True, metavar="ROLE", help="Let a role read.")
@click.option("--grant-writer", "writers", multiple=True, metavar="ROLE", help="Let a role associate.")
@click.option("--replica", is_flag=True, help="Make the tables for replication to the PPDB.")
@click.option(
    "--dia-object-index", type=click.Choice(INDICES), help="How DiaObject is indexed.  [default: baseline]"
)
@click.option("--htm-level", type=int, help="Level of the HTM pixels of the spatial index.  [default: 20]")
@click.option(
    "--read-sources-months", type=int, help="Months of DiaSource history that are read.  [default: 12]"
)
@click.option(
    "--read-forced-sources-months", type=int, help="Months of DiaForcedSource history.  [default: 12]"
)
@click.option("--connection-timeout", type=int, help="Seconds that pipelines wait for the database.")
@click.option("--reset", is_flag=True, help="Drop the tables of an APDB that is there, rows and all.")
@click.option("--replace-config", is_flag=True, help="Overwrite a configuration that points elsewhere.")
@click.option("--yes", is_flag=True, help="Drop without asking.")
@click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(yes: bool, dry_run: bool, as_json: bool, **given: Any) -> None:
    """Create an empty APDB, and the configuration with which pipelines reach it.

    The database must exist. The namespace is derived from the campaign's name unless it is given. A
    password is best in ~/.pgpass; one in the URL is used, and written nowhere.
    """
    from ...apdb import init_apdb, plan_init
    from ...submit.preconditions.apdb_hold import ApdbFillers, hold_apdb, read_fillers

    plan = plan_init(**new_apdb(**given))
    fillers = read_fillers(given["runs"], plan.target) if plan.dropped else ApdbFillers()
    if dry_run:
        end_dry_run(PlannedChange(plan, fillers.obstacles), as_json=as_json)
    for obstacle in fillers.obstacles:
        raise obstacle
    if not as_json:
        say("\n".join(plan.describe()))
    if any(plan.dropped.values()) and not yes:
        confirm(f"Drop {sum(plan.dropped.values())} rows?")
    with hold_apdb(fillers):
        created = init_apdb(plan)
    if as_json:
        echo_json(created.as_dict())
    else:
        say(f"made an empty APDB; pipelines reach it with -c parameters:apdb_config={created.config}")
        if created.target.password is not None:
            say("the password is written nowhere: put it into ~/.pgpass (chmod 600), where the jobs find it")
