"""What it costs to find the order of visits: ``python benchmarks/order_scale.py [VISITS]``.

For a survey like DC2's, 530 visits of 189 detectors (100,170 (visit, detector)s) unless told otherwise, and some
sizes of pixels: time, peak memory, edges, and the critical path that comes of them. Each in a process of its own.
The last row also puts neighbouring detectors of one visit into an order, by number. Prints Markdown;
docs/benchmarks.md has it.
"""

import json
import resource
import subprocess
import sys
import time

import numpy as np


def measure(visits, level, within_visits):
    from apcampaign.ordering.edges import overlap_edges
    from apcampaign.ordering.footprints import find_pixels
    from dc2_survey import make_survey, regions_of

    corners = make_survey(visits)
    detectors = corners.shape[1]
    regions = regions_of(corners.reshape(-1, 4, 3))
    begin = time.process_time()
    footprints = find_pixels(regions, level)
    middle = time.process_time()
    ranks = np.repeat(np.arange(visits), detectors)
    edges = overlap_edges(footprints, np.arange(len(regions)) if within_visits else ranks)
    end = time.process_time()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    longest = np.ones(len(regions), dtype=np.int64)
    for parent, child in edges:  # in the order of children, which come after their parents
        longest[child] = max(longest[child], longest[parent] + 1)
    # How often a pixel was seen, by whatever detector.
    seen = np.unique(
        np.concatenate([pixels * visits + rank for pixels, rank in zip(footprints, ranks, strict=True)])
    )
    _, depth = np.unique(seen // visits, return_counts=True)
    return {
        "pixels": sum(map(len, footprints)) / len(footprints),
        "footprints": middle - begin,
        "edges": end - middle,
        "peak": peak,
        "count": len(edges) / len(footprints),
        "longest": int(longest.max()),
        "depth": (float(depth.mean()), int(depth.max())),
    }


def main():
    visits = int(sys.argv[1]) if len(sys.argv) > 1 else 530
    if len(sys.argv) > 2:
        print(json.dumps(measure(visits, int(sys.argv[2]), sys.argv[3] == "within")))
        return
    names = ("a footprint", "footprints, s", "edges, s", "peak, MB", "edges a job", "visits on a pixel")
    print(f"| pixels | {' | '.join(names)} | critical path |")
    print("|---|---|---|---|---|---|---|---|")
    for level, within in ((10, "not"), (11, "not"), (12, "not"), (11, "within")):
        words = [sys.executable, __file__, str(visits), str(level), within]
        row = json.loads(subprocess.run(words, stdout=subprocess.PIPE, check=True).stdout)
        name = f"level {level} ({90 * 60 / 2**level:.1f}′)" + (
            ", within visits too" if within == "within" else ""
        )
        mean, most = row["depth"]
        print(
            f"| {name} | {row['pixels']:.0f} | {row['footprints']:.1f} | {row['edges']:.1f} | {row['peak']:.0f} "
            f"| {row['count']:.1f} | {mean:.0f}, at most {most} | {row['longest']} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
