"""Progress of what takes long, as log records: whoever shows the log shows it too.

The records are of the level DEBUG and carry a `Progress`. The command line draws them; in Python they are seen by
those who ask for the level DEBUG of the logger ``apcampaign.common.progress``.
"""

__all__ = ["Progress", "Tell", "show_progress"]

import itertools
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from .text import format_duration

_log = logging.getLogger(__name__)
_numbers = itertools.count()


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far something is.

    Parameters
    ----------
    number
        Tells it from other things.
    what
        What is being done.
    begun
        When it was begun, on the clock of `time.monotonic`.
    done, total
        How much of it is done, where that can be counted.
    failed
        How much of it has failed.
    unit
        What is counted.
    ended
        Whether this is the last that is heard of it.
    """

    number: int
    what: str
    begun: float
    done: int = 0
    total: int | None = None
    failed: int = 0
    unit: str = "jobs"
    ended: bool = False

    def describe(self) -> str:
        """Say it in a line, with the time that has passed."""
        parts = [self.what]
        if self.total is not None:
            parts.append(f"{self.done:,} of {self.total:,} {self.unit} done")
        if self.failed:
            parts.append(f"{self.failed:,} failed")
        return ", ".join([*parts, format_duration(time.monotonic() - self.begun)])


#: Tells how far it is: what is being done now, then how many jobs (or others) are done, there are, have failed.
type Tell = Callable[[str, int, int | None, int], None]


@contextmanager
def show_progress(what: str, *, unit: str = "jobs") -> Iterator[Tell]:
    """Show that something is being done until the block ends, if that takes long.

    Parameters
    ----------
    what
        What is being done.
    unit
        What is counted.

    Yields
    ------
    tell
        To be called with how far it is, where that is known.
    """
    now = Progress(number=next(_numbers), what=what, begun=time.monotonic(), unit=unit)

    def tell(what: str, done: int = 0, total: int | None = None, failed: int = 0) -> None:
        nonlocal now
        changed = replace(now, what=what, done=done, total=total, failed=failed)
        if changed != now:
            now = changed
            _report(now)

    _report(now)
    try:
        yield tell
    finally:
        _report(replace(now, ended=True))


def _report(progress: Progress) -> None:
    if _log.isEnabledFor(logging.DEBUG):
        _log.debug("%s", progress.describe(), extra={"progress": progress})
