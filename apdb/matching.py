"""Matching of associations to the times that were read from an APDB, where it is unambiguous."""

__all__ = ["Association", "match_times"]

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import networkx as nx

from .findings import VisitDetector


@dataclass(frozen=True)
class Association:
    """The write of one (visit, detector).

    Parameters
    ----------
    times
        When it may have been written, MJD TAI, sorted: one time if it is certain, none if it wrote no
        version of a DiaObject.
    """

    times: tuple[float, ...]

    @property
    def time(self) -> float | None:
        """When it was written, if that is certain."""
        return self.times[0] if len(self.times) == 1 else None

    @property
    def ambiguous(self) -> bool:
        """Whether it is uncertain when it was written."""
        return len(self.times) > 1


def match_times(possible: Mapping[VisitDetector, Collection[float]]) -> dict[VisitDetector, float]:
    """Determine which image was associated at which time: each image at one time, one image at each time.

    Parameters
    ----------
    possible
        Images, and the times at which each may have been associated. Every image that may have been
        associated at one of these times must be among them.

    Returns
    -------
    certain
        The time of each image for which it is the same in every assignment of all the times.

    Notes
    -----
    The times are matched with the images. A pair can be exchanged for another if it is on an alternating cycle
    of the matching, or on an alternating path to an image without a time.
    """
    graph = nx.Graph()
    images = {key: ("image", key) for key in possible}
    graph.add_nodes_from(images.values())
    graph.add_edges_from((images[key], ("time", time)) for key, times in possible.items() for time in times)
    times = [node for node in graph if node[0] == "time"]
    matched = nx.bipartite.hopcroft_karp_matching(graph, times)
    if any(time not in matched for time in times):
        # More times than images: one was written twice.
        return {}
    ways = nx.DiGraph()
    ways.add_nodes_from(graph)
    for image in images.values():
        for time in graph[image]:
            ways.add_edge(*((image, time) if matched.get(image) == time else (time, image)))
    component = {node: i for i, nodes in enumerate(nx.strongly_connected_components(ways)) for node in nodes}
    loose: set[tuple[str, object]] = set()
    for image in images.values():
        if image not in matched and image not in loose:
            loose |= {image} | nx.ancestors(ways, image)
    return {
        key: float(matched[image][1])
        for key, image in images.items()
        if image in matched and matched[image] not in loose and component[image] != component[matched[image]]
    }
