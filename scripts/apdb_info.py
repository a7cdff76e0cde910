"""``apcampaign apdb info``: what is in an APDB."""

__all__ = ["command"]

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .apdb_options import place_options, reference_of
from .options import echo_json

if TYPE_CHECKING:
    from ..apdb import ApdbInfo


@click.command()
@place_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    reference: str | None, campaign_file: Path | None, runs: Path, namespace: str | None, as_json: bool
) -> None:
    """Say what is in an APDB.

    APDB is the path or URI of its configuration, label:NAME, or a database URL (with --namespace); the
    campaign's by default.
    """
    from ..apdb import describe_apdb

    info = describe_apdb(*reference_of(reference, campaign_file, runs, namespace))
    echo_json(info.as_dict()) if as_json else show(info)


def show(info: "ApdbInfo") -> None:
    """Print a description for a person."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, soft_wrap=True)
    console.print(f"APDB in {info.target.place}", markup=False)
    table = Table("table", "rows")
    for name, rows in info.tables.items():
        table.add_row(name, f"{rows:,}")
    console.print(table)
    facts = {
        "instrument": info.instrument or "not set",
        "visits": f"{info.visits:,} ({info.visit_detectors:,} visit-detectors)",
        "time range": "no sources"
        if info.time_range is None
        else "MJD {:.5f} to {:.5f}".format(*info.time_range),
        "made by": f"{info.metadata.get('apcampaign:created_by', 'unknown')} "
        f"at {info.metadata.get('apcampaign:created_at', 'an unknown time')}",
        "schema": f"{info.metadata.get('version:schema', 'unknown')} (installed: {info.versions['schema']})",
        "code": f"{info.metadata.get('version:ApdbSql', 'unknown')} (installed: {info.versions['ApdbSql']})",
        "compatible": "yes" if info.compatible else "NO: the installed software cannot use it",
        "owner": info.owner or "whoever may write the file",
        "grants": "; ".join(f"{role}: {', '.join(rights)}" for role, rights in info.grants.items()) or "none",
        "not the APDB's": ", ".join(info.foreign) or "nothing",
    }
    for name, fact in facts.items():
        console.print(f"{name:>15}  {fact}", markup=False)
