"""The arithmetic of the stand-in tasks: background, smoothing, peaks, centroids, fluxes, resampling."""

__all__ = [
    "background",
    "centroid",
    "footprint",
    "match",
    "peaks",
    "psf_flux",
    "psf_width",
    "resample",
    "smooth",
]

from typing import Any

import numpy as np
from apcampaign.sandbox.exposure import MASKED, Exposure
from apcampaign.sandbox.geometry import Box, TangentWcs, angular_separation
from numpy.typing import NDArray

type Floats = NDArray[np.float64]


def background(image: NDArray[Any], rounds: int = 5, clip: float = 3.0) -> tuple[float, float]:
    """Return level and noise of an image: mean and standard deviation after clipping at so many sigma."""
    values = image[np.isfinite(image)]
    level, noise = float(np.median(values)), float(np.std(values))
    for _ in range(rounds):
        kept = values[np.abs(values - level) < clip * noise]
        level, noise = float(np.mean(kept)), float(np.std(kept))
    return level, noise


def smooth(image: NDArray[Any], sigma: float) -> Floats:
    """Convolve with a Gaussian of unit sum; nothing lies beyond the edges."""
    if not sigma > 0.1:
        return np.asarray(image, float)
    reach = int(np.ceil(4 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    result = np.asarray(image, float)
    for axis in (0, 1):
        padding = [(reach, reach) if here == axis else (0, 0) for here in (0, 1)]
        padded = np.pad(result, padding)
        result = sum(
            weight * np.take(padded, range(shift, shift + result.shape[axis]), axis)
            for shift, weight in enumerate(kernel)
        )
    return result


def peaks(image: NDArray[Any], threshold: float, separation: int = 3) -> list[tuple[int, int]]:
    """Return (x, y) of pixels above a threshold that are the highest within so many pixels."""
    height, width = image.shape
    found = []
    for y, x in zip(*np.nonzero(image > threshold), strict=True):
        low, left = max(0, y - separation), max(0, x - separation)
        around = image[low : y + separation + 1, left : x + separation + 1]
        inside = separation <= x < width - separation and separation <= y < height - separation
        if inside and image[y, x] == around.max():
            found.append((int(x), int(y)))
    return found


def _stamp(image: NDArray[Any], x: float, y: float, reach: int) -> tuple[NDArray[Any], Floats, Floats]:
    height, width = image.shape
    left, low = max(0, round(x) - reach), max(0, round(y) - reach)
    right, high = min(width, round(x) + reach + 1), min(height, round(y) + reach + 1)
    ys, xs = np.mgrid[low:high, left:right]
    return image[low:high, left:right], xs - x, ys - y


def footprint(width: int, height: int, x: float, y: float) -> bool:
    """Tell whether a position is on an image of this size."""
    return -0.5 <= x < width - 0.5 and -0.5 <= y < height - 0.5


def centroid(image: NDArray[Any], x: float, y: float, sigma: float, rounds: int = 10) -> tuple[float, float]:
    """Improve the position of a point source: the mean under a Gaussian window that follows it."""
    x0, y0 = x, y
    for _ in range(rounds):
        stamp, dx, dy = _stamp(image, x, y, int(np.ceil(3 * sigma)))
        weight = stamp * np.exp(-0.5 * (dx**2 + dy**2) / sigma**2)
        total = weight.sum()
        if total == 0:
            break
        # The window's own width halves the step of a source that is as wide as the window.
        x, y = x + 2 * float((weight * dx).sum() / total), y + 2 * float((weight * dy).sum() / total)
        if abs(x - x0) > 2 or abs(y - y0) > 2:
            return x0, y0
    return x, y


def psf_flux(
    image: NDArray[Any], variance: NDArray[Any], x: float, y: float, sigma: float
) -> tuple[float, float]:
    """Return flux and error of a point source of known place and width, the best linear estimate."""
    stamp, dx, dy = _stamp(image, x, y, int(np.ceil(4 * sigma)))
    noise, _, _ = _stamp(variance, x, y, int(np.ceil(4 * sigma)))
    if stamp.size == 0:
        return float("nan"), float("nan")
    profile = np.exp(-0.5 * (dx**2 + dy**2) / sigma**2) / (2 * np.pi * sigma**2)
    good = np.isfinite(noise) & (noise > 0)
    if not good.any():
        return float("nan"), float("nan")
    profile, stamp, mean_noise = profile[good], stamp[good], float(np.mean(noise[good]))
    norm = float((profile**2).sum())
    return float((profile * stamp).sum()) / norm, float(np.sqrt(mean_noise / norm))


def psf_width(image: NDArray[Any], x: float, y: float, guess: float, rounds: int = 20) -> float:
    """Return the width (sigma) of a point source from its second moments under a matched window."""
    sigma = guess
    for _ in range(rounds):
        stamp, dx, dy = _stamp(image, x, y, int(np.ceil(3 * sigma)))
        weight = stamp * np.exp(-0.5 * (dx**2 + dy**2) / sigma**2)
        moment = float((weight * (dx**2 + dy**2)).sum() / weight.sum()) / 2
        # A product of two Gaussians: 1/moment = 1/source² + 1/window².
        inverse = 1 / moment - 1 / sigma**2 if moment > 0 else 0.0
        if not inverse > 0.02:
            return float("nan")
        sigma = float(np.clip(inverse**-0.5, 0.5, 6.0))
    return sigma


def resample(source: Exposure, wcs: TangentWcs, box: Box) -> Exposure:
    """Bring an exposure onto other pixels of the same scale, by cubic interpolation.

    A pixel whose neighbourhood is not wholly good in the source becomes `MASKED`.
    """
    ys, xs = np.mgrid[: box.height, : box.width]
    there_x, there_y = source.sky.to_pixel(*wcs.to_sky(xs, ys))
    whole_x, whole_y = np.floor(there_x).astype(int), np.floor(there_y).astype(int)
    height, width = source.image.shape
    inside = (whole_x >= 1) & (whole_x < width - 2) & (whole_y >= 1) & (whole_y < height - 2)
    whole_x, whole_y = np.where(inside, whole_x, 1), np.where(inside, whole_y, 1)
    weights_x = _cubic(np.where(inside, there_x - whole_x, 0))
    weights_y = _cubic(np.where(inside, there_y - whole_y, 0))
    image, bad = np.zeros(xs.shape), ~inside
    for row, weight_y in enumerate(weights_y):
        for column, weight_x in enumerate(weights_x):
            place = whole_y + row - 1, whole_x + column - 1
            image += weight_y * weight_x * source.image[place]
            bad |= source.mask[place] != 0
    variance = source.variance[whole_y, whole_x].astype(float)
    variance[bad], image[bad] = np.inf, 0.0
    return source.with_pixels(image, variance, mask=np.where(bad, MASKED, 0).astype(np.uint8), wcs=wcs)


def _cubic(part: Floats) -> list[Floats]:
    """Return the four weights of Catmull and Rom's interpolation at a fraction of a pixel."""
    return [
        ((2 - part) * part - 1) * part / 2,
        ((3 * part - 5) * part**2 + 2) / 2,
        ((4 - 3 * part) * part + 1) * part / 2,
        (part - 1) * part**2 / 2,
    ]


def match(
    ra: NDArray[Any], dec: NDArray[Any], other_ra: NDArray[Any], other_dec: NDArray[Any], radius: float
) -> NDArray[np.int64]:
    """Return for each position the index of the nearest other one within a radius (arcseconds), or -1.

    Each other position is given away once, the closest pairs first.
    """
    result = np.full(len(ra), -1, np.int64)
    if not len(ra) or not len(other_ra):
        return result
    distance = angular_separation(
        np.asarray(ra)[:, None], np.asarray(dec)[:, None], np.asarray(other_ra), np.asarray(other_dec)
    )
    taken: set[int] = set()
    for flat in np.argsort(distance, axis=None):
        mine, theirs = divmod(int(flat), distance.shape[1])
        if distance[mine, theirs] > radius:
            break
        if result[mine] < 0 and theirs not in taken:
            result[mine] = theirs
            taken.add(theirs)
    return result
