"""Associations that were made after others of the same sky, and so were built on them."""

__all__ = ["find_built_on"]

from collections.abc import Collection, Iterable

from ..bps import Ordering
from ..common.butler import open_butler
from .associations import VisitDetector
from .overlaps import Overlaps


def find_built_on(
    repository: str, instrument: str, first: Iterable[VisitDetector], known: Collection[VisitDetector]
) -> frozenset[VisitDetector]:
    """Find the associations that were built on some others: later ones of the same sky, and those on them.

    Parameters
    ----------
    repository
        The Butler repository, which knows the regions and times.
    instrument
        Name of the instrument.
    first
        The (visit, detector)s of the others.
    known
        All (visit, detector)s that were associated.

    Raises
    ------
    RepositoryError
        If the repository has no region or no time for one of them.
    """
    begun = set(first)
    with open_butler(repository, "the order of visits cannot be found") as butler:
        overlaps = Overlaps.read(butler, instrument, begun | set(known), ())
    children: dict[VisitDetector, list[VisitDetector]] = {}
    for before, after in overlaps.edges(Ordering.OVERLAP, {}):
        children.setdefault(before, []).append(after)
    found: set[VisitDetector] = set()
    front = list(begun)
    while front:
        new = set(children.get(front.pop(), ())) - found
        found |= new
        front += new
    return frozenset(found - begun)
