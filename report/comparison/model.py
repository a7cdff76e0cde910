"""Values of a comparison: what is compared, how closely, and a difference."""

__all__ = [
    "Aspect",
    "Comparable",
    "Difference",
    "Injected",
    "TaskKey",
    "Tolerances",
    "Unread",
    "list_examples",
]

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from ...monitor.outcomes import QuantaCount, TaskUsage

if TYPE_CHECKING:
    import pandas as pd

#: Step and task label.
TaskKey = tuple[str, str]


class Aspect(StrEnum):
    """What is compared: results first, then what they depend on, each the most important first."""

    SOURCES = "DiaSources"
    OBJECTS = "DiaObjects"
    SCORE = "score"
    QUANTA = "quanta"
    TEMPLATES = "templates"
    CONFIGURATION = "pipeline configuration"
    INPUTS = "inputs"
    SETTINGS = "settings"
    SOFTWARE = "software"
    COSTS = "time and memory"

    @property
    def is_result(self) -> bool:
        """Whether it is what a campaign has made, not what it was made with."""
        return self in (Aspect.SOURCES, Aspect.OBJECTS, Aspect.SCORE, Aspect.QUANTA, Aspect.TEMPLATES)


@dataclass(frozen=True, kw_only=True)
class Tolerances:
    """How close values must be to count as the same.

    Parameters
    ----------
    radius
        The largest separation of what is matched, arcseconds.
    position
        Of the positions of what is matched, arcseconds.
    flux
        Of PSF fluxes, as a fraction of the smaller of both errors.
    reliability
        Of reliabilities, and of the numbers of a score.
    slower
        Factor by which time or memory must differ to be mentioned.
    """

    radius: float = 1.0
    position: float = 0.001
    flux: float = 0.01
    reliability: float = 0.001
    slower: float = 1.25

    def describe(self) -> str:
        """Say what «the same» means."""
        return f"{self.position:g}″, {self.flux:g} σ of the flux, {self.reliability:g} of the reliability"


@dataclass(frozen=True)
class Unread:
    """Something of one side that is not known.

    Parameters
    ----------
    aspect
        To what it belongs.
    why
        The reason.
    side
        The name of the side, in a comparison.
    """

    aspect: Aspect
    why: str
    side: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Injected:
    """What a campaign has injected into its images.

    Parameters
    ----------
    sources
        The sources, as `apcampaign.report.completeness_measure.measure_completeness` takes them.
    radius
        Within how many arcseconds of one a DiaSource is that.
    notes
        What was left out of them.
    """

    sources: "pd.DataFrame"
    radius: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparable:
    """A campaign, or one of its submissions, as far as it is compared.

    Parameters
    ----------
    name
        How to call it.
    settings
        Values of the campaign as it was submitted, by dotted key.
    software
        Versions, by package, of what prepared the runs and of what their jobs imported.
    configuration
        Resolved configurations of the tasks: values as text by field, by step and label.
    collections
        Input collections by step, the campaign's own ones without its name.
    selected
        The (visit, detector)s that were selected, by step.
    quanta
        Outcomes of the quanta.
    causes
        How many quanta did not make all that they were to make, by step, label and reason.
    usage
        What the tasks took.
    templates
        The number of visits in each template, by tract, patch and band; `None` if there is no knowing.
    sources, objects
        DiaSources that were not withdrawn, and DiaObjects in their latest versions, as `apcampaign.apdb` reads
        them; `None` if they cannot be read, or the campaign has no APDB.
    injected
        What was injected into its images; `None` if nothing was.
    score
        Numbers of a score by what was injected, or else against a simulated sky; `None` if there is neither.
    unread
        What could not be read.
    """

    name: str
    settings: Mapping[str, str] = field(default_factory=dict)
    software: Mapping[str, str] = field(default_factory=dict)
    configuration: Mapping[TaskKey, Mapping[str, str]] = field(default_factory=dict)
    collections: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    selected: Mapping[str, frozenset[tuple[int, int]]] = field(default_factory=dict)
    quanta: Mapping[TaskKey, QuantaCount] = field(default_factory=dict)
    causes: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    usage: Mapping[TaskKey, TaskUsage] = field(default_factory=dict)
    templates: Mapping[tuple[int, int, str], int] | None = None
    sources: "pd.DataFrame | None" = None
    objects: "pd.DataFrame | None" = None
    injected: Injected | None = None
    score: Mapping[str, float] | None = None
    unread: tuple[Unread, ...] = ()

    def lacks(self, aspect: Aspect) -> bool:
        """Tell whether something of an aspect could not be read."""
        return any(each.aspect is aspect for each in self.unread)


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Something in which the two sides differ.

    Parameters
    ----------
    aspect
        To what it belongs.
    what
        Its name, such as a task and a field of its configuration.
    a, b
        Its values; empty if it is told in ``note``.
    note
        What it amounts to.
    weight
        Its importance among those of its aspect; the largest comes first.
    counts
        Whether the sides differ because of it. What only names or places a campaign does not count, nor do costs.
    """

    aspect: Aspect
    what: str
    a: str = ""
    b: str = ""
    note: str = ""
    weight: float = 0.0
    counts: bool = True

    def describe(self) -> str:
        """Say it in a line."""
        values = f" {_short(self.a)} → {_short(self.b)}" if self.a or self.b else ""
        return f"{self.what}{values}" + (f": {self.note}" if self.note else "")


#: Longer values are cut, and no more items are listed.
_LONGEST, _SHOWN = 60, 5


def _short(text: str) -> str:
    return (text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…") or "–"


def list_examples(items: Iterable[str]) -> str:
    """List some items, and count the rest."""
    found = list(items)
    return ", ".join(found[:_SHOWN]) + (f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else "")
