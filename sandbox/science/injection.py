"""Injection of point sources into an image: the point-spread function, at the noise that their light has."""

__all__ = ["inject_stars"]

import numpy as np
from numpy.typing import NDArray

from ..exposure import Exposure
from .psf import shifted

type Floats = NDArray[np.float64]


def inject_stars(
    exposure: Exposure, x: Floats, y: Floats, flux: Floats, rng: np.random.Generator
) -> tuple[Exposure, NDArray[np.bool_]]:
    """Add stars to a calibrated image.

    Parameters
    ----------
    exposure
        The image.
    x, y, flux
        Where they are (pixels), and how bright (nJy).
    rng
        Draws the noise of their light.

    Returns
    -------
    injected, drawn
        The image with them, and which of them have a pixel on it.
    """
    image, variance = exposure.image.astype(float), exposure.variance.astype(float)
    psf, gain = exposure.star, _variance_of_light(exposure)
    middle = psf.shape[0] // 2
    drawn = np.zeros(len(x), bool)
    for number, (column, row, light) in enumerate(zip(x, y, flux, strict=True)):
        left, low = round(column) - middle, round(row) - middle
        rows = slice(max(0, low), max(0, min(image.shape[0], low + psf.shape[0])))
        columns = slice(max(0, left), max(0, min(image.shape[1], left + psf.shape[1])))
        if rows.start >= rows.stop or columns.start >= columns.stop:
            continue
        stamp = light * shifted(psf, column - round(column), row - round(row))
        stamp = stamp[rows.start - low : rows.stop - low, columns.start - left : columns.stop - left]
        noise = gain * np.clip(stamp, 0, None)
        image[rows, columns] += stamp + rng.normal(size=stamp.shape) * np.sqrt(noise)
        variance[rows, columns] += noise
        drawn[number] = True
    return exposure.with_pixels(image, variance), drawn


def _variance_of_light(exposure: Exposure) -> float:
    """Find how much the variance of a pixel grows with its light, nJy: the slope of one against the other."""
    usable = exposure.good & np.isfinite(exposure.variance)
    light, noise = exposure.image[usable].astype(float), exposure.variance[usable].astype(float)
    if len(light) < 2 or not np.ptp(light) > 0:
        return 0.0
    return max(0.0, float(np.polyfit(light, noise, 1)[0]))
