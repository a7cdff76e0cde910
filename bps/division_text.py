"""Description of how the steps of a plan are divided: how large their parts are, why, and what each waits for."""

__all__ = ["describe_division"]

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from ..common.text import count
from .campaign import CampaignConfig, Step
from .parts import Part, divide_plan, divide_steps
from .plan import Plan, Stage
from .shape import PART_QUANTA, StepShape, wanted_parts

#: Of a step with more parts those of a stage are put together.
_MOST_LISTED = 12
#: More tracts, or runs that a part waits for, are counted.
_MOST_NAMED = 3


def describe_division(
    plan: Plan, shapes: Mapping[Step, StepShape], campaign: CampaignConfig
) -> Iterator[str]:
    """Say in lines into what the steps of a plan are divided; nothing of those that stay whole.

    Parameters are those of `divide_plan`.
    """
    parts = divide_steps(plan, shapes, campaign)
    divided = divide_plan(plan, shapes, campaign)
    parents = {run.name: divided.parents(run) for run in divided}
    for step, of_step in groupby(parts, key=lambda part: part.run.step):
        members = list(of_step)
        yield (
            f"{step}: {count(len(members), 'part')}, each with a graph of its own: "
            f"{_explain(shapes[step], wanted_parts(campaign, step))}"
        )
        for stage, of_stage in groupby(members, key=lambda part: part.run.stage):
            same = list(of_stage)
            groups = [same] if len(members) > _MOST_LISTED else [[part] for part in same]
            for group in groups:
                yield f"  {_describe(group, stage, parents)}"


def _explain(shape: StepShape, wanted: int | None) -> str:
    """Say why a step has so many parts."""
    if wanted is not None:
        return f"{wanted} of each stage, as the campaign says (parts)"
    return (
        f"it has about {shape.size:,} quanta, and from {2 * PART_QUANTA:,} on a part has about {PART_QUANTA:,} "
        "(parts: auto); the first one of visits has a tenth, so that jobs begin soon"
    )


def _describe(parts: Sequence[Part], stage: Stage | None, parents: Mapping[str, Sequence[str]]) -> str:
    """Say in a line how large some parts of a stage are, and what each of them waits for."""
    name = parts[0].run.name if len(parts) == 1 else f"{len(parts)} of {stage}"
    each = ", each" if len(parts) > 1 else ""
    patches = frozenset(patch for part in parts for patch in part.patches)
    size = [f"about {_span([part.run.quanta for part in parts])} quanta"]
    if stage is not Stage.COADDS:
        size.append(_count_span([len(part.visits) for part in parts], "visit"))
    size.append(_count_span([len(part.patches) for part in parts], "patch", "patches"))
    where = _name({f"{tract}" for tract, _ in patches}, "tract")
    waits = [parents[part.run.name] for part in parts]
    return f"{name}{each}: {', '.join(size)} of {where}; {_describe_waiting(waits)}"


def _describe_waiting(waits: Sequence[Sequence[str]]) -> str:
    """Say what some parts wait for, given the names of those before each of them."""
    if not any(waits):
        return "begins at once" if len(waits) == 1 else "begin at once"
    if len(waits) == 1 and len(waits[0]) <= _MOST_NAMED:
        return f"after {', '.join(waits[0])}"
    counts = [Counter(map(_stage_of, before)) for before in waits]
    kinds = sorted({kind for of_part in counts for kind in of_part})
    return "after " + ", ".join(f"{_span([of_part[kind] for of_part in counts])} of {kind}" for kind in kinds)


def _stage_of(name: str) -> str:
    """Name the stage of a part, or the whole step, by the name of its run."""
    return name.rpartition("-")[0] or name


def _span(numbers: Collection[int]) -> str:
    least, most = min(numbers), max(numbers)
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"


def _count_span(numbers: Collection[int], one: str, many: str = "") -> str:
    return f"{_span(numbers)} {one if set(numbers) == {1} else many or one + 's'}"


def _name(names: Iterable[str], kind: str) -> str:
    found = sorted(names)
    if len(found) > _MOST_NAMED:
        return f"{len(found)} {kind}s"
    return f"{kind}{'s' * (len(found) > 1)} {', '.join(found)}"
