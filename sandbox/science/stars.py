"""Background, detection and measurement of the sources of one exposure.

Background and extraction are those of SExtractor (Bertin & Arnouts 1996, A&AS 117, 393), in the library SEP
(Barbary 2016, JOSS 1, 58).
"""

__all__ = ["STAR_COLUMNS", "Stars", "measure_stars", "subtract_background"]

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy
import sep
from numpy.typing import NDArray

from ..exposure import SATURATED, Exposure
from .pixels import grow, peaks, scatter, significance
from .psf import fit_point, fit_psf, hermite

type Floats = NDArray[np.float64]

STAR_COLUMNS = ("x", "y", "flux", "flux_err", "snr", "chi2", "psf_used", "pointlike", "lonely")
_MESH = 48  # pixels
_SKY_ROUNDS, _STANDS_OUT, _AROUND_FULL = 2, 5.0, 12  # sigma; pixels
_MOST_MASKED = 0.8  # of an image: with more, too little of the sky is left
_ROUGH_SIGMA = 1.7
_MOST, _LONELY = 40, 9.0  # stars for the point-spread function, and pixels to their nearest neighbour


@dataclass(frozen=True)
class Stars:
    """The sources of an exposure, the brightest first.

    Parameters
    ----------
    columns
        An array for each of `STAR_COLUMNS`; positions in pixels, fluxes in the exposure's unit.
    psf
        The point-spread function.
    """

    columns: dict[str, NDArray[Any]]
    psf: Floats

    def __len__(self) -> int:
        return len(self.columns["x"])


def subtract_background(exposure: Exposure) -> tuple[Exposure, float]:
    """Return an exposure without the light of the sky, and its mean level.

    Bright pixels are masked and the sky is measured again (as Rubin's calibration does with its detections):
    otherwise the light around the brightest stars would count as sky.
    """
    image = np.ascontiguousarray(exposure.image, np.float64)
    full = grow((exposure.mask & SATURATED) > 0, _AROUND_FULL) | ~exposure.good
    # Equal cells; a narrow one at the edge would have few pixels of sky.
    height, width = (int(np.ceil(size / max(1, round(size / _MESH)))) for size in image.shape)
    background = sep.Background(image, mask=full, bw=width, bh=height)
    for _ in range(_SKY_ROUNDS):
        rest = np.where(exposure.good, image - background.back(), 0.0)
        smooth = scipy.ndimage.gaussian_filter(rest, _ROUGH_SIGMA)
        mask = full | grow(smooth > _STANDS_OUT * scatter(smooth[exposure.good]), 3)
        if mask.mean() > _MOST_MASKED:
            break
        background = sep.Background(image, mask=mask, bw=width, bh=height)
    return exposure.with_pixels(image - background.back(), exposure.variance), float(background.globalback)


