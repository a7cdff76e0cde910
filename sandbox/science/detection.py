"""Detection and measurement of sources on a difference image.

A matched filter detects sources, and PSF photometry measures them (see `apcampaign.sandbox.science.psf`). The
residuals of bright stars exceed the noise of their light, since no kernel is perfect.
"""

__all__ = ["COLUMNS", "calibrated_variance", "detect", "measure_at"]

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..exposure import INEXACT, Exposure
from .pixels import peaks, scatter, significance
from .psf import fit_point, width

COLUMNS = (
    ("x", float),
    ("y", float),
    ("flux", float),
    ("flux_err", float),
    ("ap_flux", float),
    ("ap_flux_err", float),
    ("science_flux", float),
    ("science_flux_err", float),
    ("template_flux", float),
    ("template_flux_err", float),
    ("snr", float),
    ("chi2", float),
    ("sharpness", float),
    ("opposite", float),
    ("halo", float),
    ("glare", float),
    ("bad_fraction", float),
    ("inexact_fraction", float),
    ("converged", bool),
    ("negative", bool),
    ("psf_sigma", float),
    ("n_pixels", int),
)
"""The measurements of a source on a difference, with their types. ``sharpness``: significance of its brightest
pixel over that of the source; ``opposite``: the light of the opposite sign around it over its own; ``halo``: the
median pixel of a ring around it over the central pixel of the fit; ``glare``: the flux of the brightest star
around it, decreasing with distance, nJy; ``bad_fraction``: the fraction of a star's squared profile on pixels that
are not good or beyond the edge."""

_APERTURE = 2.5  # widths of a star
_AROUND, _CORE = 6, 3
_NEAR, _FAR, _FALL = 3.5, 14, 6.0  # pixels: range of a star's glare, and the length of its decrease


def calibrated_variance(difference: Exposure) -> Exposure:
    """Scale the variance so that the significance of empty sky scatters by one.

    After resampling and convolution it is wrong by a few percent.
    """
    found = significance(difference.image, difference.variance, difference.good, difference.star)
    spread = scatter(found[difference.good]) if difference.good.any() else 1.0
    return difference.with_pixels(difference.image, difference.variance * max(spread, 0.7) ** 2)


def detect(difference: Exposure, threshold: float) -> list[tuple[int, int, bool]]:
    """Return (x, y, negative?) of sources above a threshold of significance, in the order of y, then x."""
    found = significance(difference.image, difference.variance, difference.good, difference.star)
    separation = max(2, round(1.5 * width(difference.star)))
    places = [
        (x, y, negative)
        for negative in (False, True)
        for x, y in peaks(-found if negative else found, threshold, separation)
        if difference.good[y, x] or difference.good[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2].sum() >= 3
    ]
    return sorted(places, key=lambda place: (place[1], place[0]))


def measure_at(
    difference: Exposure,
    science: Exposure,
    template: Exposure,
    x: float,
    y: float,
    negative: bool,
    move: bool,
) -> dict[str, Any]:
    """Measure a point source of a difference, at a fixed place or at the fitted one; see `COLUMNS`."""
    sign, good = -1.0 if negative else 1.0, difference.good
    psf, sigma = difference.star, width(difference.star)
    fit = fit_point(difference.image, difference.variance, good, x, y, psf, move=move)
    on_science = fit_point(
        science.image, science.variance, science.good, fit.x, fit.y, science.star, move=False
    )
    seen = np.isfinite(template.variance)
    on_template = fit_point(template.image, template.variance, seen, fit.x, fit.y, template.star, move=False)
    aperture, aperture_error, number = _aperture(difference, fit.x, fit.y, _APERTURE * sigma)
    column, row = round(fit.x), round(fit.y)
    box: Any = np.s_[
        max(0, row - _AROUND) : row + _AROUND + 1, max(0, column - _AROUND) : column + _AROUND + 1
    ]
    core = np.s_[max(0, row - _CORE) : row + _CORE + 1, max(0, column - _CORE) : column + _CORE + 1]
    pixels = np.where(good[box], sign * difference.image[box], 0.0)
    noise = np.sqrt(np.where(good[box], difference.variance[box], np.inf))
    ratio = np.where(np.isfinite(noise), pixels / noise, 0.0)
    snr = sign * fit.flux / fit.error if fit.error else np.nan
    dy, dx = np.indices(ratio.shape)
    near = np.hypot(dx + box[1].start - fit.x, dy + box[0].start - fit.y) < 2.2 * sigma
    significant = (np.abs(ratio) > 2.5) & near
    light, shade = pixels[significant & (pixels > 0)].sum(), -pixels[significant & (pixels < 0)].sum()
    return {
        "x": fit.x,
        "y": fit.y,
        "flux": fit.flux,
        "flux_err": fit.error,
        "ap_flux": aperture,
        "ap_flux_err": aperture_error,
        "science_flux": on_science.flux,
        "science_flux_err": on_science.error,
        "template_flux": on_template.flux,
        "template_flux_err": on_template.error,
        "snr": snr,
        "chi2": fit.chi2,
        "sharpness": float(ratio.max() / snr) if ratio.size and snr > 0 else 0.0,
        "opposite": float(shade / light) if light > 0 else 1.0,
        "halo": _halo(difference, fit.x, fit.y, sigma) / (fit.flux * float(psf.max())) if fit.flux else 0.0,
        "glare": _glare(science, template, fit.x, fit.y),
        "bad_fraction": _lost(good, psf, column, row),
        "inexact_fraction": float(((difference.mask[core] & INEXACT) > 0).sum()) / (2 * _CORE + 1) ** 2,
        "converged": fit.converged,
        "negative": negative,
        "psf_sigma": sigma,
        "n_pixels": number,
    }


