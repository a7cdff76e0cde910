"""What the process of a command is to be like, whatever it was started from."""

__all__ = ["hide_passwords", "prepare_process"]

import contextlib
import io
import os
import re
import signal
import sys
from types import FrameType

import click

from ..common.files import keep_others_out
from ..common.processes import collect_seldom
from ..common.secrets import holds_database_password, redact

_ENDING = (signal.SIGTERM, signal.SIGHUP)


def prepare_process() -> None:
    """Prepare this process: its memory, how it ends, what it prints, and whose its files are."""
    collect_seldom()
    # Asked to end, or left by its terminal, it still ends what it has started; unless nohup keeps it.
    for number in _ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _exit)
    # A terminal of an older encoding shows what it can, rather than nothing.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            with contextlib.suppress(OSError, ValueError):
                stream.reconfigure(errors="replace")
    keep_others_out()


def hide_passwords() -> None:
    """Take passwords off the command line that ``ps`` shows, as far as this process can."""
    shown = [re.sub(r"([?&]password=)[^&]*", r"\1***", redact(word)) for word in sys.argv]
    # Make hands down what stands on its own command line, which only Make could hide.
    if shown != sys.argv or holds_database_password(os.environ.get("MAKEFLAGS", "")):
        click.echo(
            "apcampaign: a password on the command line can be seen by others on this machine; better give the "
            "URL in the variable APCAMPAIGN_DB, or the password in ~/.pgpass",
            err=True,
        )
    if shown != sys.argv:
        try:
            from setproctitle import setproctitle
        except ImportError:
            return
        setproctitle(" ".join(shown))


def _exit(received: int, _: FrameType | None) -> None:
    # A closing terminal sends both; the second would cut off what the first one ends. (Of a signal that has come,
    # but whose handler is gone when it is looked at, Python prints a traceback.)
    for number in _ENDING:
        signal.signal(number, _let_pass)
    sys.exit(128 + received)


def _let_pass(_received: int, _: FrameType | None) -> None:
    """Do nothing."""
