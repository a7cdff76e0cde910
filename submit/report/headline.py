"""The headline: the numbers for which most readers come."""

__all__ = ["Tile", "campaign_state", "headline", "step_rows"]

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ..monitor.jobs import JobState
from .figure import number
from .model import ReportData, StepReport
from .usage import core_hours

Tone = Literal["good", "bad", "busy", "plain"]


@dataclass(frozen=True)
class Tile:
    """One number of the headline: what it is, the number, and what there is to say of it."""

    title: str
    value: str
    remark: str = ""
    tone: Tone = "plain"


@dataclass(frozen=True, kw_only=True)
class StepRow:
    """How one task of a step stands.

    Parameters
    ----------
    label
        The task, or the jobs' label where nothing is known of the quanta yet.
    expected, done, failed, blocked, unknown
        Quanta, or jobs.
    """

    label: str
    expected: int
    done: int
    failed: int
    blocked: int
    unknown: int

    @property
    def percent(self) -> float:
        """How much is done."""
        return 100 * self.done / self.expected if self.expected else 0.0

    @property
    def bad_percent(self) -> float:
        """How much will not be done."""
        return 100 * (self.failed + self.blocked) / self.expected if self.expected else 0.0


def duration(seconds: float) -> str:
    """Write a duration in its two largest units."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    if seconds < 86400:
        return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"
    return f"{seconds // 86400} d {seconds % 86400 // 3600:02d} h"


def campaign_state(data: ReportData) -> tuple[str, Tone]:
    """Say how a campaign stands in a word or two."""
    if data.good:
        return "complete", "good"
    if data.final:
        return ("ended", "busy") if data.good is None else ("not complete", "bad")
    troubled = any(job.state in (JobState.HELD, JobState.FAILED) for job in data.jobs)
    return ("going on, with trouble", "bad") if troubled else ("going on", "busy")


def step_rows(data: ReportData, step: StepReport) -> list[StepRow]:
    """Count by task what became of a step's quanta; of its jobs, where the quanta are not known yet."""
    if step.outcomes:
        return [
            StepRow(
                label=label,
                expected=count.expected,
                done=count.successful,
                failed=count.failed,
                blocked=count.blocked,
                unknown=count.unknown,
            )
            for label, count in step.outcomes.items()
        ]
    states: dict[str, Counter[JobState]] = {label: Counter() for label in step.jobs}
    for job in data.jobs:
        if job.step is step.step:
            states.setdefault(job.label, Counter())[job.state] += 1
    rows = []
    for label, counts in states.items():
        expected = max(step.jobs.get(label, 0), sum(counts.values()))
        done, pruned = counts[JobState.DONE], counts[JobState.PRUNED]
        failed = counts[JobState.FAILED] + counts[JobState.HELD]
        unknown = expected - done - failed - pruned
        rows.append(
            StepRow(label=label, expected=expected, done=done, failed=failed, blocked=pruned, unknown=unknown)
        )
    return rows


def headline(data: ReportData) -> list[Tile]:
    """Choose the numbers that come first."""
    tiles = [*_work(data), *_time(data), *_products(data)]
    if data.verification is not None:
        findings = sum(data.verification.counts.values())
        tiles.append(
            Tile(
                "Verification",
                "good" if data.verification.good else f"{number(findings)} findings",
                f"{number(data.verification.stored)} of {number(data.verification.expected)} associations",
                "good" if data.verification.good else "bad",
            )
        )
    return tiles


def _work(data: ReportData) -> list[Tile]:
    counts = [count for step in data.steps for count in step.outcomes.values()]
    planned = sum(sum(step.quanta.values()) for step in data.steps)
    tiles = []
    if counts:
        done = sum(count.successful for count in counts)
        bad = sum(count.failed + count.blocked for count in counts)
        remark = f"of {number(planned)}" + (f", {number(bad)} failed or blocked" if bad else "")
        tiles.append(Tile("Quanta done", number(done), remark, "bad" if bad else "plain"))
    elif planned:
        tiles.append(Tile("Quanta planned", number(planned)))
    states = Counter(job.state for job in data.jobs)
    if data.jobs:
        bad = states[JobState.FAILED] + states[JobState.HELD]
        remark = f"of {number(len(data.jobs))}" + (f", {number(bad)} failed or held" if bad else "")
        tiles.append(Tile("Jobs done", number(states[JobState.DONE]), remark, "bad" if bad else "plain"))
    return tiles


def _time(data: ReportData) -> list[Tile]:
    attempts = [attempt for job in data.jobs for attempt in job.attempts if attempt.started is not None]
    if not attempts:
        return []
    hours = core_hours(data.jobs, data.made)
    begin = min(attempt.started for attempt in attempts if attempt.started is not None)
    end = max(attempt.ended or data.made for attempt in attempts)
    retried = sum(len(job.attempts) > 1 for job in data.jobs)
    good = hours.good_percent
    return [
        Tile(
            "Wall time",
            duration(end - begin),
            "first job to last" if data.final else "since the first job began",
        ),
        Tile(
            "Core-hours",
            number(hours.total, 2 if hours.total < 100 else 0),
            f"{number(retried)} jobs tried again",
        ),
        Tile(
            "Goodput",
            "–" if good is None else f"{good:.1f} %",
            f"{number(hours.bad, 2)} core-hours lost",
            "bad" if good is not None and good < 90 else "plain",
        ),
    ]


def _products(data: ReportData) -> Sequence[Tile]:
    names = {"template_coadd": "Templates", "difference_image": "Difference images"}
    tiles = [
        Tile(names.get(step.product, step.product), number(step.products), step.product)
        for step in data.steps
        if step.products is not None
    ]
    if (catalog := data.catalog) is not None:
        visits = sum(bool(visit.dia_sources) for visit in data.visits)
        tiles.append(
            Tile("DiaSources", number(catalog.rows.get("DiaSource", 0)), f"of {number(visits)} visits")
        )
        versions = f"{number(catalog.rows.get('DiaObject', 0))} with their versions"
        tiles.append(Tile("DiaObjects", number(sum(cell.dia_objects for cell in catalog.cells)), versions))
    return tiles
