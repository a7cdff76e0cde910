"""The removal of the instrument's signature: bias, gain, dark current, flat field, broken and full pixels.

The order of Rubin's ``lsst.ip.isr``; for the noise see e.g. Howell, Handbook of CCD Astronomy (2006), chapter 4.
"""

__all__ = ["remove_signature"]

import numpy as np
from scipy import ndimage

from ..exposure import BAD, SATURATED, Exposure
from .pixels import grow

_DEAD = 0.3  # of the light
_HOT = 20.0  # electrons a second


def remove_signature(
    raw: Exposure,
    bias: Exposure,
    dark: Exposure,
    flat: Exposure,
    gain: float,
    read_noise: float,
    saturation: float,
) -> Exposure:
    """Return an exposure in electrons, with its variance and a mask.

    Parameters
    ----------
    raw, bias
        Counts.
    dark
        Electrons a second.
    flat
        The part of the light that a pixel takes.
    gain, read_noise, saturation
        Electrons for each count; electrons; counts above the bias.
    """
    counts = raw.image.astype(float) - bias.image
    current = dark.image.astype(float) * raw.circumstances.exposure_time
    electrons = counts * gain
    share = np.maximum(flat.image.astype(float), 0.05)
    mask = raw.mask.copy()
    mask[(flat.image < _DEAD) | (dark.image > _HOT)] |= BAD
    # What spills over from a full pixel, and what a fit of its neighbours would suffer from.
    mask[grow(counts >= 0.97 * saturation, 2)] |= SATURATED
    # Of the light that is expected, not of what came by chance: else faint pixels would count more.
    expected = ndimage.gaussian_filter(electrons, 1.0, mode="nearest")
    variance = np.maximum(expected, 0) + read_noise**2
    return raw.with_pixels((electrons - current) / share, variance / share**2, mask=mask)
