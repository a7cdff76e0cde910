"""Edges between associations: which waits for which (pure: footprints in, pairs out).

Association must see a patch of sky in time order. Two (visit, detector) need an order only if their
footprints share sky; here: at least one pixel of a common pixelisation. On each pixel an association waits
for those of the visit before it there; what comes before that one it waits for anyway. So the number of
edges grows with the number of footprints, not with the depth of the sky.
"""

__all__ = ["find_overlapping_later", "overlap_edges", "serial_edges"]

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

_BLOCK = 500_000


def overlap_edges(
    footprints: Sequence[npt.NDArray[np.int64]], ranks: Sequence[int] | npt.NDArray[np.int64]
) -> list[tuple[int, int]]:
    """Find which footprints wait for which.

    Parameters
    ----------
    footprints
        For each (visit, detector) the pixels it touches, each once.
    ranks
        For each (visit, detector) its visit's place in time; detectors of one visit have the same, and do
        not wait for each other.

    Returns
    -------
    edges
        Pairs of positions in ``footprints``: the second waits for the first. Reduced: no pair that follows
        from others.
    """
    count = len(footprints)
    rank = np.asarray(ranks, dtype=np.int64)
    by_time = np.argsort(rank, kind="stable")
    if not sum(map(len, footprints)):
        return []
    # From here on a node is a place in time order, so that parents have smaller numbers than children. One
    # number a pair, of pixel and node or of child and parent: sorting numbers is far faster than sorting rows.
    touched = np.concatenate([footprints[i] * count + place for place, i in enumerate(by_time)])
    touched.sort()
    keys = np.empty(0, dtype=np.int64)
    begin = 0
    while begin < len(touched):
        # A block ends where a pixel does, so that a pixel is seen whole; memory does not grow with the survey.
        end = min(begin + _BLOCK, len(touched))
        end = int(np.searchsorted(touched, (touched[end - 1] // count + 1) * count))
        pixel, node = np.divmod(touched[begin:end], count)
        keys = np.union1d(keys, _neighbours(pixel, node, rank[by_time[node]], count))
        begin = end
    pairs = np.stack(np.divmod(keys, count), axis=1)
    return [(int(by_time[parent]), int(by_time[child])) for parent, child in _reduce(pairs, count)]


def _neighbours(
    pixel: npt.NDArray[np.int64], node: npt.NDArray[np.int64], turn: npt.NDArray[np.int64], count: int
) -> npt.NDArray[np.int64]:
    """Pair the nodes of each turn on a pixel with those of the turn before: ``child * count + parent``."""
    # A group is one visit on one pixel: nearly always one or two detectors.
    starts = np.flatnonzero(np.r_[True, (np.diff(pixel) != 0) | (np.diff(turn) != 0)])
    sizes = np.diff(np.r_[starts, len(node)])
    follows = np.flatnonzero(pixel[starts[1:]] == pixel[starts[:-1]]) + 1
    found = [np.empty(0, dtype=np.int64)]
    for before in range(int(sizes.max())):
        for after in range(int(sizes.max())):
            chosen = follows[(sizes[follows - 1] > before) & (sizes[follows] > after)]
            found.append(node[starts[chosen] + after] * count + node[starts[chosen - 1] + before])
    return np.unique(np.concatenate(found))


def serial_edges(ranks: Sequence[tuple[int, ...]]) -> list[tuple[int, int]]:
    """Let each wait for the one before, in the order of their ranks, whatever sky they see."""
    by_time = sorted(range(len(ranks)), key=ranks.__getitem__)
    return list(pairwise(by_time))


def find_overlapping_later(
    footprints: Sequence[npt.NDArray[np.int64]],
    ranks: Sequence[int] | npt.NDArray[np.int64],
    done: Sequence[bool] | npt.NDArray[np.bool_],
) -> dict[int, int]:
    """Find the footprints on whose sky a later visit has already been associated.

    Parameters
    ----------
    footprints, ranks
        As for `overlap_edges`.
    done
        Which have been associated.

    Returns
    -------
    later
        Position of one that is not done → position of the latest visit done that shares sky with it.
    """
    latest: dict[int, int] = {}
    by_time = sorted((i for i, ended in enumerate(done) if ended), key=ranks.__getitem__)
    for i in by_time:
        latest.update(dict.fromkeys(footprints[i].tolist(), i))
    found: dict[int, int] = {}
    for i, ended in enumerate(done):
        if not ended:
            rivals = {latest[pixel] for pixel in footprints[i].tolist() if pixel in latest}
            rival = max(rivals, key=ranks.__getitem__, default=i)
            if ranks[rival] > ranks[i]:
                found[i] = rival
    return found


def _reduce(pairs: npt.NDArray[np.int64], count: int) -> list[tuple[int, int]]:
    """Leave out the edges that follow from others; ``pairs`` are (child, parent), sorted."""
    kept: list[list[int]] = [[] for _ in range(count)]
    bounds = np.searchsorted(pairs[:, 0], np.arange(count + 1))
    for child in np.unique(pairs[:, 0]):
        candidates = pairs[bounds[child] : bounds[child + 1], 1][::-1].tolist()
        earliest = candidates[-1]
        reached: set[int] = set()
        for parent in candidates:  # the latest first: only a later one can make an earlier one redundant
            if parent in reached:
                continue
            kept[child].append(parent)
            front = [parent]
            while front:
                for ancestor in kept[front.pop()]:
                    if ancestor >= earliest and ancestor not in reached:
                        reached.add(ancestor)
                        front.append(ancestor)
    return [(parent, child) for child in range(count) for parent in kept[child]]
