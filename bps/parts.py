"""Division of the steps of a plan into parts, each with a graph, submit directory and RUN collection of its own.

A step is cut twice. Its tasks are cut into stages, at what they have to wait for: `Stage.VISITS` needs raw images
only, `Stage.COADDS` all visits of a patch, `Stage.IMAGES` templates, `Stage.ASSOCIATION` the associations of
earlier visits. Each stage is cut into parts: visits in order, or patches. Every quantum of the undivided step is
in exactly one part.

`divide_plan` decides, from `StepShape`s that `apcampaign.submit.division` reads, without asking anybody.
"""

__all__ = [
    "StepShape",
    "TaskShape",
    "VisitOnSky",
    "assign_stages",
    "divide_plan",
    "is_large",
    "wanted_parts",
]

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, groupby

from .campaign import CampaignConfig, Step, StepSettings
from .plan import Plan, PlannedRun, Stage

#: (tract, patch).
Patch = tuple[int, int]

#: Quanta of a part of which a step has more than one. A part costs about 5 s of its own, as much as building the
#: graph of 3,000 quanta, and DAGMan has a process for each.
_QUANTA = 8_000
#: The first part of visits is so much smaller than the others: nothing runs before its graph is built.
_FIRST = 0.1
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

    def count_parts(self, stages: Iterable[Stage], wanted: int | None) -> int:
        """Tell into how many parts stages are to be divided together: as many as wanted, or by their size."""
        if wanted is not None:
            return wanted
        quanta = max((self.quanta.get(stage, 0) for stage in stages), default=0)
        return min(_MOST_PARTS, max(1, round(quanta / _QUANTA)))

    @property
    def size(self) -> int:
        """How many quanta it has, about."""
        return sum(self.quanta.values())


def is_large(quanta: int) -> bool:
    """Tell whether a step with so many quanta is divided, if its campaign leaves that to its size."""
    return quanta >= 2 * _QUANTA


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
    return {stage: found[stage] for stage in order if stage in found}


def divide_plan(plan: Plan, shapes: Mapping[Step, StepShape], campaign: CampaignConfig) -> Plan:
    """Divide the runs of a plan into parts.

    Parameters
    ----------
    plan
        The plan, with one run for a step.
    shapes
        What is known of its steps; a step without is not divided.
    campaign
        Its settings of the steps say into how many parts.

    Returns
    -------
    plan
        Its runs, or their parts. Edges lead to a part from those parts only whose outputs it reads, or whose
        associations must come before its own.
    """
    parts: list[_Part] = []
    for run in plan:
        shape = shapes.get(run.step)
        number = wanted_parts(campaign, run.step)
        if shape is None or len(shape.visits) < 2:
            continue
        if number == 1 or (number is None and not is_large(shape.size)):
            continue
        parts += _divide_step(run, shape, number)
    divided = {part.run.step for part in parts}
    if not divided:
        return plan
    parts += [_Part(run=run) for run in plan if run.step not in divided]
    depends = {(run.step, parent) for run in plan for parent in plan.parents(run)}
    edges = {
        (before.run.name, after.run.name)
        for after in parts
        for before in parts
        if before is not after and _waits(before, after, depends)
    }
    return Plan(timestamp=plan.timestamp, runs=tuple(part.run for part in parts), edges=frozenset(edges))


@dataclass(frozen=True, kw_only=True)
class _Part:
    run: PlannedRun
    place: int = 0
    visits: frozenset[int] = frozenset()
    patches: frozenset[Patch] = frozenset()


def _divide_step(run: PlannedRun, shape: StepShape, wanted: int | None) -> Iterator[_Part]:
    """Divide the run of a step."""
    by_sky = run.step is Step.TEMPLATES
    # The visits of difference imaging in order of time: then each part's associations come before the next one's.
    visits = sorted(shape.visits, key=_place_on_sky if by_sky else _place_in_time)
    number = shape.count_parts([stage for stage in shape.stages if stage is not Stage.COADDS], wanted)
    shares = [1.0] * number
    if wanted is None and number > 1:
        shares.insert(0, _FIRST)
    groups = _cut([(visit, visit.detectors) for visit in visits], shares)
    for stage, labels in shape.stages.items():
        if stage is Stage.COADDS:
            yield from _divide_coadds(run, shape, labels, wanted)
            continue
        for place, group in enumerate(groups, 1):
            yield _Part(
                run=replace(
                    _make_part(run, stage, labels, _name(stage, place, len(groups)), _ask_visits(group)),
                    graph_query=_ask_constants(shape, stage),
                ),
                place=place,
                visits=frozenset(visit.id for visit in group),
                patches=frozenset(patch for visit in group for patch in visit.patches),
            )


