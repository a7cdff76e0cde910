"""The order of visits: which association must wait for which, and no other.

Association must see a patch of sky in time order. Two (visit, detector) need an order only if their
footprints share sky; here: at least one pixel of a common pixelisation. On each pixel an association waits
for those of the visit before it there; what comes before that one it waits for anyway. So the number of
edges grows with the number of footprints, not with the depth of the sky.
"""

__all__ = ["order_edges"]

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def order_edges(
    footprints: Sequence[npt.NDArray[np.int64]], ranks: Sequence[int] | npt.NDArray[np.int64]
) -> list[tuple[int, int]]:
    """Find which footprints must wait for which.

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
    # From here on a node is a place in time order, so that parents have smaller numbers than children.
    node = np.repeat(np.arange(count), [len(footprints[i]) for i in by_time])
    pixel = np.concatenate([footprints[i] for i in by_time]) if count else np.empty(0, dtype=np.int64)
    turn = rank[by_time][node]
    order = np.lexsort((node, turn, pixel))
    node, pixel, turn = node[order], pixel[order], turn[order]
    # A group is one visit on one pixel: nearly always one or two detectors.
    starts = np.flatnonzero(np.r_[True, (np.diff(pixel) != 0) | (np.diff(turn) != 0)]) if len(node) else node
    ends = np.r_[starts[1:], len(node)]
    follows = np.flatnonzero(pixel[starts[1:]] == pixel[starts[:-1]]) + 1 if len(starts) else starts
    parents: list[npt.NDArray[np.int64]] = []
    children: list[npt.NDArray[np.int64]] = []
    for size_before in np.unique(ends[follows - 1] - starts[follows - 1]):
        for size in np.unique(ends[follows] - starts[follows]):
            chosen = follows[
                (ends[follows - 1] - starts[follows - 1] == size_before)
                & (ends[follows] - starts[follows] == size)
            ]
            for before in range(size_before):
                for after in range(size):
                    parents.append(node[starts[chosen - 1] + before])
                    children.append(node[starts[chosen] + after])
    if not parents:
        return []
    # One number a pair: sorting numbers is far faster than sorting rows.
    keys = np.unique(np.concatenate(children) * count + np.concatenate(parents))
    pairs = np.stack(np.divmod(keys, count), axis=1)
    return [(int(by_time[parent]), int(by_time[child])) for parent, child in _reduce(pairs, count)]


def _reduce(pairs: npt.NDArray[np.int64], count: int) -> list[tuple[int, int]]:
    """Leave out the edges that follow from others; ``pairs`` are (child, parent), sorted."""
    kept: list[list[int]] = [[] for _ in range(count)]
    bounds = np.searchsorted(pairs[:, 0], np.arange(count + 1))
    for child in np.unique(pairs[:, 0]):
        candidates = pairs[bounds[child] : bounds[child + 1], 1][::-1].tolist()
        earliest = candidates[-1]
        reached: set[int] = set()
        for parent in candidates:  # the latest first: only a later one can make an earlier one needless
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
