"""Log messages of the packages below, shown to the user of a command."""

__all__ = ["show_logs"]

import logging

import click

from ..common.secrets import redact
from ..common.text import printable
from .machine import prints_for_a_machine
from .make_targets import name_make_targets


class _EchoHandler(logging.Handler):
    """Prints messages as they are; on standard error if the command prints JSON there."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a message."""
        err = prints_for_a_machine() or record.levelno >= logging.ERROR
        click.echo(name_make_targets(printable(redact(self.format(record)))), err=err)


def show_logs() -> None:
    """Show messages from now on, of our own packages only."""
    ours = logging.getLogger("apcampaign")
    ours.addHandler(_EchoHandler())
    ours.setLevel(logging.INFO)
    ours.propagate = False
