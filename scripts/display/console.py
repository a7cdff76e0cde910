"""Console that the commands print on: colours on a terminal only, and never with ``NO_COLOR``."""

__all__ = ["format_time", "make_console"]

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ...common.text import printable

if TYPE_CHECKING:
    from rich.console import Console


#: Columns where there is no terminal: a log has no width of its own, and nothing of it is to be left out.
_LOG_WIDTH = 10_000


def make_console() -> "Console":
    """Make a console."""
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

    class Plain(Console):
        """Sends no command to the terminal that is in a text, such as the message of a task."""

        def render(
            self, renderable: RenderableType, options: ConsoleOptions | None = None
        ) -> Iterator[Segment]:
            for segment in super().render(renderable, options):
                yield segment if segment.control else Segment(printable(segment.text), segment.style)

    console = Plain(highlight=False, soft_wrap=True, markup=False)
    if not console.is_terminal:
        console.width = _LOG_WIDTH
    return console


def format_time(time: float) -> str:
    """Write a time in UTC, as logs and observers have it."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