def measure_stars(exposure: Exposure, threshold: float) -> Stars | None:
    """Find point sources in an exposure without background, and measure the point-spread function.

    Parameters
    ----------
    exposure
        An exposure in any unit.
    threshold
        Detection threshold, sigma of a source.

    Returns
    -------
    stars
        `None` if there are too few to measure the point-spread function.
    """
    image = np.ascontiguousarray(exposure.image, np.float64)
    variance, good = exposure.variance.astype(float), exposure.good
    grid_y, grid_x = np.mgrid[-7:8, -7:8].astype(float)
    rough = hermite(grid_x, grid_y, ((_ROUGH_SIGMA, 0),))[0]
    found = peaks(significance(image, variance, good, rough / rough.sum()), threshold)
    if len(found) < 3:
        return None
    xs, ys = np.array(found, float).T
    distance = np.hypot(xs[:, None] - xs, ys[:, None] - ys) + np.where(np.eye(len(xs)), np.inf, 0)
    whole = np.array([_whole(exposure, x, y) for x, y in zip(xs, ys, strict=True)])
    bright = np.flatnonzero(whole & (distance.min(axis=1) > _LONELY))[:_MOST]
    if len(bright) < 3:
        return None
    # Galaxies are wide, and a source much narrower than the others is not a star either.
    size = np.array([_size(image, x, y) for x, y in zip(xs[bright], ys[bright], strict=True)])
    typical = float(np.percentile(size, 35))
    bright = bright[(size > 0.8 * typical) & (size < 1.25 * typical)]
    sigma = float(np.clip(typical, 0.8, 4.0))
    where, others = np.array(found, float), np.setdiff1d(np.arange(len(found)), bright)
    psf, used = fit_psf(image, variance, good, where[bright], where[others], sigma)
    if used.sum() < 3:
        return None
    fits = [fit_point(image, variance, good, x, y, psf) for x, y in zip(xs, ys, strict=True)]
    columns: dict[str, NDArray[Any]] = {
        name: np.array([getattr(fit, attribute) for fit in fits])
        for name, attribute in (
            ("x", "x"),
            ("y", "y"),
            ("flux", "flux"),
            ("flux_err", "error"),
            ("chi2", "chi2"),
        )
    }
    columns["snr"] = columns["flux"] / columns["flux_err"]
    columns["psf_used"] = np.zeros(len(fits), bool)
    columns["psf_used"][bright[used]] = True
    columns["pointlike"] = np.array([fit.converged for fit in fits]) & whole & _pointlike(columns)
    columns["lonely"] = _lonely(columns["x"], columns["y"], columns["flux"])
    fine = np.isfinite(columns["flux"]) & (columns["snr"] > 3)
    return Stars({name: column[fine] for name, column in columns.items()}, psf)


def _lonely(x: Floats, y: Floats, flux: Floats) -> NDArray[np.bool_]:
    """Tell which sources have no neighbour close and bright enough to change their flux by a few percent."""
    distance = np.hypot(x[:, None] - x, y[:, None] - y)
    matters = np.abs(flux) * np.exp(-np.maximum(distance - _LONELY / 2, 0) / 2) > 0.02 * np.abs(flux)[:, None]
    np.fill_diagonal(matters, False)
    return ~(matters & (distance < 2 * _LONELY)).any(axis=1)


def _size(image: NDArray[Any], x: float, y: float, rounds: int = 15) -> float:
    """Return the width of a source: second moments in a Gaussian window of matched width.

    Bernstein & Jarvis (2002, AJ 123, 583), section 3, for a round window.
    """
    sigma, column, row = _ROUGH_SIGMA, round(x), round(y)
    reach = min(7, column, row, image.shape[1] - 1 - column, image.shape[0] - 1 - row)
    dy, dx = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(float)
    stamp = image[row - reach : row + reach + 1, column - reach : column + reach + 1]
    for _ in range(rounds):
        weight = stamp * np.exp(-0.5 * (dx**2 + dy**2) / sigma**2)
        total = float(weight.sum())
        moment = float((weight * (dx**2 + dy**2)).sum()) / 2 / total if total > 0 else 0.0
        # For the product of two Gaussians: 1/moment = 1/source² + 1/window².
        inverse = 1 / moment - 1 / sigma**2 if moment > 0 else 0.0
        sigma = float(np.clip(inverse**-0.5, 0.6, 5.0)) if inverse > 0.04 else 5.0
    return sigma


def _whole(exposure: Exposure, x: float, y: float, reach: int = 6) -> bool:
    """Tell whether a source is far from edges and has no bad pixel in its core."""
    column, row = round(x), round(y)
    height, width = exposure.image.shape
    if not (reach <= column < width - reach and reach <= row < height - reach):
        return False
    core = exposure.mask[row - 2 : row + 3, column - 2 : column + 3]
    around = exposure.mask[row - reach : row + reach + 1, column - reach : column + reach + 1]
    return not core.any() and not (around & SATURATED).any()


def _pointlike(columns: dict[str, NDArray[Any]]) -> NDArray[np.bool_]:
    """Tell which sources are stars: those whose fit leaves little, compared with the noise and the light."""
    # The model may be wrong by some percent of the light.
    allowed = 2.0 + (0.03 * columns["snr"]) ** 2 / 8
    return np.asarray(columns["chi2"] < allowed)
