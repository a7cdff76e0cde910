"""Instrument signature removal: bias, gain, dark current, flat field, bad and saturated pixels.

The order of Rubin's ``lsst.ip.isr``; for the noise see e.g. Howell, Handbook of CCD Astronomy (2006), chapter 4.
"""

__all__ = ["remove_signature"]

import numpy as np
import scipy

from ..exposure import BAD, SATURATED, Exposure
from .pixels import grow

_DEAD = 0.3  # of the light
_HOT = 20.0  # electrons per second


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
        Electrons per second.
    flat
        The fraction of the light that a pixel registers.
    gain, read_noise, saturation
        Electrons per count; electrons; counts above the bias.
    """
    counts = raw.image.astype(float) - bias.image
    current = dark.image.astype(float) * raw.circumstances.exposure_time
    electrons = counts * gain
    share = np.maximum(flat.image.astype(float), 0.05)
    mask = raw.mask.copy()
    mask[(flat.image < _DEAD) | (dark.image > _HOT)] |= BAD
    # With the neighbours, which get light from a full pixel and would spoil a fit.
    mask[grow(counts >= 0.97 * saturation, 2)] |= SATURATED
    # From the expected light, not from the noisy one: otherwise faint pixels would get more weight.
    expected = scipy.ndimage.gaussian_filter(electrons, 1.0, mode="nearest")
    variance = np.maximum(expected, 0) + read_noise**2
    return raw.with_pixels((electrons - current) / share, variance / share**2, mask=mask)
