"""Plan of a campaign: the graph of its runs, all named before any of them exists."""

__all__ = ["TIMESTAMP", "Plan", "PlannedRun", "Stage", "gate_node", "make_timestamp", "prepare_node"]

import graphlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Self

from pydantic import TypeAdapter

from .campaign import Step

#: How a moment is named, as in Rubin's collections.
TIMESTAMP = "%Y%m%dT%H%M%SZ"


class Stage(StrEnum):
    """What the tasks of a part of a step have in common: what they wait for, in this order."""

    VISITS = "visits"
    COADDS = "coadds"
    IMAGES = "images"
    ASSOCIATION = "association"
    ANALYSIS = "analysis"


@dataclass(frozen=True, kw_only=True)
class PlannedRun:
    """One execution of a step, or of a part of it, to be.

    Parameters
    ----------
    step
        What it executes.
    part
        Which part of the step; empty if it is all of it.
    stage
        The tasks of that part.
    division
        When the step was divided into its parts, as a timestamp; parts that are run again keep it.
    timestamp
        When it was planned, ``YYYYMMDDTHHMMSSZ``.
    pipeline
        The pipeline file, with ``#subset`` if only a part of it is run.
    query
        The data query, which selects its raw images.
    graph_query
        The data query of its graph, if that gets the raw images in a table instead: conditions on the sky would
        cut the templates as well, to those of the same tracts and patches.
    inputs
        Collections to search, in this order.
    output
        The CHAINED collection that holds the step's runs.
    skip_existing
        Collections whose quanta are not run again.
    quanta
        How many it has, about; 0 if nobody has counted them.
    """

    step: Step
    part: str = ""
    stage: Stage | None = None
    division: str = ""
    timestamp: str
    pipeline: str
    query: str
    inputs: tuple[str, ...]
    output: str
    skip_existing: tuple[str, ...] = ()
    graph_query: str = ""
    quanta: int = 0

    @property
    def name(self) -> str:
        """Its name in the plan, and that of its node in the campaign DAG: ``diffim``, or ``diffim-PART``."""
        return f"{self.step}-{self.part}" if self.part else str(self.step)

    @property
    def folder(self) -> str:
        """Its name among the runs of its step: the last part of its RUN collection, and the name of its folder."""
        return f"{self.timestamp}-{self.part}" if self.part else self.timestamp

    @property
    def output_run(self) -> str:
        """The RUN collection that it fills."""
        return f"{self.output}/{self.folder}"

    @property
    def may_be_empty(self) -> bool:
        """Whether its graph may have no quanta: its visits may all be done, or lack what it reads."""
        return bool(self.part) and (self.stage is not Stage.VISITS or bool(self.skip_existing))

    @property
    def needs_templates(self) -> bool:
        """Whether it subtracts templates: the first of its inputs then holds them."""
        return self.step is Step.DIFFIM and self.stage in (None, Stage.IMAGES)

    @property
    def fills_apdb(self) -> bool:
        """Whether it associates, and so writes to the APDB."""
        return self.step is Step.DIFFIM and self.stage in (None, Stage.ASSOCIATION)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The runs of a campaign, and which of them must have ended before another is prepared.

    Parameters
    ----------
    timestamp
        When it was made.
    runs
        The runs, each name once.
    edges
        Pairs of names of runs: the graph of the second is built on what the first has made.

    Raises
    ------
    ValueError
        If an edge names no run, or runs would wait for each other in a circle.
    """

    timestamp: str
    runs: tuple[PlannedRun, ...]
    edges: frozenset[tuple[str, str]] = frozenset()
    _order: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        names = {run.name for run in self.runs}
        if len(names) < len(self.runs) or not {name for edge in self.edges for name in edge} <= names:
            raise ValueError("a plan names each run once, and its edges name its runs")
        sorter = graphlib.TopologicalSorter({run.name: self.parents(run) for run in self.runs})
        object.__setattr__(self, "_order", tuple(sorter.static_order()))

    def __iter__(self) -> Iterator[PlannedRun]:
        """Go through the runs in an order in which they can be executed."""
        by_name = {run.name: run for run in self.runs}
        return (by_name[name] for name in self._order)

    def parents(self, run: PlannedRun) -> tuple[str, ...]:
        """Name the runs that must have ended before this one is prepared."""
        return tuple(sorted(before for before, after in self.edges if after == run.name))

    @property
    def ready(self) -> tuple[PlannedRun, ...]:
        """The runs that wait for no other: their graphs can be built at once."""
        return tuple(run for run in self if not self.parents(run))

    @property
    def heights(self) -> dict[str, int]:
        """How many runs come one after another from each run, by its name, to the end."""
        found: dict[str, int] = {}
        for name in reversed(self._order):
            after = [found[child] for parent, child in self.edges if parent == name]
            found[name] = 1 + max(after, default=0)
        return found

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps of which it has runs, in their order."""
        found = {run.step for run in self.runs}
        return tuple(step for step in Step if step in found)

    def runs_of(self, step: Step) -> tuple[PlannedRun, ...]:
        """Its runs of a step, in an order in which they can be executed."""
        return tuple(run for run in self if run.step is step)

    def find(self, name: str) -> PlannedRun:
        """Find the run of a name; raises KeyError if there is none."""
        return {run.name: run for run in self.runs}[name]

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values, for JSON and YAML."""
        return {
            "timestamp": self.timestamp,
            "runs": [
                {**asdict(run), "step": str(run.step), "stage": run.stage and str(run.stage)} for run in self
            ],
            "edges": sorted(map(list, self.edges)),
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Make it again from what `as_dict` gave.

        Raises
        ------
        ValueError
            If that is not what it is given.
        """
        adapter = TypeAdapter(tuple[PlannedRun, ...])
        try:
            edges = frozenset((str(before), str(after)) for before, after in content["edges"])
            runs = adapter.validate_python(content["runs"])
            return cls(timestamp=str(content["timestamp"]), runs=runs, edges=edges)
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a plan: {error}") from error


def gate_node(run: PlannedRun) -> str:
    """Name the node of the campaign DAG that checks the templates of a run: ``gate``, or ``gate-PART``."""
    return f"gate-{run.part}" if run.part else "gate"


def prepare_node(run: PlannedRun) -> str:
    """Name the node of the campaign DAG that builds the graph of a run when its inputs have been made."""
    return f"prepare-{run.name}"


def make_timestamp(now: datetime | None = None) -> str:
    """Name a moment (default: now) as Rubin's collections do, in UTC."""
    return (now or datetime.now(UTC)).astimezone(UTC).strftime(TIMESTAMP)
