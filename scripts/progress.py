"""Display of progress on standard error: a line that is drawn over on a terminal, else a line a minute.

Only what takes longer than two seconds is shown. On a terminal the line goes away before anything else is printed.
"""

__all__ = ["show_progress_lines"]

import logging
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, TextIO

import click

from ..common.progress import Progress
from ..common.secrets import redact
from ..common.text import printable
from .logs import set_handler
from .machine import prints_for_a_machine

if TYPE_CHECKING:
    import rich.progress

_DELAY = 2.0  # seconds; what takes less needs no progress
_TICK = 0.25  # seconds between two looks
_LINE = 60.0  # seconds between two lines where nothing can be drawn over


class _Display(logging.Handler):
    """Shows what was begun last and has not ended, once what it is a part of takes long.

    Parameters
    ----------
    terminal
        Whether standard error is a terminal.
    """

    def __init__(self, *, terminal: bool):
        super().__init__(logging.DEBUG)
        self._terminal = terminal
        self._items: dict[int, Progress] = {}
        self._guard = threading.RLock()
        self._thread: threading.Thread | None = None
        self._bar: rich.progress.Progress | None = None
        self._next_line = 0.0
        self._draws = False
        #: Whether the cursor is at the beginning of a line.
        self.at_line_begin = True

    def emit(self, record: logging.LogRecord) -> None:
        """Take notice of how far something is."""
        progress = getattr(record, "progress", None)
        if not isinstance(progress, Progress):
            return
        draws = self._terminal and not prints_for_a_machine()
        with self._guard:
            self._draws = draws
            if progress.ended:
                self._items.pop(progress.number, None)
                if not self._items:
                    self.hide()
                return
            if not self._items:
                self._next_line = progress.begun + _LINE
            self._items[progress.number] = progress
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True)
                self._thread.start()

    def hide(self) -> None:
        """Take the line away, before something else is printed."""
        with self._guard:
            if self._bar is not None:
                self._bar.stop()
                self._bar = None

    def _run(self) -> None:
        while True:
            with self._guard:
                if not self._items:
                    self._thread = None
                    return
                self._look()
            time.sleep(_TICK)

    def _look(self) -> None:
        now = time.monotonic()
        items = list(self._items.values())
        whole, item = items[0], items[-1]
        if self._draws:
            # Many parts may be short each.
            if now - whole.begun >= _DELAY and self.at_line_begin:
                self._draw(item)
            elif self._bar is not None:
                self.hide()
        elif now >= self._next_line:
            self._next_line = now + _LINE
            click.echo(printable(redact(item.describe())), err=True)

    def _draw(self, item: Progress) -> None:
        """Draw the line, and nothing of what it says as a command for the terminal."""
        from rich.text import Text

        text = Text(printable(redact(item.describe())), style="red" if item.failed else "")
        if self._bar is None:
            self._bar = _make_bar()
            self._bar.add_task("", total=None, what=text)
            self._bar.start()
        self._bar.update(self._bar.task_ids[0], what=text, completed=item.done, total=item.total)


def _make_bar() -> "rich.progress.Progress":
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task
    from rich.table import Column
    from rich.text import Text

    class What(ProgressColumn):
        def render(self, task: Task) -> Text:
            text: Text = task.fields["what"]
            return text

    console = Console(file=sys.__stderr__, highlight=False, markup=False)
    return Progress(
        SpinnerColumn(),
        BarColumn(bar_width=min(20, console.width // 6)),
        What(table_column=Column(no_wrap=True, overflow="ellipsis")),
        console=console,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )


class _Watched:
    """A terminal that the line of progress leaves before anything else is written to it."""

    def __init__(self, stream: TextIO, display: _Display):
        self._stream = stream
        self._display = display

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write a text."""
        self._display.hide()
        if text:
            self._display.at_line_begin = text.endswith("\n")
        return self._stream.write(text)


def show_progress_lines() -> None:
    """Show progress from now on, in one line however often this is called in a process."""
    # Sequences that draw over a line would be shown as they are by what calls itself dumb.
    terminal = _is_terminal(sys.stderr) and os.environ.get("TERM", "dumb") != "dumb"
    display = _Display(terminal=terminal)
    logger = logging.getLogger("apcampaign.common.progress")
    set_handler(logger, display)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    if terminal:
        for name in ("stdout", "stderr"):
            if _is_terminal(stream := getattr(sys, name)):
                setattr(sys, name, _Watched(stream, display))


def _is_terminal(stream: TextIO | None) -> bool:
    """Tell whether a stream is a terminal; a shell may have closed it."""
    return stream is not None and stream.isatty()
