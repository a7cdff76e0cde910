"""Operations on images: interpolating over bad pixels, convolving, resampling."""

__all__ = ["convolve", "fill", "grow", "peaks", "resample", "scatter", "significance"]

from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from ..exposure import MASKED, Exposure
from ..geometry import Box, TangentWcs

type Floats = NDArray[np.float64]
type Flags = NDArray[np.bool_]

_SPLINE = 5  # the order of the spline that images are resampled with


def scatter(values: NDArray[Any]) -> float:
    """Return a robust standard deviation: 1.4826 times the median absolute deviation."""
    return float(1.4826 * np.median(np.abs(values - np.median(values))))


def fill(image: NDArray[Any], good: Flags) -> Floats:
    """Replace pixels that are not good by a mean of the good ones around, weighted by proximity.

    This keeps interpolation and convolution next to them from ringing. Zero where no good pixel is near.
    """
    result = np.where(good, image, 0.0).astype(float)
    missing = ~good
    for sigma in (1.0, 3.0):
        if not missing.any():
            break
        weight = scipy.ndimage.gaussian_filter(
            np.where(missing, 0.0, 1.0), sigma, mode="constant", truncate=3
        )
        total = scipy.ndimage.gaussian_filter(
            np.where(missing, 0.0, result), sigma, mode="constant", truncate=3
        )
        near = missing & (weight > 0.02)
        result[near] = total[near] / weight[near]
        missing = missing & ~near
    return result


def grow(flags: Flags, pixels: int) -> Flags:
    """Set the flags of all pixels within a distance of one that is set."""
    if not pixels or not flags.any():
        return flags
    return np.asarray(scipy.ndimage.maximum_filter(flags, 2 * pixels + 1))


def convolve(image: NDArray[Any], kernel: NDArray[Any]) -> Floats:
    """Convolve an image with a small odd kernel; the image is zero beyond its edges."""
    shape = [
        scipy.fft.next_fast_len(size + extra - 1, real=True)
        for size, extra in zip(image.shape, kernel.shape, strict=True)
    ]
    product = scipy.fft.rfft2(image, shape) * scipy.fft.rfft2(kernel, shape)
    whole = scipy.fft.irfft2(product, shape)
    low, left = kernel.shape[0] // 2, kernel.shape[1] // 2
    return np.asarray(whole[low : low + image.shape[0], left : left + image.shape[1]], float)


def significance(image: NDArray[Any], variance: NDArray[Any], good: Flags, psf: Floats) -> Floats:
    """Return the significance (sigma) of a point source in the middle of each pixel.

    The matched filter (e.g. Zackay & Ofek 2017, ApJ 836, 187); pixels that are not good have no weight.
    """
    weight = np.where(good, 1 / np.where(good, variance, 1.0), 0.0)
    # A correlation, hence the reversed filter.
    turned = psf[::-1, ::-1]
    norm = convolve(weight, turned**2)
    usable = norm > 0.3 * np.median(norm)
    signal = convolve(weight * np.where(good, image, 0.0), turned)
    return np.where(usable, signal / np.sqrt(np.where(usable, norm, 1.0)), 0.0)


def peaks(image: NDArray[Any], threshold: float, separation: int = 2) -> list[tuple[int, int]]:
    """Return (x, y) of pixels above a threshold that are the highest within a distance, highest first."""
    highest = image == scipy.ndimage.maximum_filter(image, 2 * separation + 1, mode="constant", cval=-np.inf)
    ys, xs = np.nonzero(highest & (image > threshold))
    order = np.lexsort((xs, ys, -image[ys, xs]))
    return [(int(xs[index]), int(ys[index])) for index in order]


def resample(source: Exposure, wcs: TangentWcs, box: Box) -> Exposure:
    """Resample an exposure to other pixels of the same scale, by spline interpolation.

    Splines of order five preserve the noise at low frequencies, and with it the variance. A new pixel has
    the mask of the old ones around it; beyond the source it is `MASKED`.
    """
    ys, xs = np.mgrid[: box.height, : box.width]
    x, y = source.sky.to_pixel(*wcs.to_sky(xs, ys))
    height, width = source.image.shape
    inside = (x >= 1) & (x <= width - 2) & (y >= 1) & (y <= height - 2)
    places = np.array([np.where(inside, y, 0), np.where(inside, x, 0)])
    filled = fill(source.image, source.good)
    image = scipy.ndimage.map_coordinates(filled, places, order=_SPLINE, mode="mirror")
    variance = np.where(np.isfinite(source.variance), source.variance, 0).astype(float)
    variance = scipy.ndimage.map_coordinates(variance, places, order=1, mode="nearest")
    mask = np.zeros(xs.shape, np.uint8)
    for bit in (1, 2, 4, 8, 16):
        flags = (source.mask & bit) > 0
        if flags.any():
            near = scipy.ndimage.map_coordinates(flags.astype(float), places, order=1, mode="nearest") > 0.1
            mask[near] |= bit
    mask[~inside] = MASKED
    return source.with_pixels(
        np.where(inside, image, 0), np.where(inside, variance, np.inf), mask=mask, wcs=wcs
    )
