"""Headline of the report: the numbers that most readers look for."""

__all__ = ["Tile", "campaign_state", "headline", "step_rows"]

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ..common.text import count, format_duration
from ..monitor import JobState
from ..monitor.outcomes import DIFFERENCE_IMAGE, TEMPLATE
from .figure import number
from .job_usage import core_hours
from .model import ReportData, StepReport

Tone = Literal["good", "bad", "busy", "plain"]


@dataclass(frozen=True)
class Tile:
    """One number of the headline: what it is, the number, and a remark."""

    title: str
    value: str
    remark: str = ""
    tone: Tone = "plain"


@dataclass(frozen=True, kw_only=True)
class StepRow:
    """The progress of one task of a step.

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


def campaign_state(data: ReportData) -> tuple[str, Tone]:
    """Give the state of a campaign in a few words."""
    if data.good:
        # What could not be read this time was not checked this time.
        if data.unread:
            return "complete, but not all of it could be read", "busy"
        return "complete", "good"
    if data.final:
        return ("ended", "busy") if data.good is None else ("not complete", "bad")
    troubled = any(job.state in (JobState.HELD, JobState.FAILED) for job in data.jobs)
    return ("running, with failed or held jobs", "bad") if troubled else ("running", "busy")


def step_rows(data: ReportData, step: StepReport) -> list[StepRow]:
    """Count the outcomes of a step's quanta by task; of its jobs, where those of quanta are not known yet."""
    if step.outcomes:
        return [
            StepRow(
                label=label,
                expected=each.expected,
                done=each.successful,
                failed=each.failed,
                blocked=each.blocked,
                unknown=each.unknown,
            )
            for label, each in step.outcomes.items()
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
    """Choose the numbers that are shown first."""
    tiles = [*_work(data), *_time(data), *_products(data)]
    if data.verification is not None:
        findings = sum(data.verification.counts.values())
        tiles.append(
            Tile(
                "Verification",
                "good" if data.verification.good else count(findings, "finding"),
                f"{number(data.verification.stored)} of {number(data.verification.expected)} associations",
                "good" if data.verification.good else "bad",
            )
        )
    for left, of in ((data.left_images, "images"), (data.left_quanta, "quanta")):
        if left:
            remark = f"{of} of earlier runs: `apcampaign submit diffim --continue`"
            tiles.append(Tile("Left undone", number(left), remark, "bad"))
    return tiles


def _work(data: ReportData) -> list[Tile]:
    outcomes = [each for step in data.steps for each in step.outcomes.values()]
    planned = sum(sum(step.quanta.values()) for step in data.steps)
    tiles = []
    if outcomes:
        done = sum(each.successful for each in outcomes)
        bad = sum(each.failed + each.blocked for each in outcomes)
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
            format_duration(end - begin),
            "first job to last" if data.final else "since the first job started",
        ),
        Tile(
            "Core-hours",
            number(hours.total, 2 if hours.total < 100 else 0),
            f"{count(retried, 'job')} retried",
        ),
        Tile(
            "Goodput",
            "–" if good is None else f"{good:.1f} %",
            f"{number(hours.bad, 2)} core-hours lost",
            "bad" if good is not None and good < 90 else "plain",
        ),
    ]


def _products(data: ReportData) -> Sequence[Tile]:
    names = {TEMPLATE: "Templates", DIFFERENCE_IMAGE: "Difference images"}
    tiles = [
        Tile(names.get(step.product, step.product), number(step.products), step.product)
        for step in data.steps
        if step.products is not None
    ]
    if (catalog := data.catalog) is not None:
        visits = sum(bool(visit.dia_sources) for visit in data.visits)
        tiles.append(
            Tile("DiaSources", number(catalog.rows.get("DiaSource", 0)), f"of {count(visits, 'visit')}")
        )
        versions = f"in {count(catalog.rows.get('DiaObject', 0), 'version')}"
        tiles.append(Tile("DiaObjects", number(catalog.objects), versions))
    return tiles