def _divide_coadds(
    run: PlannedRun, shape: StepShape, labels: Sequence[str], wanted: int | None
) -> Iterator[_Part]:
    depth = Counter(patch for visit in shape.visits for patch in visit.patches)
    groups = _cut(sorted(depth.items()), [1.0] * shape.count_parts([Stage.COADDS], wanted))
    for place, group in enumerate(groups, 1):
        name = _name(Stage.COADDS, place, len(groups))
        yield _Part(
            run=_make_part(run, Stage.COADDS, labels, name, _ask_patches(group)),
            place=place,
            patches=frozenset(group),
        )


def _make_part(run: PlannedRun, stage: Stage, labels: Sequence[str], name: str, condition: str) -> PlannedRun:
    # Templates are searched first.
    first = 1 if run.step is Step.DIFFIM else 0
    return replace(
        run,
        part=name,
        stage=stage,
        division=run.timestamp,
        graph_query="",
        pipeline=f"{run.pipeline.partition('#')[0]}#{','.join(labels)}",
        query=f"({run.query}) AND {condition}" if run.query else condition,
        inputs=(*run.inputs[:first], run.output, *run.inputs[first:]),
    )


def _waits(before: _Part, after: _Part, depends: Iterable[tuple[Step, str]]) -> bool:
    """Tell whether a part has to wait for another one."""
    first, second = before.run, after.run
    if first.step is second.step:
        pair = first.stage, second.stage
        if pair == (Stage.VISITS, Stage.COADDS):
            return bool(before.patches & after.patches)
        if pair == (Stage.ASSOCIATION, Stage.ASSOCIATION):
            return before.place < after.place and bool(before.patches & after.patches)
        order = list(Stage)
        return (
            first.stage is not None
            and second.stage is not None
            and order.index(first.stage) < order.index(second.stage)
            and before.place == after.place
        )
    if (second.step, str(first.step)) not in depends:
        return False
    if second.needs_templates:
        # All of an undivided step, or the coadds under its visits.
        whole = first.stage is None or second.stage is None
        return whole or (first.stage is Stage.COADDS and bool(before.patches & after.patches))
    # What the first step calibrates is not calibrated again.
    return second.stage is Stage.VISITS and (first.stage is None or bool(before.visits & after.visits))


def _cut[Item](items: Sequence[tuple[Item, int]], shares: Sequence[float]) -> list[list[Item]]:
    """Cut weighted items, in their order, into at most as many groups as there are shares of the weight."""
    total = sum(weight for _, weight in items)
    ends = [end * total / sum(shares) for end in accumulate(shares)][:-1]
    passed, placed = 0.0, []
    for item, weight in items:
        placed.append((bisect_right(ends, passed + weight / 2), item))
        passed += weight
    return [[item for _, item in group] for _, group in groupby(placed, key=lambda each: each[0])]


def _name(stage: Stage, place: int, number: int) -> str:
    return f"{stage}-{place:0{len(str(number))}}"


def _place_in_time(visit: VisitOnSky) -> tuple[float, int]:
    return visit.begin, visit.id


def _place_on_sky(visit: VisitOnSky) -> tuple[list[Patch], float, int]:
    return sorted(visit.patches)[:1], visit.begin, visit.id


def _ask_constants(shape: StepShape, stage: Stage) -> str:
    """What the graph of some visits is asked for besides them; no dimension that its tasks do not have."""
    skymap = f" AND skymap='{shape.skymap}'" if stage is Stage.IMAGES else ""
    return f"instrument='{shape.instrument}'{skymap}"


def _ask_visits(visits: Iterable[VisitOnSky]) -> str:
    return f"visit IN ({', '.join(str(number) for number in sorted(visit.id for visit in visits))})"


def _ask_patches(patches: Iterable[Patch]) -> str:
    terms = []
    for tract, group in groupby(sorted(patches), key=lambda patch: patch[0]):
        numbers = ", ".join(str(number) for _, number in group)
        terms.append(f"(tract = {tract} AND patch IN ({numbers}))")
    return f"({' OR '.join(terms)})"
