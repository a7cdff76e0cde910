"""How long the association of a DC2-like survey takes with one order of visits and another: a simulation.

``python benchmarks/order_simulation.py [VISITS [SLOTS]]`` makes a dithered survey of VISITS visits of 189
detectors, computes the edges as `apcampaign submit` does, and lets SLOTS slots work on it: whoever is free takes
the job that became ready first, or the one with the longest way to the end behind it. Durations have a mean of
one, and the makespan is in such means. Then some associations fail for good, at random, and it counts what is not
associated. Prints tables in Markdown; docs/benchmarks.md has them.
"""

import heapq
import resource
import sys
import time

import numpy as np
from apcampaign.ordering.edges import overlap_edges
from apcampaign.ordering.footprints import LEVEL, find_pixels
from dc2_survey import make_survey, regions_of


class Graph:
    """Jobs and who waits for whom; jobs are numbered in an order in which they can be done."""

    def __init__(self, durations, edges):
        self.durations = durations
        pairs = np.array(edges, dtype=np.int64).reshape(-1, 2)
        self.waits = np.bincount(pairs[:, 1], minlength=len(durations))
        by_parent = np.argsort(pairs[:, 0], kind="stable")
        self.children = np.split(
            pairs[by_parent, 1], np.cumsum(np.bincount(pairs[:, 0], minlength=len(durations)))[:-1]
        )

    def way_to_the_end(self):
        """Return for each job how long it and the longest path behind it take."""
        ways = self.durations.copy()
        for job in range(len(ways) - 1, -1, -1):
            if len(self.children[job]):
                ways[job] += ways[self.children[job]].max()
        return ways

    def run(self, slots, priority):
        """Return when the last job ends; the ready one with the lowest number in ``priority`` is first."""
        waits = self.waits.copy()
        turn = 0
        ready = [
            (priority[job] if priority is not None else 0, job) for job in np.flatnonzero(waits == 0).tolist()
        ]
        heapq.heapify(ready)
        running: list[tuple[float, int]] = []
        now = 0.0
        while ready or running:
            while ready and len(running) < slots:
                _, job = heapq.heappop(ready)
                heapq.heappush(running, (now + float(self.durations[job]), job))
            now, job = heapq.heappop(running)
            for child in self.children[job]:
                waits[child] -= 1
                if not waits[child]:
                    turn += 1
                    heapq.heappush(ready, (priority[child] if priority is not None else turn, child))
        return now


def lose(failed, edges):
    """Find what is not associated if whatever waits for a failed association is not either."""
    lost = failed.copy()
    for parent, child in sorted(edges, key=lambda edge: edge[1]):
        lost[child] |= lost[parent]
    return lost


def print_losses(footprints, edges, ranks, visits, trials=3):
    """Print which part of the associations is not done after failures."""
    rng = np.random.default_rng(3)
    count = len(ranks)
    sizes = [len(pixels) for pixels in footprints]
    owners = np.repeat(np.arange(count), sizes)
    names, pixels = np.unique(np.concatenate(footprints), return_inverse=True)
    print()
    print(
        "| fail for good | hard edges | BPS, `noop` | BPS, groups | edges to go past | of these, miss a visit |"
    )
    print("|---|---|---|---|---|---|")
    for rate in (0.001, 0.005, 0.014):
        parts = []
        for _ in range(trials):
            failed = rng.random(count) < rate
            first = ranks[failed].min(initial=visits)
            # Those that are associated although an earlier one, somewhere on their sky, is not.
            earliest = np.full(len(names), visits)
            touched = failed[owners]
            np.minimum.at(earliest, pixels[touched], ranks[owners[touched]])
            without = np.zeros(count, dtype=bool)
            without[owners[earliest[pixels] < ranks[owners]]] = True
            parts.append(
                [
                    lose(failed, edges).mean(),
                    (failed | (ranks > first)).mean(),
                    failed.mean(),
                    (without & ~failed).mean(),
                ]
            )
        hard, noop, alone, without = np.mean(parts, axis=0)
        # Where an image fails rather than its association, a group waits for it, and all later groups for that.
        print(
            f"| {rate:.1%} | {hard:.1%} | {noop:.1%} | {alone:.1%} to {noop:.1%} | {alone:.1%} | {without:.1%} |"
        )


def main():
    visits, slots = [int(word) for word in (*sys.argv[1:], "1000", "2000")[:2]]
    corners = make_survey(visits)
    detectors = corners.shape[1]
    regions = regions_of(corners.reshape(-1, 4, 3))
    ranks = np.repeat(np.arange(visits), detectors)
    begin = time.process_time()
    footprints = find_pixels(regions)
    middle = time.process_time()
    edges = overlap_edges(footprints, ranks)
    end = time.process_time()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    count = len(footprints)
    seen = np.concatenate([pixels * visits + rank for pixels, rank in zip(footprints, ranks, strict=True)])
    _, depth = np.unique(np.unique(seen) // visits, return_counts=True)
    print(f"{visits} visits, {count:,} (visit, detector)s, {slots} slots; Q3C level {LEVEL}")
    print(
        f"footprints {middle - begin:.1f} s, edges {end - middle:.1f} s of processor time, peak {peak:.0f} MB"
    )
    print(f"{len(edges):,} edges, {len(edges) / count:.1f} a job")
    print(f"visits on a pixel: mean {depth.mean():.1f}, largest {depth.max()}")
    rng = np.random.default_rng(2)
    print()
    print("| durations | order | makespan | ÷ lower bound | overlap is faster by |")
    print("|---|---|---|---|---|")
    for name, sigma in (("equal", 0.0), ("log-normal, σ 0.3", 0.3), ("log-normal, σ 0.6", 0.6)):
        durations = np.exp(rng.normal(-sigma * sigma / 2, sigma, count))
        graph = Graph(durations, edges)
        ways = graph.way_to_the_end()
        bound = max(ways.max(), durations.sum() / slots)
        overlap = graph.run(slots, -ways)
        rows = {
            f"overlap (critical path {ways.max():.0f}, work ÷ slots {durations.sum() / slots:.0f})": overlap,
            "overlap, whoever was ready first": graph.run(slots, None),
            "one visit after another": durations.reshape(visits, -1).max(axis=1).sum(),
            "one (visit, detector) after another": durations.sum(),
        }
        for order, makespan in rows.items():
            print(
                f"| {name} | {order} | {makespan:,.0f} | {makespan / bound:,.2f} | {makespan / overlap:,.1f} × |"
            )
    print_losses(footprints, edges, ranks, visits)


if __name__ == "__main__":
    main()
