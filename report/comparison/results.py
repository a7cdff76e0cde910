"""Differences of results: DiaSources, DiaObjects, score, quanta, templates."""

__all__ = ["differ_in_results"]

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ...common.text import count
from ...monitor.outcomes import QuantaCount
from ..completeness_measure import match_injected
from .catalogue_values import CatalogueComparison
from .model import Aspect, Comparable, Difference, Injected, Tolerances, list_examples

if TYPE_CHECKING:
    import pandas as pd


def differ_in_results(
    a: Comparable,
    b: Comparable,
    sources: CatalogueComparison | None,
    objects: CatalogueComparison | None,
    tolerances: Tolerances,
) -> Iterator[Difference]:
    """List in what the results of two sides differ.

    Parameters
    ----------
    a, b
        The two sides.
    sources, objects
        Their catalogues, compared; `None` where either side has none.
    tolerances
        What counts as the same.
    """
    yield from _differ_in_sources(a, b, sources)
    yield from _differ_in_objects(a, b, objects, sources)
    yield from _differ_in_score(a, b, tolerances)
    yield from _differ_in_quanta(a, b)
    yield from _differ_in_templates(a, b)


def _one_sided(
    a: Comparable, b: Comparable, aspect: Aspect, one: object, other: object
) -> Iterator[Difference]:
    """Tell that only one side has something, unless the other one's could not be read."""
    if (one is None) != (other is None) and not (a.lacks(aspect) or b.lacks(aspect)):
        yield Difference(
            aspect=aspect,
            what=str(aspect),
            a="none" if one is None else "there",
            b="none" if other is None else "there",
        )


def _differ_in_sources(
    a: Comparable, b: Comparable, found: CatalogueComparison | None
) -> Iterator[Difference]:
    yield from _one_sided(a, b, Aspect.SOURCES, a.sources, b.sources)
    if found is None:
        return
    counts = found.counts
    for what, rows, number, share, of, injected in (
        ("lost DiaSources", found.only_a, counts.only_a, counts.lost_share, counts.a, a.injected),
        ("new DiaSources", found.only_b, counts.only_b, counts.gained_share, counts.b, b.injected),
    ):
        if number:
            snr = rows["snr"].abs()
            low, middle, high = snr.quantile([0.05, 0.5, 0.95]) if snr.notna().any() else (0, 0, 0)
            note = f"{number:,} of {of:,} ({100 * share:.2g} %), S/N {low:.1f} to {high:.1f}, median {middle:.1f}"
            if injected is not None:
                note += f", {_count_injected(rows, injected)} of them injected sources"
            yield Difference(aspect=Aspect.SOURCES, what=what, note=note, weight=number)
    for name in ("flux", "separation", "reliability"):
        shift = found.shifts[name]
        if shift.changed:
            what = "position" if name == "separation" else name
            yield Difference(
                aspect=Aspect.SOURCES,
                what=f"{what} of DiaSources",
                note=f"{shift.changed:,} of {counts.both:,} differ, {_describe_shift(found, name)}",
                weight=shift.changed / max(1, counts.both),
            )


def _count_injected(rows: "pd.DataFrame", injected: Injected) -> str:
    """Say how many DiaSources are what was injected; of many images only a sample of that is known."""
    matched, _ = match_injected(injected.sources, rows, radius=injected.radius)
    return f"{'at least ' if injected.notes else ''}{int(matched['found'].sum()):,}"


def _describe_shift(found: CatalogueComparison, name: str) -> str:
    """Say by how much a quantity differs, and how significantly in one direction."""
    if name == "separation":
        parts = ((found.shifts[side], side) for side in ("east", "north"))
        sides = ", ".join(
            f"{shift.median:+.2g}″ {side} ({shift.significance:+.1f} σ)" for shift, side in parts
        )
        return f"median {found.shifts[name].median:.2g}″; {sides}"
    shift = found.shifts[name]
    unit = f" {shift.unit}" if shift.unit else ""
    return f"median {shift.median:+.3g}{unit} ({shift.significance:+.1f} σ)"


def _differ_in_objects(
    a: Comparable, b: Comparable, found: CatalogueComparison | None, sources: CatalogueComparison | None
) -> Iterator[Difference]:
    yield from _one_sided(a, b, Aspect.OBJECTS, a.objects, b.objects)
    if sources is not None and any(sources.regrouped):
        split, merged = sources.regrouped
        yield Difference(
            aspect=Aspect.OBJECTS,
            what="association of the same DiaSources",
            note=f"{count(split, 'DiaObject')} split, {count(merged, 'DiaObject')} merged",
            weight=split + merged,
        )
    if found is None:
        return
    counts = found.counts
    if counts.only_a or counts.only_b:
        yield Difference(
            aspect=Aspect.OBJECTS,
            what="DiaObjects",
            a=f"{counts.a:,}",
            b=f"{counts.b:,}",
            note=f"{counts.only_a:,} lost, {counts.only_b:,} new ({counts.significance:+.1f} σ)",
            weight=counts.only_a + counts.only_b,
        )
    if found.changed:
        more = found.shifts["nDiaSources"]
        yield Difference(
            aspect=Aspect.OBJECTS,
            what="values of DiaObjects",
            note=f"{found.changed:,} of {counts.both:,} in both have another position or number of DiaSources "
            f"({more.up:,} more, {more.down:,} fewer)",
            weight=found.changed / max(1, counts.both),
        )


