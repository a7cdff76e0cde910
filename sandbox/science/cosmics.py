"""Cosmic rays: found by the Laplacian of the image (L.A.Cosmic, van Dokkum 2001, PASP 113, 1420; astroscrappy)."""

__all__ = ["flag_cosmic_rays"]

import astroscrappy
import numpy as np

from ..exposure import COSMIC_RAY, Exposure
from .pixels import fill


def flag_cosmic_rays(exposure: Exposure, gain: float = 1.0) -> Exposure:
    """Return an exposure with cosmic rays masked and their pixels filled in; it must include the background."""
    good = exposure.good
    filled = fill(exposure.image, good).astype(np.float32)
    found, _ = astroscrappy.detect_cosmics(
        filled,
        inmask=~good,
        invar=np.where(good, exposure.variance, np.median(exposure.variance)).astype(np.float32),
        gain=gain,
        satlevel=np.inf,
        sigclip=5.0,
        sigfrac=0.3,
        objlim=4.0,
        niter=4,
        cleantype="meanmask",
        psfmodel="gauss",
    )
    mask = exposure.mask.copy()
    mask[found] |= COSMIC_RAY
    return exposure.with_pixels(fill(exposure.image, mask == 0), exposure.variance, mask=mask)
