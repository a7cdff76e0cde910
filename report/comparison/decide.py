"""Decision of a comparison: in what two sides differ, the most important first. Asks nobody."""

__all__ = ["compare"]

from collections.abc import Iterator
from dataclasses import replace

from ...common.progress import show_progress
from ...common.text import count
from .catalogues import compare_objects, compare_sources
from .comparison import Comparison
from .model import Aspect, Comparable, Tolerances, Unread
from .origins import differ_in_origins
from .results import differ_in_results


def compare(a: Comparable, b: Comparable, tolerances: Tolerances | None = None) -> Comparison:
    """Compare two campaigns, or two submissions.

    Parameters
    ----------
    a, b
        The two sides, as `ComparableReader` reads them.
    tolerances
        What counts as the same.
    """
    tolerances = tolerances or Tolerances()
    if a.name == b.name:
        a, b = replace(a, name=f"{a.name} (A)"), replace(b, name=f"{b.name} (B)")
    sources = objects = None
    if a.sources is not None and b.sources is not None:
        with show_progress("matching DiaSources"):
            sources = compare_sources(a.sources, b.sources, tolerances)
    if a.objects is not None and b.objects is not None:
        with show_progress("matching DiaObjects"):
            objects = compare_objects(a.objects, b.objects, tolerances)
    found = [
        *differ_in_results(a, b, sources, objects, tolerances),
        *differ_in_origins(a, b, tolerances),
    ]
    order = list(Aspect)
    found.sort(key=lambda each: (not each.counts, order.index(each.aspect), -each.weight))
    return Comparison(
        a=a,
        b=b,
        tolerances=tolerances,
        differences=tuple(found),
        unread=tuple(
            replace(each, side=side.name) for side in (a, b) for each in (*side.unread, *_find_unended(side))
        ),
        sources=sources,
        objects=objects,
    )


def _find_unended(side: Comparable) -> Iterator[Unread]:
    """Tell of quanta that have not run yet, or were killed: what becomes of them is not known."""
    if unknown := sum(found.unknown for found in side.quanta.values()):
        yield Unread(Aspect.QUANTA, f"{count(unknown, 'quantum')} left no record, or not yet")