def _differ_in_score(a: Comparable, b: Comparable, tolerances: Tolerances) -> Iterator[Difference]:
    if (a.injected is None) != (b.injected is None):
        # One is scored by what was injected, the other perhaps against a simulated sky.
        side = b if a.injected is None else a
        for name, value in (side.score or {}).items():
            numbers = ("none", f"{value:.3f}") if side is b else (f"{value:.3f}", "none")
            yield Difference(aspect=Aspect.SCORE, what=name, a=numbers[0], b=numbers[1])
        return
    yield from _one_sided(a, b, Aspect.SCORE, a.score, b.score)
    for name in (a.score or {}).keys() & (b.score or {}).keys():
        one, other = (a.score or {})[name], (b.score or {})[name]
        if one != other and not abs(other - one) <= tolerances.reliability:
            yield Difference(
                aspect=Aspect.SCORE, what=name, a=f"{one:.3f}", b=f"{other:.3f}", weight=abs(other - one)
            )


def _differ_in_quanta(a: Comparable, b: Comparable) -> Iterator[Difference]:
    if a.lacks(Aspect.QUANTA) or b.lacks(Aspect.QUANTA):
        return
    steps = [{step for step, _ in side.quanta} for side in (a, b)]
    for step in sorted(steps[0] ^ steps[1]):
        has = ["there" if step in each else "none" for each in steps]
        yield Difference(aspect=Aspect.QUANTA, what=f"step {step}", a=has[0], b=has[1], weight=1e9)
    for key in a.quanta.keys() | b.quanta.keys():
        one, other = a.quanta.get(key), b.quanta.get(key)
        if one != other and key[0] in steps[0] & steps[1]:
            weight = abs((other.expected if other else 0) - (one.expected if one else 0)) + abs(
                _bad(other) - _bad(one)
            )
            yield Difference(
                aspect=Aspect.QUANTA,
                what=key[1],
                a=_describe_quanta(one),
                b=_describe_quanta(other),
                weight=weight,
            )
    for cause in sorted(a.causes.keys() | b.causes.keys()):
        here, there = a.causes.get(cause, 0), b.causes.get(cause, 0)
        step, label, why = cause
        # Failures are counted already, and so are steps that one side does not have.
        if here != there and why != "failed" and step in steps[0] & steps[1]:
            yield Difference(
                aspect=Aspect.QUANTA,
                what=f"{label}: {why or 'outputs are missing'}",
                a=str(here),
                b=str(there),
                weight=abs(there - here) / 2,
            )


def _describe_quanta(found: QuantaCount | None) -> str:
    """Say how many quanta a task has, and what became of them."""
    if found is None:
        return "none"
    others = {
        "failed": found.failed,
        "blocked": found.blocked,
        "unknown": found.unknown,
        "partial": found.partial,
    }
    rest = "".join(f", {number:,} {name}" for name, number in others.items() if number)
    return f"{found.successful:,} of {found.expected:,} done{rest}"


def _bad(found: QuantaCount | None) -> int:
    return found.expected - found.successful if found else 0


def _differ_in_templates(a: Comparable, b: Comparable) -> Iterator[Difference]:
    yield from _one_sided(a, b, Aspect.TEMPLATES, a.templates, b.templates)
    if a.templates is None or b.templates is None:
        return
    for one, other, what in (
        (a.templates, b.templates, "lost templates"),
        (b.templates, a.templates, "new templates"),
    ):
        if missing := sorted(one.keys() - other.keys()):
            yield Difference(
                aspect=Aspect.TEMPLATES,
                what=what,
                note=f"{len(missing):,} of {len(one):,}: "
                + list_examples(f"tract {tract} patch {patch} {band}" for tract, patch, band in missing),
                weight=len(missing),
            )
    both = a.templates.keys() & b.templates.keys()
    changes = [b.templates[key] - a.templates[key] for key in both if a.templates[key] != b.templates[key]]
    if changes:
        yield Difference(
            aspect=Aspect.TEMPLATES,
            what="depth of templates",
            note=f"{len(changes):,} of {len(both):,} differ, by {min(changes):+d} to {max(changes):+d} visits",
            weight=len(changes),
        )
