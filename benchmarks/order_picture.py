"""A picture of a small sky and the order of its visits: ``python benchmarks/order_picture.py [FILE]``."""

import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
from apcampaign.ordering.edges import overlap_edges
from apcampaign.ordering.footprints import find_pixels
from apcampaign.sandbox.focalplane import LSST
from dc2_survey import project, regions_of

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.patches import FancyArrowPatch, Polygon

# Arcminutes from the middle of the picture to where each visit points; the last sees other sky.
POINTINGS = ((0, 0), (17, 6), (-3, 13), (15, -11), (68, -2))
RAFT = [detector for detector in LSST if detector.raft == "R22" and detector.sensor < "S20"]
DEC = np.radians(-36.4)


def main():
    target = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[1] / "docs" / "ordering.svg")
    offsets = np.radians(np.array(POINTINGS) / 60)
    rotation = np.radians([0, 4, -7, 12, 3])
    corners = project(offsets[:, 0] / np.cos(DEC), DEC + offsets[:, 1], rotation, RAFT)
    flat = corners.reshape(-1, 4, 3)
    ranks = np.repeat(np.arange(len(POINTINGS)), len(RAFT))
    edges = overlap_edges(find_pixels(regions_of(flat)), ranks)
    # A plane is good enough for a degree of sky.
    x = np.degrees(np.arctan2(flat[..., 1], flat[..., 0])) * np.cos(DEC) * 60
    y = (np.degrees(np.arcsin(flat[..., 2])) - np.degrees(DEC)) * 60
    mpl.rcParams["svg.hashsalt"] = "apcampaign"
    figure, axes = plt.subplots(figsize=(10, 4.6))
    colours = plt.get_cmap("viridis")(np.linspace(0.05, 0.9, len(POINTINGS)))
    for i, rank in enumerate(ranks):
        shape = np.stack([x[i], y[i]], -1)
        axes.add_patch(Polygon(shape, facecolor=(*colours[rank][:3], 0.12), edgecolor=colours[rank], lw=1.2))
    middle = np.stack([x.mean(axis=1), y.mean(axis=1)], -1)
    for parent, child in edges:
        colour = colours[ranks[child]]
        arrow = FancyArrowPatch(
            middle[parent],
            middle[child],
            color=colour,
            arrowstyle="-|>",
            mutation_scale=9,
            shrinkA=4,
            shrinkB=4,
            lw=1,
        )
        axes.add_patch(arrow)
    for visit, colour in enumerate(colours):
        axes.plot(*middle[ranks == visit].T, "o", color=colour, ms=5, label=f"visit {visit + 1}")
    axes.set(aspect="equal", xlabel="arcminutes", ylabel="arcminutes")
    axes.set_title(
        f"{len(ranks)} associations, {len(edges)} edges: each arrow ends at the one that waits", fontsize=10
    )
    axes.legend(loc="upper right", fontsize=8, frameon=False, title="in time", title_fontsize=8)
    axes.autoscale_view()
    figure.tight_layout()
    figure.savefig(target, metadata={"Date": None})


if __name__ == "__main__":
    main()
