"""Overlaps of footprints: which associations, to come or in the APDB, share sky, and which is earlier."""

__all__ = ["Overlaps", "find_late"]

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ..bps import Ordering
from .associations import VisitDetector
from .edges import find_overlapping_later, overlap_edges, serial_edges
from .footprints import read_begins, read_footprints


@dataclass(frozen=True)
class Overlaps:
    """Which associations share sky, and which of them are earlier.

    Parameters
    ----------
    pending
        The (visit, detector)s that are to be associated.
    stored
        Those that are in the APDB.
    footprints, ranks
        Of both, one after the other, as `apcampaign.ordering.footprints.read_footprints` returns them.
    """

    pending: tuple[VisitDetector, ...]
    stored: tuple[VisitDetector, ...]
    footprints: Sequence[npt.NDArray[np.int64]]
    ranks: Sequence[int]

    @classmethod
    def read(
        cls,
        butler: Any,
        instrument: str,
        pending: Collection[VisitDetector],
        stored: Collection[VisitDetector],
    ) -> Self:
        """Ask a Butler for the sky and the times of associations.

        What is pending counts as not stored: it is to be associated again.

        Raises
        ------
        RepositoryError
            If the repository has no region or no time for one of them.
        """
        to_come = tuple(sorted(pending))
        there = tuple(sorted(set(stored) - set(to_come)))
        footprints, ranks = read_footprints(butler, instrument, [*to_come, *there])
        return cls(to_come, there, footprints, ranks)

    def edges(
        self, ordering: Ordering, deferred: Mapping[VisitDetector, int]
    ) -> list[tuple[VisitDetector, VisitDetector]]:
        """Find which pending associations wait for which.

        Parameters
        ----------
        ordering
            Those of earlier visits on the same sky, or the one before.
        deferred
            Those that come after all others of their sky, in the order of their numbers.

        Returns
        -------
        edges
            Pairs: the second waits for the first.
        """
        turns = [
            deferred.get(key, 0) * len(self.ranks) + rank
            for key, rank in zip(self.pending, self.ranks, strict=False)
        ]
        if ordering is Ordering.TOTAL:
            found = serial_edges(
                [(turn, detector) for turn, (_, detector) in zip(turns, self.pending, strict=True)]
            )
        else:
            found = overlap_edges(self.footprints[: len(self.pending)], turns)
        return [(self.pending[parent], self.pending[child]) for parent, child in found]

    def find_behind(self) -> frozenset[VisitDetector]:
        """Find the pending associations that wait for another pending one of the same sky."""
        return frozenset(child for _, child in self.edges(Ordering.OVERLAP, {}))

    def find_late(self) -> dict[VisitDetector, VisitDetector]:
        """Find the pending associations that are earlier than a stored one of the same sky.

        Returns
        -------
        late
            Each with the latest stored one that overlaps it.
        """
        every = (*self.pending, *self.stored)
        done = [False] * len(self.pending) + [True] * len(self.stored)
        found = find_overlapping_later(self.footprints, self.ranks, done)
        return {every[early]: every[later] for early, later in found.items()}


def find_late(
    butler: Any, instrument: str, pending: Collection[VisitDetector], stored: Collection[VisitDetector]
) -> dict[VisitDetector, VisitDetector]:
    """Find what is to be associated and is earlier than a stored one of the same sky, as `Overlaps.find_late`.

    Only the sky of what is stored of later visits is asked for: in most cases none.

    Raises
    ------
    RepositoryError
        If the repository has no region or no time for one of them.
    """
    if not pending or not stored:
        return {}
    begins = read_begins(butler, instrument, {visit for visit, _ in (*pending, *stored)})
    first = min((begins.get(visit, float("-inf")), visit) for visit, _ in pending)
    later = [key for key in stored if (begins.get(key[0], float("inf")), key[0]) > first]
    return Overlaps.read(butler, instrument, pending, later).find_late() if later else {}
