"""Point-spread function: its fit to stars, and its use for photometry and astrometry.

It is a stamp: an odd number of pixels square, a star in its middle, of unit sum. The model is linear, Gaussians
times polynomials, the basis in which Alard & Lupton (1998, ApJ 503, 325) write kernels; PSF photometry is the
best linear estimate for a source at a known place (e.g. Stetson 1987, PASP 99, 191).
"""

__all__ = ["REACH", "fit_point", "fit_psf", "hermite", "width"]

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

type Floats = NDArray[np.float64]
type Flags = NDArray[np.bool_]

REACH = 12
"""Pixels from the middle of a stamp to its edge."""
_SHAPES = ((0.85, 4), (1.5, 2), (3.0, 0))  # widths in units of the star's, and degrees of the polynomials
_RING = 9.0


def hermite(x: NDArray[Any], y: NDArray[Any], shapes: tuple[tuple[float, int], ...]) -> Floats:
    """Return Gaussians of several widths times all monomials up to a degree: [function, …pixels]."""
    functions = []
    for sigma, degree in shapes:
        u, v = x / sigma, y / sigma
        gaussian = np.exp(-0.5 * (u**2 + v**2))
        functions += [
            gaussian * u**i * v**j
            for order in range(degree + 1)
            for i in range(order + 1)
            for j in (order - i,)
        ]
    return np.array(functions)


def shifted(psf: Floats, dx: float, dy: float) -> Floats:
    """Return a stamp whose star is shifted from the middle by up to about a pixel."""
    return np.asarray(scipy.ndimage.shift(psf, (dy, dx), order=4, mode="constant"), float)


def width(psf: Floats) -> float:
    """Return the width (sigma of the Gaussian of the same effective area) of a point-spread function, pixels."""
    return float(np.sqrt(1 / (4 * np.pi * (psf**2).sum())))


@dataclass(frozen=True)
class Fit:
    """A fitted point source.

    Parameters
    ----------
    x, y
        Position, pixels.
    flux, error
        Flux and its standard error.
    chi2
        Chi squared per pixel of the core.
    converged
        Whether the position stayed near the start of the fit.
    """

    x: float
    y: float
    flux: float
    error: float
    chi2: float
    converged: bool


def _cut(shape: tuple[int, ...], x: int, y: int, reach: int) -> tuple[Any, Any]:
    """Return the part of an image that a stamp covers, and the corresponding part of the stamp."""
    height, width = shape
    low, high = max(0, y - reach), min(height, y + reach + 1)
    left, right = max(0, x - reach), min(width, x + reach + 1)
    there = slice(low, max(low, high)), slice(left, max(left, right))
    here = (
        slice(low - y + reach, max(low, high) - y + reach),
        slice(left - x + reach, max(left, right) - x + reach),
    )
    return there, here


def fit_point(
    image: NDArray[Any],
    variance: NDArray[Any],
    good: Flags,
    x: float,
    y: float,
    psf: Floats,
    move: bool = True,
    reach: int = 7,
    rounds: int = 8,
) -> Fit:
    """Fit the flux of a point source, and its position if it may move; only good pixels are used.

    A position that moves by more than three pixels is reset to the start. Without good pixels the flux
    is NaN.
    """
    middle = psf.shape[0] // 2
    begin, converged = (x, y), True
    for number in range(rounds if move else 1):
        column, row = round(x), round(y)
        there, here = _cut(image.shape, column, row, min(reach, middle))
        profile = shifted(psf, x - column, y - row)[middle - reach : middle + reach + 1][
            :, middle - reach : middle + reach + 1
        ]
        slope_y, slope_x = np.gradient(profile)
        usable = good[there]
        if usable.sum() < 6:
            return Fit(*begin, np.nan, np.nan, np.nan, False)
        # Equal weights, so that an imperfect model has the same relative error at every brightness.
        weight, noise = usable.astype(float), np.where(usable, variance[there], 0.0)
        pixels, model = np.where(usable, image[there], 0.0), profile[here]
        norm = float((weight * model**2).sum())
        if not norm > 0:
            return Fit(*begin, np.nan, np.nan, np.nan, False)
        flux = float((weight * model * pixels).sum()) / norm
        error = float(np.sqrt((noise * model**2).sum())) / norm
        if not move or not converged:
            break
        rest = pixels - flux * model
        design = np.array([model, -flux * slope_x[here], -flux * slope_y[here]])
        matrix = np.einsum("iyx,yx,jyx->ij", design, weight, design)
        try:
            _, dx, dy = np.linalg.solve(matrix, np.einsum("iyx,yx,yx->i", design, weight, rest))
        except np.linalg.LinAlgError:
            dx = dy = np.nan
        if not (np.isfinite(dx) and np.isfinite(dy)) or np.hypot(x + dx - begin[0], y + dy - begin[1]) > 3:
            # Measure again at the start.
            (x, y), converged = begin, False
            continue
        if number == rounds - 1 or np.hypot(dx, dy) < 1e-3:
            break
        step = min(1.0, 1.0 / max(np.hypot(dx, dy), 1e-9))
        x, y = x + step * dx, y + step * dy
    core = usable & (model > 0.1 * psf.max())
    chi2 = float(((pixels - flux * model) ** 2 / np.where(usable, noise, 1))[core].sum() / max(1, core.sum()))
    return Fit(float(x), float(y), flux, error, chi2, converged)


