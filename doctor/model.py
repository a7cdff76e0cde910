"""States that a campaign does not get out of by itself, each with what mends it."""

__all__ = ["Act", "BrokenChain", "BrokenCopy", "BrokenGraph", "Condition", "CutLog", "Finding", "Loss"]

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from ..apdb import RollbackPlan
from ..bps import Step
from ..common.errors import ApcampaignError
from ..ledger import RunRecord
from ..ordering import VisitDetector
from .downstream import Reach


class Condition(StrEnum):
    """A state, by kind."""

    RETIREMENT = "interrupted retirement"
    RECORD = "damaged record"
    MOVED = "moved folder"
    STRAY_JOBS = "jobs of no recorded run"
    OLD_DAGMAN = "DAGMan left from before"
    ELSEWHERE = "another host's queue"
    ACTIVE = "active"
    LOG = "damaged log"
    GRAPH = "no usable graph"
    RESCUE = "damaged rescue DAG"
    OUTPUTS = "outputs not registered"
    CHAIN = "output collection"
    LOST = "lost associations"
    UNSUBMITTED = "never submitted"
    UNFINISHED = "not done"
    LEFT = "left undone"
    UNKNOWN = "not known"


class Act(StrEnum):
    """What mends a state, in the order in which it is done."""

    RECORDS = "records"
    COPIES = "copies"
    JOBS = "jobs"
    PATHS = "paths"
    LOGS = "logs"
    GRAPHS = "graphs"
    REGISTER = "register"
    CHAINS = "chains"
    ROLLBACK = "rollback"
    RESUME = "resume"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A state that a campaign is in.

    Parameters
    ----------
    condition
        Which.
    what
        A sentence that describes it.
    remedy
        What mends it, as a sentence.
    acts
        What is done for that; none if it is for the user to do.
    """

    condition: Condition
    what: str
    remedy: str = ""
    acts: tuple[Act, ...] = ()

    def describe(self) -> str:
        """Say it in a line."""
        return f"{self.condition}: {self.what}" + (f"; {self.remedy}" if self.remedy else "")

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values, for JSON."""
        return {
            "condition": str(self.condition),
            "what": self.what,
            "remedy": self.remedy,
            "acts": [str(act) for act in self.acts],
        }


@dataclass(frozen=True)
class BrokenCopy:
    """A file beside a record, with the campaign as it was submitted or a plan, that is gone or damaged.

    Parameters
    ----------
    path, why
        Which file, and what is wrong with it.
    text
        What it is made again as; empty if it cannot be.
    source
        From what.
    """

    path: Path
    why: str
    text: str = ""
    source: str = ""


@dataclass(frozen=True)
class BrokenGraph:
    """A run whose graph is not that of its jobs.

    Parameters
    ----------
    run
        The run.
    why
        What is wrong with the graph.
    foreign
        Whether it is whole, but holds other quanta.
    """

    run: RunRecord
    why: str
    foreign: bool = False


@dataclass(frozen=True)
class BrokenChain:
    """The CHAINED output collection of a step that is gone, or does not hold what its runs have made.

    Parameters
    ----------
    step, output
        Of which step, and its name.
    there
        Whether there is one.
    lacking
        The RUN collections that it lacks, the newest first.
    inputs
        What its runs have read and it lacks.
    """

    step: Step
    output: str
    there: bool
    lacking: tuple[str, ...]
    inputs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Loss:
    """Associations that an APDB has lost, or has only half.

    Parameters
    ----------
    apdb_config
        The APDB.
    lost
        The (visit, detector)s that were recorded, and of which rows are gone.
    later
        Later ones of the same sky, which were built on them.
    rollback
        How what is there of all of them is rolled back.
    failed
        Those that were written and then failed, and on which later ones were built nevertheless.
    reaches
        The dataset types that depend on associations, and how far, for runs that have lost their graph.
    obstacle
        Why it is not known what was made of them: then nothing can be rolled back.
    """

    apdb_config: str
    lost: tuple[VisitDetector, ...]
    later: tuple[VisitDetector, ...]
    rollback: RollbackPlan
    failed: tuple[VisitDetector, ...] = ()
    reaches: Mapping[str, Reach] = field(default_factory=dict)
    obstacle: ApcampaignError | None = None

    @property
    def again(self) -> frozenset[VisitDetector]:
        """Those that are associated again."""
        return frozenset((*self.lost, *self.failed, *self.later, *self.rollback.later))


@dataclass(frozen=True)
class CutLog:
    """A log of a DAG that has ended in which events are missing.

    Parameters
    ----------
    dag
        The DAG.
    sources
        Where the events of its jobs are too.
    """

    dag: Path
    sources: tuple[Path, ...]
