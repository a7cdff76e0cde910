"""What goes wrong in an unkind survey, image by image, as it does on the real sky and on real clusters.

What is wrong with a whole survey is its layout (`apcampaign.sandbox.survey`) and its reference catalogue
(`apcampaign.sandbox.repository`).
"""

__all__ = ["Flaw", "draw_flaws"]

from collections.abc import Iterable, Mapping
from enum import StrEnum

import numpy as np


class Flaw(StrEnum):
    """What is wrong with the image of a detector.

    ``cloudy``: it shows no stars, so that its point-spread function cannot be measured. ``lost``: the
    projection in its header is so wrong that its stars are not found in the catalogue. ``crowded``: it can be
    calibrated, with more memory than images usually take.
    """

    CLOUDY = "cloudy"
    LOST = "lost"
    CROWDED = "crowded"


def draw_flaws(images: Iterable[tuple[int, int]], rate: float, seed: int) -> Mapping[tuple[int, int], Flaw]:
    """Draw which images are flawed.

    Parameters
    ----------
    images
        All (visit, detector)s.
    rate
        The fraction of them that each flaw has; one of each kind at least, unless it is 0.
    seed
        Random seed.

    Returns
    -------
    flaws
        No image has two; the first kinds come first where there are too few images.
    """
    images = sorted(images)
    if not rate:
        return {}
    number = max(1, round(rate * len(images)))
    order = np.random.default_rng([seed, 9]).permutation(len(images))
    kinds = [flaw for flaw in Flaw for _ in range(number)]
    return {images[place]: flaw for place, flaw in zip(order, kinds, strict=False)}
