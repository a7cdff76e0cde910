"""The plan of a campaign: its runs and their edges, all named before any of them exists."""

__all__ = ["Plan", "PlannedRun", "Step", "make_timestamp", "plan_campaign"]

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from .campaign import Campaign


class Step(StrEnum):
    """A step of a campaign."""

    TEMPLATES = "templates"
    DIFFIM = "diffim"


@dataclass(frozen=True, kw_only=True)
class PlannedRun:
    """One execution of a step, to be.

    Parameters
    ----------
    step
        What it executes.
    timestamp
        When it was planned, ``YYYYMMDDTHHMMSSZ``; the last word of its RUN collection and of its folder.
    inputs
        Collections to search, in this order.
    output
        The CHAINED collection through which the step's runs are read.
    skip_existing
        Collections whose quanta are not run again.
    """

    step: Step
    timestamp: str
    inputs: tuple[str, ...]
    output: str
    skip_existing: tuple[str, ...] = ()

    @property
    def output_run(self) -> str:
        """The RUN collection that it fills."""
        return f"{self.output}/{self.timestamp}"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The runs of a campaign and which of them must be good before another begins.

    Parameters
    ----------
    runs
        In an order in which they can be executed.
    edges
        Pairs of positions in ``runs``: the first must be good before the second is prepared.
    """

    runs: tuple[PlannedRun, ...]
    edges: frozenset[tuple[int, int]]


def make_timestamp(now: datetime | None = None) -> str:
    """Name a moment (default: now) as Rubin's collections do, in UTC."""
    return (now or datetime.now(UTC)).astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def plan_campaign(
    campaign: Campaign,
    *,
    timestamp: str,
    steps: Collection[Step] = tuple(Step),
    templates: str | None = None,
    again: Collection[Step] = (),
) -> Plan:
    """Name the runs of a campaign.

    Parameters
    ----------
    campaign
        What to run.
    timestamp
        When the runs are planned.
    steps
        The steps to execute.
    templates
        The collection with the templates for difference imaging; the output of the campaign's own first
        step by default.
    again
        The steps that have runs already, whose quanta that are done shall not be run again.
    """
    root = campaign.root_collection
    runs = []
    for step in Step:
        if step not in steps:
            continue
        settings = getattr(campaign, step)
        inputs = settings.input_collections or campaign.input_collections
        output = f"{root}/{step}"
        skip = [output] if step in again else []
        if step is Step.DIFFIM:
            inputs = (templates or f"{root}/{Step.TEMPLATES}", *inputs)
            skip.append(inputs[0])  # what the first step has calibrated
        runs.append(
            PlannedRun(
                step=step, timestamp=timestamp, inputs=inputs, output=output, skip_existing=tuple(skip)
            )
        )
    edges = frozenset({(0, 1)} if len(runs) == 2 else ())
    return Plan(runs=tuple(runs), edges=edges)
