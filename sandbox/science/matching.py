"""PSF-matching kernel, which makes the stars of one image look like those of another.

Alard & Lupton (1998, ApJ 503, 325): a sum of Gaussians times polynomials, fitted by linear least squares around
bright stars together with a differential background. The kernel is constant over the image, as the
point-spread function of the small detectors is.
"""

__all__ = ["Matching", "fit_matching", "match_psf"]

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .pixels import convolve
from .psf import hermite

type Floats = NDArray[np.float64]
type Flags = NDArray[np.bool_]

_REACH = 10
# Widths in pixels and degrees, as Rubin's ip_diffim has them.
_SHAPES = ((0.7, 4), (1.5, 2), (3.0, 2))
_STAMP = 10  # pixels around a star
_ROUNDS = 4
# No kernel is more accurate than this fraction of the light: otherwise the few brightest stars would dominate, or
# be taken for variables.
_TOLERANCE = 0.02


@dataclass(frozen=True)
class Matching:
    """The kernel and background that match one image to another.

    Parameters
    ----------
    kernel
        The kernel to convolve with.
    background
        What to add afterwards: in the middle, and the changes along x and along y from edge to edge.
    used
        Which of the stars agree with the fit.
    chi2
        Chi squared of a pixel around them.
    """

    kernel: Floats
    background: Floats
    used: Flags
    chi2: float

    @property
    def scale(self) -> float:
        """The sum of the kernel: the factor by which a star becomes brighter."""
        return float(self.kernel.sum())

    def apply(self, image: NDArray[Any]) -> Floats:
        """Return the image matched to the other one."""
        plane = np.einsum("i,iyx->yx", self.background, _planes(image.shape))
        return np.asarray(convolve(image, self.kernel) + plane, float)

    def of_variance(self, variance: NDArray[Any]) -> Floats:
        """Return the variance of the convolved image, if the noise of neighbouring pixels was independent."""
        return convolve(variance, self.kernel**2)


def _functions() -> Floats:
    y, x = np.mgrid[-_REACH : _REACH + 1, -_REACH : _REACH + 1].astype(float)
    functions = hermite(x, y, _SHAPES)
    return functions / np.abs(functions).sum(axis=(1, 2), keepdims=True)


def _planes(shape: tuple[int, ...]) -> Floats:
    y, x = np.mgrid[: shape[0], : shape[1]]
    return np.array([np.ones(shape), x / shape[1] - 0.5, y / shape[0] - 0.5])


def _solve(matrix: Floats, vector: Floats, cut: float = 1e-8) -> Floats:
    scale = np.sqrt(np.maximum(np.diag(matrix), 1e-300))
    return np.asarray(
        np.linalg.lstsq(matrix / np.outer(scale, scale), vector / scale, rcond=cut)[0] / scale, float
    )


def fit_matching(
    image: NDArray[Any], target: NDArray[Any], variance: NDArray[Any], good: Flags, stars: NDArray[Any]
) -> Matching | None:
    """Fit kernel and background.

    Parameters
    ----------
    image
        The image to be convolved, the sharper one, without gaps.
    target
        The image to match.
    variance
        Variance of their difference.
    good
        Where the difference can be used.
    stars
        Positions (x, y) of bright stars: [star, 2].

    Returns
    -------
    matching
        `None` if fewer than three stars can be used.
    """
    functions, height, width = _functions(), *image.shape
    layers = [convolve(image, function) for function in functions] + list(_planes(image.shape))
    boxes = []
    for x, y in stars:
        column, row = round(float(x)), round(float(y))
        inside = _STAMP <= column < width - _STAMP and _STAMP <= row < height - _STAMP
        box = np.s_[row - _STAMP : row + _STAMP + 1, column - _STAMP : column + _STAMP + 1]
        boxes.append(box if inside and good[box].mean() > 0.8 else None)
    used = np.array([box is not None for box in boxes], bool)
    cuts = {
        index: (
            np.array([layer[box][good[box]] for layer in layers]),
            target[box][good[box]].astype(float),
            1 / (variance[box] + np.square(_TOLERANCE * target[box]))[good[box]],
        )
        for index, box in enumerate(boxes)
        if box is not None
    }
    terms, chi2 = np.zeros(len(layers)), np.nan
    for number in range(_ROUNDS):
        if used.sum() < 3:
            return None
        matrix, vector = np.zeros((len(layers),) * 2), np.zeros(len(layers))
        for index in np.flatnonzero(used).tolist():
            design, values, weight = cuts[index]
            matrix += (design * weight) @ design.T
            vector += (design * weight) @ values
        terms = _solve(matrix, vector)
        worth = np.full(len(boxes), np.inf)
        for place, (design, values, weight) in cuts.items():
            worth[place] = float((weight * (values - terms @ design) ** 2).mean())
        chi2 = float(np.median(worth[used]))
        if number < _ROUNDS - 1:
            # Variable stars do not fit.
            used &= worth < max(1.5 * chi2, 1.5)
    kernel = np.einsum("i,iyx->yx", terms[: len(functions)], functions)
    return Matching(kernel, terms[len(functions) :], used, chi2)


def match_psf(psf: Floats, target: Floats) -> Floats:
    """Return the kernel of unit sum that turns one point-spread function into another."""
    functions = _functions()
    layers = np.array([convolve(psf, function).ravel() for function in functions])
    terms = _solve(layers @ layers.T, layers @ target.ravel(), cut=1e-5)
    kernel = np.einsum("i,iyx->yx", terms, functions)
    return np.asarray(kernel / kernel.sum(), float)