def fit_psf(
    image: NDArray[Any],
    variance: NDArray[Any],
    good: Flags,
    stars: NDArray[Any],
    others: NDArray[Any],
    sigma: float,
) -> tuple[Floats, Floats]:
    """Fit the point-spread function to stars.

    Parameters
    ----------
    image, variance, good
        Pixels without background.
    stars, others
        Positions (x, y) of the stars, bright and isolated, and of all other sources: [source, 2]. Pixels that are
        closer to another source are not used.
    sigma
        Their approximate width, pixels.

    Returns
    -------
    psf, used
        The stamp, and which stars agree with it.
    """
    grid_y, grid_x = np.mgrid[-REACH : REACH + 1, -REACH : REACH + 1].astype(float)
    shapes = tuple((factor * sigma, degree) for factor, degree in _SHAPES)
    psf = hermite(grid_x, grid_y, ((sigma, 0),))[0]
    psf /= psf.sum()
    places = [(float(x), float(y)) for x, y in stars]
    all_y, all_x = np.mgrid[: image.shape[0], : image.shape[1]]
    nearest = np.full(image.shape, np.inf)
    for x, y in others:
        np.minimum(nearest, np.hypot(all_x - x, all_y - y), out=nearest)
    used = np.ones(len(places), bool)
    for number in range(3):
        fits = [fit_point(image, variance, good, x, y, psf) for x, y in places]
        places = [(fit.x, fit.y) for fit in fits]
        fluxes, worth = np.array([fit.flux for fit in fits]), np.array([fit.chi2 for fit in fits])
        used = np.isfinite(fluxes) & (fluxes > 0) & np.array([fit.converged for fit in fits])
        if number:
            used &= worth < max(2.0, 3 * float(np.median(worth[used]))) if used.any() else False
        if used.sum() < 3:
            break
        functions, weights, values = [], [], []
        for (x, y), flux in zip(np.array(places)[used], fluxes[used], strict=True):
            there, here = _cut(image.shape, round(x), round(y), REACH)
            dx, dy = grid_x[here] - (x - round(x)), grid_y[here] - (y - round(y))
            radius = np.hypot(dx, dy)
            usable = good[there] & (radius < np.minimum(nearest[there] - 2, REACH))
            # Light of sources too faint to be detected; that of the star is negligible out there.
            ring = usable & (radius > _RING)
            around = float(np.median(image[there][ring])) if ring.sum() > 20 else 0.0
            functions.append(hermite(dx, dy, shapes)[:, usable])
            # All stars get the same weight where they are brighter than the sky.
            weights.append(1 / (variance[there][usable] / flux**2 + 1e-7))
            values.append(((image[there] - around) / flux)[usable])
        design, weight = np.concatenate(functions, axis=1), np.concatenate(weights)
        matrix = (design * weight) @ design.T
        vector = (design * weight) @ np.concatenate(values)
        scale = np.sqrt(np.diag(matrix))
        terms = np.linalg.lstsq(matrix / np.outer(scale, scale), vector / scale, rcond=1e-9)[0] / scale
        psf = np.einsum("i,iyx->yx", terms, hermite(grid_x, grid_y, shapes))
        psf *= np.hypot(grid_x, grid_y) < REACH
        psf /= psf.sum()
    return psf, used
