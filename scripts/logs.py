"""Log messages of the packages below, shown to the user of a command."""

__all__ = ["set_handler", "show_logs"]

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
    set_handler(ours, _EchoHandler())
    ours.setLevel(logging.INFO)
    ours.propagate = False


def set_handler(logger: logging.Logger, handler: logging.Handler) -> None:
    """Give a logger this handler, in the place of an earlier one of its kind."""
    for earlier in [each for each in logger.handlers if type(each) is type(handler)]:
        logger.removeHandler(earlier)
    logger.addHandler(handler)
