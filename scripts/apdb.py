"""``apcampaign apdb``: create and look after the alert production database."""

__all__ = ["command"]

import click

from .cli import LazyGroup

COMMANDS = {
    "init": "Make an empty APDB.",
    "info": "Say what is in an APDB.",
    "verify": "Prove that an APDB holds what was associated, each once.",
    "rollback": "Undo the association of (visit, detector)s, so that it can run again.",
}


@click.command(cls=LazyGroup, commands=COMMANDS, prefix="apdb_")
def command() -> None:
    """Create and look after the alert production database."""
