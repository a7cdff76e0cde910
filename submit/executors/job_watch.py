"""Watch on the jobs of a run, for the progress of what runs in the foreground."""

__all__ = ["JobWatch"]

import contextlib
import time
from collections import Counter

from ...common.errors import LedgerError
from ...common.progress import Tell
from ...ledger import RunPaths
from ...monitor import JobReader, JobState, open_run

_PAUSE = 2.0  # seconds between two looks
_REST = 20  # the pause after a look is at least this many times as long as the look took


class JobWatch:
    """Tells how many jobs of a run are done, once it has been prepared.

    Parameters
    ----------
    files
        The run's files.
    title
        What the run is called.
    """

    def __init__(self, files: RunPaths, title: str):
        self._files = files
        self._title = title
        self._reader: JobReader | None = None
        self._next = 0.0

    def __call__(self, tell: Tell) -> None:
        """Look at the jobs, and tell; does nothing if it has looked just now."""
        begun = time.monotonic()
        if begun < self._next:
            return
        # Progress is not worth an error: whoever needs the jobs will tell.
        with contextlib.suppress(LedgerError, OSError):
            self._look(tell)
        now = time.monotonic()
        self._next = now + max(_PAUSE, _REST * (now - begun))

    def _look(self, tell: Tell) -> None:
        if self._reader is None and self._files.record.exists():
            self._reader = open_run(self._files)
        if self._reader is not None:
            jobs = self._reader.read()
            states = Counter(job.state for job in jobs)
            tell(self._title, states[JobState.DONE], len(jobs), states[JobState.FAILED])
