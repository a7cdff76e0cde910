"""What a report tells: values alone, so that it can be drawn without a repository, a database or a queue."""

__all__ = [
    "DiaCatalog",
    "FailureRow",
    "LightCurve",
    "LightCurvePoint",
    "Patch",
    "ReportData",
    "SkyCell",
    "StepReport",
    "Template",
    "TemplateState",
    "VisitRow",
]

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ...apdb import Verification
from ...bps import Step
from ..monitor.jobs import Job
from ..quanta import QuantaCount
from .figure import Figure
from .tasks import TaskUsage
from .usage import Spread

#: Right ascension and declination, degrees.
Corner = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class StepReport:
    """One run of a step.

    Parameters
    ----------
    step, timestamp, output_run, submit_dir
        Which.
    state
        How the run stands; `None` if that cannot be told.
    jobs
        How many there are by label.
    quanta
        How many there are by task label.
    outcomes
        What became of the quanta, by task label; empty where it is not known yet.
    product, products
        The dataset type that counts, and how many there are.
    clusters
        The tasks of the labels that are clusters, in BPS's sense.
    tasks
        What the quanta of its tasks took; empty where that is not known yet.
    """

    step: Step
    timestamp: str
    output_run: str
    submit_dir: str
    state: str | None
    jobs: Mapping[str, int]
    quanta: Mapping[str, int]
    outcomes: Mapping[str, QuantaCount] = field(default_factory=dict)
    product: str = ""
    products: int | None = None
    clusters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tasks: Mapping[str, TaskUsage] = field(default_factory=dict)

    def task_memory(self, label: str) -> Spread | None:
        """Find what the tasks of a job label say of their memory, from the one that took the most."""
        tasks = self.clusters.get(label, (label,))
        known = [self.tasks[task].memory for task in tasks if task in self.tasks]
        return max((each for each in known if each), key=lambda each: each.most, default=None)


class TemplateState(StrEnum):
    """How the template of a patch and band stands."""

    MADE = "made"
    WAITING = "waiting"  #: its run goes on
    MISSING = "missing"  #: its run has ended


@dataclass(frozen=True)
class Patch:
    """The sky of a patch.

    Parameters
    ----------
    tract, patch
        Which.
    corners
        Its outer boundary.
    """

    tract: int
    patch: int
    corners: tuple[Corner, ...]


@dataclass(frozen=True)
class Template:
    """The template of a patch in a band.

    Parameters
    ----------
    tract, patch, band
        Which.
    state
        How it stands.
    visits
        How many visits there are to make it of.
    """

    tract: int
    patch: int
    band: str
    state: TemplateState
    visits: int


@dataclass(frozen=True, kw_only=True)
class VisitRow:
    """A science visit.

    Parameters
    ----------
    visit, band
        Which.
    mjd
        Begin of its exposure, TAI; `None` if the repository does not say.
    detectors
        How many have a raw image that is selected.
    differences
        How many difference images the repository knows.
    dia_sources
        In the APDB; `None` if that was not read.
    """

    visit: int
    band: str
    mjd: float | None
    detectors: int
    differences: int
    dia_sources: int | None = None


@dataclass(frozen=True)
class SkyCell:
    """A pixel of the sky with what the APDB has there.

    Parameters
    ----------
    pixel
        Its HTM index.
    corners
        Its three corners.
    square_degrees
        Its area.
    dia_sources, dia_objects
        How many there are.
    """

    pixel: int
    corners: tuple[Corner, ...]
    square_degrees: float
    dia_sources: int
    dia_objects: int


@dataclass(frozen=True)
class LightCurvePoint:
    """A measurement of a DiaObject.

    Parameters
    ----------
    mjd
        Middle of the exposure, TAI.
    band, visit
        Of the exposure.
    flux, error
        PSF flux on the difference image, nJy; the error may be unknown.
    forced
        Whether it was measured at a given place rather than detected.
    """

    mjd: float
    band: str
    visit: int
    flux: float
    error: float | None
    forced: bool


@dataclass(frozen=True)
class LightCurve:
    """A DiaObject's measurements.

    Parameters
    ----------
    dia_object
        Its number.
    ra, dec
        Where it is, degrees.
    points
        The oldest first.
    """

    dia_object: int
    ra: float
    dec: float
    points: tuple[LightCurvePoint, ...]

    @property
    def detections(self) -> int:
        """How often it was detected."""
        return sum(not point.forced for point in self.points)


@dataclass(frozen=True, kw_only=True)
class DiaCatalog:
    """What the APDB holds.

    Parameters
    ----------
    config
        The APDB's configuration.
    rows
        Rows by table.
    level
        HTM level of the cells.
    cells
        Pixels of the sky with anything in them.
    light_curves
        Of the DiaObjects that were detected most often.
    """

    config: str
    rows: Mapping[str, int]
    level: int = 0
    cells: tuple[SkyCell, ...] = ()
    light_curves: tuple[LightCurve, ...] = ()


@dataclass(frozen=True, kw_only=True)
class FailureRow:
    """Jobs that failed, or are held, for the same reason.

    Parameters
    ----------
    step, label
        Which jobs.
    state
        How they stand: ``failed``, ``held``, ``tried again``.
    cause
        The root cause in a line.
    jobs, pruned
        How many, and how many never run in consequence.
    hosts
        Where.
    example
        The name of one of them.
    log
        Its log.
    lines
        What that says.
    advice
        What to do next, line by line.
    """

    step: str
    label: str
    state: str
    cause: str
    jobs: int
    pruned: int
    hosts: tuple[str, ...]
    example: str
    log: str
    lines: tuple[str, ...]
    advice: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ReportData:
    """All that a report tells.

    Parameters
    ----------
    campaign
        The campaign's name.
    made
        When the report was made, seconds since 1970.
    final
        Whether nothing will change any more.
    good
        Whether everything is done and verified; `None` while that is open, or cannot be told.
    steps
        The newest run of each step that has one.
    jobs
        Of these runs.
    patches, templates
        The sky that is processed.
    visits
        The science visits.
    catalog
        What the APDB holds.
    failures
        Why jobs failed.
    verification
        The comparison of the APDB with Butler.
    provenance
        Titled mappings: collections, versions, …
    files
        Titled texts: the campaign, the configs of BPS.
    appendix
        Figures of what else is known of the campaign.
    notes
        What could not be read, and why.
    """

    campaign: str
    made: float
    final: bool
    good: bool | None
    steps: tuple[StepReport, ...] = ()
    jobs: tuple[Job, ...] = ()
    patches: tuple[Patch, ...] = ()
    templates: tuple[Template, ...] = ()
    visits: tuple[VisitRow, ...] = ()
    catalog: DiaCatalog | None = None
    failures: tuple[FailureRow, ...] = ()
    verification: Verification | None = None
    provenance: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    appendix: tuple[Figure, ...] = ()
    notes: tuple[str, ...] = ()