def _lost(good: NDArray[np.bool_], psf: NDArray[np.float64], column: int, row: int) -> float:
    """Return the fraction of a star's squared profile that is not on good pixels."""
    middle = psf.shape[0] // 2
    profile = np.square(psf[middle - _CORE : middle + _CORE + 1, middle - _CORE : middle + _CORE + 1])
    there = [np.arange(place - _CORE, place + _CORE + 1) for place in (row, column)]
    inside = [(index >= 0) & (index < size) for index, size in zip(there, good.shape, strict=True)]
    known = good[np.ix_(*(index[flags] for index, flags in zip(there, inside, strict=True)))]
    return 1 - float(profile[np.ix_(*inside)][known].sum() / profile.sum())


def _halo(image: Exposure, x: float, y: float, sigma: float) -> float:
    """Return the median of the pixels in a ring, where a point source has nearly no light."""
    reach = int(np.ceil(4.5 * sigma))
    low, left = max(0, round(y) - reach), max(0, round(x) - reach)
    box: Any = np.s_[low : round(y) + reach + 1, left : round(x) + reach + 1]
    ys, xs = np.indices(image.image[box].shape)
    radius = np.hypot(xs + left - x, ys + low - y) / sigma
    ring = image.image[box][(radius > 2.75) & (radius < 4.5) & image.good[box]]
    return float(np.median(ring)) if len(ring) > 8 else 0.0


def _glare(science: Exposure, template: Exposure, x: float, y: float) -> float:
    """Return the flux of the brightest star around a place (not at it), decreasing with distance."""
    low, left = max(0, round(y) - _FAR), max(0, round(x) - _FAR)
    box: Any = np.s_[low : round(y) + _FAR + 1, left : round(x) + _FAR + 1]
    # Where a star is saturated in one, the other may have more of its light.
    light = np.maximum(science.image[box] / science.star.max(), template.image[box] / template.star.max())
    ys, xs = np.indices(light.shape)
    radius = np.hypot(xs + left - x, ys + low - y)
    around = (radius > _NEAR) & (radius < _FAR)
    return float((light * np.exp(-radius / _FALL))[around].max(initial=0.0))


def _aperture(image: Exposure, x: float, y: float, radius: float) -> tuple[float, float, int]:
    """Return flux, error and number of pixels within a circle; pixels that are not good do not count."""
    reach = int(np.ceil(radius)) + 1
    low, left = max(0, round(y) - reach), max(0, round(x) - reach)
    box: Any = np.s_[low : round(y) + reach + 1, left : round(x) + reach + 1]
    ys, xs = np.indices(image.image[box].shape)
    inside: NDArray[np.bool_] = (np.hypot(xs + left - x, ys + low - y) <= radius) & image.good[box]
    flux = float(image.image[box][inside].sum())
    return flux, float(np.sqrt(image.variance[box][inside].sum())), int(inside.sum())
