"""Log messages of the packages below, shown to the user of a command."""

__all__ = ["show_logs"]

import logging

import click

from ..common.secrets import redact
from ..common.text import printable


class _EchoHandler(logging.Handler):
    """Prints messages as they are; on standard error if the command prints JSON there."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a message."""
        context = click.get_current_context(silent=True)
        machine = bool(
            context and (context.params.get("as_json") or context.params.get("form") not in (None, "table"))
        )
        click.echo(printable(redact(self.format(record))), err=machine or record.levelno >= logging.ERROR)


def show_logs() -> None:
    """Show messages from now on, of our own packages only."""
    ours = logging.getLogger("apcampaign")
    ours.addHandler(_EchoHandler())
    ours.setLevel(logging.INFO)
    ours.propagate = False
