"""Shape of a step before its graph is built: its stages, their quanta and sky, and how many parts they get."""

__all__ = [
    "PART_QUANTA",
    "Patch",
    "StepShape",
    "TaskShape",
    "VisitOnSky",
    "assign_stages",
    "is_large",
    "wanted_parts",
]

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from .campaign import CampaignConfig, Step, StepSettings
from .plan import Stage

#: (tract, patch).
Patch = tuple[int, int]

#: Quanta of a part of which a step has more than one. A part costs about 5 s of its own, as much as building the
#: graph of 3,000 quanta, and DAGMan has a process for each.
PART_QUANTA = 8_000
#: Parts of a stage at most, however large it is: each has a DAGMan process while it runs.
_MOST_PARTS = 100


@dataclass(frozen=True, kw_only=True)
class TaskShape:
    """What decides where a task belongs.

    Parameters
    ----------
    label
        The task.
    dimensions
        Of its quanta.
    inputs, outputs
        The dataset types that it reads and writes.
    reads_patches
        Whether one of its inputs, prerequisites aside, is of a patch.
    """

    label: str
    dimensions: frozenset[str]
    inputs: frozenset[str]
    outputs: frozenset[str]
    reads_patches: bool = False


@dataclass(frozen=True, kw_only=True)
class VisitOnSky:
    """A visit that a step processes.

    Parameters
    ----------
    id
        Its number.
    begin
        When it began, in any unit.
    detectors
        How many of its detectors are processed.
    patches
        The patches under them.
    """

    id: int
    begin: float
    detectors: int
    patches: frozenset[Patch]


@dataclass(frozen=True, kw_only=True)
class StepShape:
    """What is known of a step before its graph is built.

    Parameters
    ----------
    instrument, skymap
        Of its data.
    stages
        The task labels of each stage that it has, in the pipeline's order.
    quanta
        How many quanta each stage has, about.
    visits
        What it processes.
    """

    instrument: str
    skymap: str
    stages: Mapping[Stage, tuple[str, ...]]
    quanta: Mapping[Stage, int] = field(default_factory=dict)
    visits: tuple[VisitOnSky, ...] = ()

    def count_parts(self, stage: Stage, wanted: int | None) -> int:
        """Tell into how many parts a stage is to be divided: as many as wanted, or by its size."""
        if wanted is not None:
            return wanted
        return min(_MOST_PARTS, max(1, round(self.quanta.get(stage, 0) / PART_QUANTA)))

    @property
    def size(self) -> int:
        """How many quanta it has, about."""
        return sum(self.quanta.values())


def is_large(quanta: int) -> bool:
    """Tell whether a step with so many quanta is divided, if its campaign leaves that to its size."""
    return quanta >= 2 * PART_QUANTA


def wanted_parts(campaign: CampaignConfig, step: Step) -> int | None:
    """Tell into how many parts the stages of a step are to be divided; `None` if its size decides."""
    settings: StepSettings = getattr(campaign, step)
    return None if settings.parts == "auto" else settings.parts


def assign_stages(
    step: Step, tasks: Sequence[TaskShape], associating: Iterable[str]
) -> dict[Stage, list[str]]:
    """Find the stage of each task of a step's pipeline.

    Parameters
    ----------
    step
        The step.
    tasks
        The tasks, each after those whose outputs it reads.
    associating
        The labels of those that read or write the APDB.
    """
    order = list(Stage)
    associating = frozenset(associating)
    made: dict[str, Stage] = {}
    found: dict[Stage, list[str]] = {}
    for task in tasks:
        own = Stage.VISITS
        if step is Step.TEMPLATES and "tract" in task.dimensions:
            own = Stage.COADDS
        elif step is Step.DIFFIM and task.label in associating:
            own = Stage.ASSOCIATION
        elif step is Step.DIFFIM and (task.reads_patches or "tract" in task.dimensions):
            own = Stage.IMAGES
        before = [made[name] for name in task.inputs if name in made]
        stage = max([own, *before], key=order.index)
        found.setdefault(stage, []).append(task.label)
        made |= dict.fromkeys(task.outputs, stage)
    if after := _follow(tasks, found.get(Stage.ASSOCIATION, []), associating):
        found[Stage.ASSOCIATION] = [label for label in found[Stage.ASSOCIATION] if label not in after]
        found[Stage.ANALYSIS] = after
    return {stage: found[stage] for stage in order if stage in found}


def _follow(tasks: Sequence[TaskShape], stage: Sequence[str], associating: Iterable[str]) -> list[str]:
    """Find the tasks of the association stage that only follow: later associations need not wait for them."""
    associating, needed, before = frozenset(associating), set[str](), set[str]()
    for task in reversed(tasks):
        if task.label in associating or task.outputs & needed:
            before.add(task.label)
            needed |= task.inputs
    return [label for label in stage if label not in before]
