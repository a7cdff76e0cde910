"""Timeline of jobs as values: a bar for each execution, or how many ran at a time where there are many."""

__all__ = ["Span", "find_spans", "pack", "running_counts"]

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..monitor import AttemptOutcome, Job


@dataclass(frozen=True, slots=True)
class Span:
    """One execution of a job.

    Parameters
    ----------
    name, label
        Of the job.
    begin, end
        Seconds since 1970.
    outcome
        How it ended; `None` while it is running.
    host
        Where it ran.
    run
        The name of its run: of jobs of the same name each part of a step may have one.
    """

    name: str
    label: str
    begin: float
    end: float
    outcome: AttemptOutcome | None
    host: str
    run: str = ""


def find_spans(jobs: Iterable[Job], now: float) -> list[Span]:
    """List the executions of jobs, in order of begin; ``now`` ends those that are running."""
    spans = [
        Span(
            job.name,
            job.label,
            attempt.started,
            max(attempt.started, now if attempt.ended is None else attempt.ended),
            attempt.outcome,
            attempt.host or "",
            job.run,
        )
        for job in jobs
        for attempt in job.attempts
        if attempt.started is not None
    ]
    return sorted(spans, key=lambda span: (span.begin, span.end))


def pack(spans: Sequence[Span]) -> list[int]:
    """Give each execution the lowest lane that is free when it begins.

    Parameters
    ----------
    spans
        In order of begin.
    """
    free: list[int] = []
    busy: list[tuple[float, int]] = []
    lanes: list[int] = []
    for span in spans:
        while busy and busy[0][0] <= span.begin:
            heapq.heappush(free, heapq.heappop(busy)[1])
        lane = heapq.heappop(free) if free else len(busy)
        heapq.heappush(busy, (span.end, lane))
        lanes.append(lane)
    return lanes


def running_counts(spans: Sequence[Span], edges: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Average how many executions ran in each interval of time.

    Parameters
    ----------
    spans
        The executions.
    edges
        Shape (n + 1,): the borders of the intervals, seconds since 1970, rising.

    Returns
    -------
    counts
        Shape (n,).
    """
    begins = np.sort([span.begin for span in spans])
    ends = np.sort([span.end for span in spans])
    busy = _elapsed(begins, edges) - _elapsed(ends, edges)
    counts: npt.NDArray[np.float64] = np.diff(busy) / np.diff(edges)
    return counts


def _elapsed(moments: npt.NDArray[np.float64], edges: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Add up the time from each of some sorted moments to each edge after it."""
    passed = np.searchsorted(moments, edges)
    # Sums of numbers near 10⁹ seconds would lose the fractions of small intervals.
    origin = edges[0]
    sums = np.concatenate([[0.0], np.cumsum(moments - origin)])
    elapsed: npt.NDArray[np.float64] = passed * (edges - origin) - sums[passed]
    return elapsed
