"""Division of the steps of a plan into parts, each with a graph, submit directory and RUN collection of its own.

A step is cut twice. Its tasks are cut into stages, at what they have to wait for: `Stage.VISITS` needs raw
images only, `Stage.COADDS` all visits of a patch, `Stage.IMAGES` templates, `Stage.ASSOCIATION` the associations
of earlier visits, `Stage.ANALYSIS` those of its own visits. Each stage is cut into parts, as many as its size
demands: visits in order, or patches. Every quantum of the undivided step is in exactly one part.

What a part waits for has ended, all of it: so the association, in which one part comes after the other, has as few
tasks and as few parts as possible.

`divide_plan` decides, from `StepShape`s (`shape`) that `apcampaign.submit.parts.shapes` reads, without asking
anybody.
"""

__all__ = ["Part", "divide_plan", "divide_steps"]

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, groupby

from .campaign import CampaignConfig, Step
from .plan import Plan, PlannedRun, Stage
from .query import check_length
from .shape import Patch, StepShape, VisitOnSky, is_large, wanted_parts

#: The first part of visits is so much smaller than the others: nothing runs before its graph is built.
_FIRST = 0.1
#: That are written out one by one: Butler makes an ``OR`` of each, and SQLite takes an expression of 1,000.
_MOST_VALUES = 900


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

    Raises
    ------
    SettingsError
        If the data query of a part is too long.
    """
    parts = divide_steps(plan, shapes, campaign)
    divided = {part.run.step for part in parts}
    if not divided:
        return plan
    for part in parts:
        check_length(part.run.graph_query or part.run.query, part.run.name)
    parts += [Part(run=run) for run in plan if run.step not in divided]
    depends = {(run.step, parent) for run in plan for parent in plan.parents(run)}
    edges = {
        (before.run.name, after.run.name)
        for after in parts
        for before in parts
        if before is not after and _waits(before, after, depends)
    }
    return Plan(timestamp=plan.timestamp, runs=tuple(part.run for part in parts), edges=frozenset(edges))


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of a step.

    Parameters
    ----------
    run
        Its run.
    place
        Which part of its stage it is, from 1 on; 0 for a whole step.
    visits
        The visits that it processes.
    patches
        The patches under them, or those that it makes coadds of.
    """

    run: PlannedRun
    place: int = 0
    visits: frozenset[int] = frozenset()
    patches: frozenset[Patch] = frozenset()


def divide_steps(plan: Plan, shapes: Mapping[Step, StepShape], campaign: CampaignConfig) -> list[Part]:
    """List the parts of those steps of a plan that are divided; parameters as for `divide_plan`."""
    parts: list[Part] = []
    for run in plan:
        shape = shapes.get(run.step)
        number = wanted_parts(campaign, run.step)
        if shape is None or len(shape.visits) < 2:
            continue
        if number == 1 or (number is None and not is_large(shape.size)):
            continue
        parts += _divide_step(run, shape, number)
    return parts


def _divide_step(run: PlannedRun, shape: StepShape, wanted: int | None) -> Iterator[Part]:
    """Divide the run of a step."""
    by_sky = run.step is Step.TEMPLATES
    # The visits of difference imaging in order of time: then each part's associations come before the next one's.
    visits = sorted(shape.visits, key=_place_on_sky if by_sky else _place_in_time)
    weights = [(visit, visit.detectors) for visit in visits]
    for stage, labels in shape.stages.items():
        if stage is Stage.COADDS:
            yield from _divide_coadds(run, shape, labels, wanted)
            continue
        shares = [1.0] * shape.count_parts(stage, wanted)
        if wanted is None and len(shares) > 1 and stage is next(iter(shape.stages)):
            shares.insert(0, _FIRST)
        groups = _cut(weights, shares)
        for place, group in enumerate(groups, 1):
            share = sum(visit.detectors for visit in group) / sum(visit.detectors for visit in visits)
            part = _make_part(
                run, stage, labels, _name(stage, place, len(groups)), _ask_visits(group, visits)
            )
            yield Part(
                run=replace(
                    part,
                    graph_query=_ask_constants(shape, stage),
                    quanta=round(share * shape.quanta.get(stage, 0)),
                ),
                place=place,
                visits=frozenset(visit.id for visit in group),
                patches=frozenset(patch for visit in group for patch in visit.patches),
            )


def _divide_coadds(
    run: PlannedRun, shape: StepShape, labels: Sequence[str], wanted: int | None
) -> Iterator[Part]:
    depth = Counter(patch for visit in shape.visits for patch in visit.patches)
    groups = _cut(sorted(depth.items()), [1.0] * shape.count_parts(Stage.COADDS, wanted))
    for place, group in enumerate(groups, 1):
        name = _name(Stage.COADDS, place, len(groups))
        share = sum(depth[patch] for patch in group) / depth.total()
        part = _make_part(run, Stage.COADDS, labels, name, _ask_patches(group))
        yield Part(
            run=replace(part, quanta=round(share * shape.quanta.get(Stage.COADDS, 0))),
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


def _waits(before: Part, after: Part, depends: Iterable[tuple[Step, str]]) -> bool:
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
            and bool(before.visits & after.visits)
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


def _ask_visits(visits: Sequence[VisitOnSky], known: Iterable[VisitOnSky]) -> str:
    """Ask for some of the visits that the step's own query selects: by ranges of these if they are many."""
    numbers = sorted(visit.id for visit in visits)
    terms = [str(number) for number in numbers]
    if len(terms) > _MOST_VALUES:
        places = {number: place for place, number in enumerate(sorted(visit.id for visit in known))}
        terms = []
        for _, group in groupby(enumerate(numbers), key=lambda each: places[each[1]] - each[0]):
            run = [number for _, number in group]
            terms.append(f"{run[0]}..{run[-1]}" if len(run) > 1 else f"{run[0]}")
    return f"visit IN ({', '.join(terms)})"


def _ask_patches(patches: Iterable[Patch]) -> str:
    terms = []
    for tract, group in groupby(sorted(patches), key=lambda patch: patch[0]):
        numbers = ", ".join(str(number) for _, number in group)
        terms.append(f"(tract = {tract} AND patch IN ({numbers}))")
    return f"({' OR '.join(terms)})"
