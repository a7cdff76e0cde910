"""``apcampaign apdb``: create and manage the alert production database."""

__all__ = ["command"]

import click

from ..cli import LazyGroup

COMMANDS = {
    "init": "Create an empty APDB.",
    "info": "Describe an APDB.",
    "verify": "Verify that an APDB holds what was associated, each once.",
    "rollback": "Roll back the association of (visit, detector)s, so that it can run again.",
    "export": "Write an APDB to Parquet files.",
    "import": "Make an empty APDB equal to an exported one.",
    "lightcurve": "Show the light curves of DiaObjects.",
}


@click.command(cls=LazyGroup, commands=COMMANDS, prefix="apdb_")
def command() -> None:
    """Create and manage the alert production database."""
