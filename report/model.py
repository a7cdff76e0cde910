"""Content of a report as plain values, so that it can be drawn without repository, database or queue."""

__all__ = ["FailureRow", "ReportData", "RunReport", "StepReport"]

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..apdb import Verification
from ..bps import Step
from ..monitor import Job
from ..monitor.outcomes import QuantaCount, Spread, TaskUsage
from .cutouts import Cutout
from .figure import Figure
from .quality import SurveyQuality
from .sky_model import DiaCatalog, Patch, Template, VisitRow


@dataclass(frozen=True)
class RunReport:
    """One run of a step.

    Parameters
    ----------
    output_run
        Its RUN collection.
    state
        Its state; `None` if that cannot be told.
    """

    output_run: str
    state: str | None


@dataclass(frozen=True, kw_only=True)
class StepReport:
    """A step, put together over its current runs.

    Parameters
    ----------
    step, runs
        The step, and its current runs.
    state
        Of all of them; `None` if that cannot be told.
    jobs
        How many there are by label.
    quanta
        How many there are by task label.
    outcomes
        Outcomes of the quanta, by task label; empty where they are not known yet.
    product, products
        The dataset type that counts, and how many there are.
    clusters
        The tasks of the labels that are clusters, in BPS's sense.
    tasks
        What the quanta of its tasks took; empty where that is not known yet.
    """

    step: Step
    runs: tuple[RunReport, ...]
    state: str | None
    jobs: Mapping[str, int]
    quanta: Mapping[str, int]
    outcomes: Mapping[str, QuantaCount] = field(default_factory=dict)
    product: str = ""
    products: int | None = None
    clusters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tasks: Mapping[str, TaskUsage] = field(default_factory=dict)

    def task_memory(self, label: str) -> Spread | None:
        """Find the memory of a job label, as the task that used the most noted it."""
        tasks = self.clusters.get(label, (label,))
        known = [self.tasks[task].memory for task in tasks if task in self.tasks]
        return max((each for each in known if each), key=lambda each: each.most, default=None)


@dataclass(frozen=True, kw_only=True)
class FailureRow:
    """Jobs that failed, or are held, for the same cause.

    Parameters
    ----------
    step, label
        Which jobs.
    state
        Their state: ``failed``, ``held``, ``retried``.
    cause
        The root cause in a line.
    jobs, pruned
        How many, and how many never run because of these.
    hosts
        Where.
    example
        The name of one of them.
    log
        Its log.
    lines
        The relevant lines of that.
    remedies
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
    remedies: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ReportData:
    """All that a report shows.

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
        The steps that have a run.
    jobs
        Of their current runs.
    patches, templates
        The sky that is processed.
    visits
        The science visits.
    exposed
        In how many science visits each detector has a raw image.
    quality
        Seeing, zero point and sky noise of the visits.
    catalog
        What the APDB holds.
    cutouts
        Pictures of notable DiaSources.
    failures
        Why jobs failed.
    verification
        The comparison of the APDB with Butler.
    left_images
        How many images earlier runs have left undone that no current run has.
    left_quanta
        The same of quanta of other visits.
    provenance
        Titled mappings: collections, versions, …
    files
        Titled texts: the campaign, the configs of BPS.
    appendix
        Figures of what else is known of the campaign.
    notes
        What could not be read, and why.
    unread
        The names of its parts that could not be read.
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
    exposed: Mapping[int, int] = field(default_factory=dict)
    quality: SurveyQuality | None = None
    catalog: DiaCatalog | None = None
    cutouts: tuple[Cutout, ...] = ()
    failures: tuple[FailureRow, ...] = ()
    verification: Verification | None = None
    left_images: int = 0
    left_quanta: int = 0
    provenance: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    appendix: tuple[Figure, ...] = ()
    notes: tuple[str, ...] = ()
    unread: frozenset[str] = frozenset()

    @property
    def runs(self) -> tuple[str, ...]:
        """The RUN collections that it is about."""
        return tuple(run.output_run for step in self.steps for run in step.runs)

    @property
    def parts(self) -> frozenset[str]:
        """The names of the parts that it holds, as `unread` names them."""
        held = {
            "the jobs": self.jobs,
            "the sky": self.patches or self.visits,
            "the quality of the visits": self.quality and self.quality.images,
            "the APDB": self.catalog,
            "the cutouts": self.cutouts,
            "the verification": self.verification,
            **{f"the quanta of {step.step}": step.outcomes for step in self.steps},
            **{f"the tasks of {step.step}": step.tasks for step in self.steps},
            **{f"the figure «{figure.title}»": figure.panels for figure in self.appendix},
        }
        return frozenset(name for name, value in held.items() if value)
