"""Where the commands print for a person: in colours on a terminal only, and never with ``NO_COLOR``."""

__all__ = ["make_console", "tell_age", "tell_time"]

from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


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


def tell_age(seconds: float) -> str:
    """Say a length of time in two numbers at most."""
    seconds = max(0, round(seconds))
    if seconds < 2 * _MINUTE:
        return f"{seconds} s"
    if seconds < 2 * _HOUR:
        return f"{round(seconds / _MINUTE)} min"
    hours, minutes = divmod(round(seconds / _MINUTE), 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{seconds / _DAY:.1f} days"


def tell_time(time: float) -> str:
    """Say a time of this machine's clock."""
    return datetime.fromtimestamp(time).astimezone().strftime("%Y-%m-%d %H:%M:%S")
