"""Console that the commands print on: colours on a terminal only, and never with ``NO_COLOR``."""

__all__ = ["format_time", "make_console"]

from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def make_console(log_width: int = 120) -> "Console":
    """Make a console.

    Parameters
    ----------
    log_width
        Columns where there is no terminal, since a log has no width of its own.
    """
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = log_width
    return console


def format_time(time: float) -> str:
    """Write a time as this machine's clock shows it."""
    return datetime.fromtimestamp(time).astimezone().strftime("%Y-%m-%d %H:%M:%S")
