"""Matching of two catalogues on the sky: one to one, the closest pairs first."""

__all__ = ["Pairs", "match_positions"]

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

_ARCSECONDS = 3600 * 180 / np.pi


@dataclass(frozen=True, eq=False)
class Pairs:
    """The rows of two catalogues that belong together.

    Parameters
    ----------
    a, b
        Places of the rows in the two catalogues; each row occurs at most once. In the order of the first one.
    separation
        How far they are apart, arcseconds.
    """

    a: "np.typing.NDArray[np.intp]"
    b: "np.typing.NDArray[np.intp]"
    separation: "np.typing.NDArray[np.float64]"


def match_positions(a: "pd.DataFrame", b: "pd.DataFrame", radius: float, *, by: Sequence[str] = ()) -> Pairs:
    """Match the rows of two catalogues by position.

    Rows that are each other's nearest neighbours belong together; those that are left are then matched in the same
    way, until no two are within the radius. This takes all pairs in the order of their separations.

    Parameters
    ----------
    a, b
        The catalogues, with ``ra`` and ``dec`` (degrees). Rows without a position match nothing.
    radius
        The largest separation, arcseconds.
    by
        Columns of whole numbers in which rows that belong together must agree, such as ``visit`` and ``detector``.

    Notes
    -----
    The search is for neighbours of unit vectors. What rows must agree in is one more coordinate, so that one tree
    serves all images.
    """
    from scipy.spatial import KDTree

    groups_a, groups_b = _number_groups(a, b, by)
    rows_a, points_a = _points(a, groups_a)
    rows_b, points_b = _points(b, groups_b)
    if not len(rows_a) or not len(rows_b):
        nothing = np.empty(0, np.intp)
        return Pairs(nothing, nothing, np.empty(0))
    trees = [KDTree(points, balanced_tree=False, compact_nodes=False) for points in (points_a, points_b)]
    chord = 2 * np.sin(min(radius / _ARCSECONDS, np.pi) / 2)
    near = trees[0].sparse_distance_matrix(trees[1], chord, output_type="ndarray")
    i, j = near["i"].astype(np.intp), near["j"].astype(np.intp)
    order = np.lexsort((j, i, near["v"]))
    chosen = order[_take_closest(i[order], j[order], len(rows_a), len(rows_b))]
    chosen = chosen[np.argsort(i[chosen])]
    separation = 2 * np.arcsin(near["v"][chosen] / 2) * _ARCSECONDS
    return Pairs(rows_a[i[chosen]], rows_b[j[chosen]], separation)


def _number_groups(a: "pd.DataFrame", b: "pd.DataFrame", by: Sequence[str]) -> tuple[Any, Any]:
    """Number the combinations of values, alike in both catalogues."""
    numbers = np.zeros(len(a) + len(b), np.int64)
    for name in by:
        _, codes = np.unique(np.concatenate([a[name], b[name]]), return_inverse=True)
        _, numbers = np.unique(numbers * (codes.max(initial=0) + 1) + codes, return_inverse=True)
    return numbers[: len(a)], numbers[len(a) :]


def _points(frame: "pd.DataFrame", groups: Any) -> tuple[Any, Any]:
    """Give the places of the rows that have a position, and their unit vectors with the group as a fourth axis."""
    ra, dec = (np.radians(frame[name].to_numpy(float)) for name in ("ra", "dec"))
    rows = np.flatnonzero(np.isfinite(ra) & np.isfinite(dec))
    ra, dec = ra[rows], dec[rows]
    # Groups are farther from each other than any two points of the sphere.
    vectors = (np.cos(ra) * np.cos(dec), np.sin(ra) * np.cos(dec), np.sin(dec), 3.0 * groups[rows])
    return rows, np.column_stack(vectors)


def _take_closest(i: Any, j: Any, size_i: int, size_j: int) -> Any:
    """Take pairs in the order in which they are, but for those of which a row is taken already."""
    left = np.arange(len(i))
    free_i, free_j = np.ones(size_i, bool), np.ones(size_j, bool)
    taken = []
    while len(left):
        first_i, first_j = np.zeros(len(left), bool), np.zeros(len(left), bool)
        first_i[np.unique(i[left], return_index=True)[1]] = True
        first_j[np.unique(j[left], return_index=True)[1]] = True
        mutual = left[first_i & first_j]
        taken.append(mutual)
        free_i[i[mutual]] = free_j[j[mutual]] = False
        left = left[free_i[i[left]] & free_j[j[left]]]
    return np.concatenate(taken) if taken else left
