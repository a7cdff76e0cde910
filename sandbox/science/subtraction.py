"""Subtraction of a template from a science image, both of equal seeing, with decorrelated noise.

The sharper of the two is convolved (Alard & Lupton 1998, ApJ 503, 325). That correlates the noise, which is
decorrelated as by Reiss & Lupton (LSST DMTN-021, 2016).
"""

__all__ = ["subtract"]

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from ..exposure import MASKED, SATURATED, Exposure
from .matching import Matching, fit_matching
from .pixels import convolve, fill, grow
from .psf import width

type Floats = NDArray[np.float64]

_SPREAD = 3  # pixels


@dataclass(frozen=True)
class Subtraction:
    """A difference, and how it was made.

    Parameters
    ----------
    difference
        The difference image, nJy of the science image, with its own point-spread function.
    template
        What was subtracted.
    matching
        The kernel.
    convolved
        Which image was convolved, ``template`` or ``science``.
    """

    difference: Exposure
    template: Exposure
    matching: Matching
    convolved: str


def subtract(science: Exposure, template: Exposure, stars: NDArray[Any]) -> Subtraction | None:
    """Subtract a template from a science image on the same pixels.

    Parameters
    ----------
    science, template
        Both in nJy.
    stars
        Positions (x, y) of bright stars: [star, 2].

    Returns
    -------
    subtraction
        `None` if there are too few stars for a kernel.
    """
    good = science.good & template.good
    seen = np.isfinite(template.variance)
    exposures = {"science": science, "template": template}
    images = {"science": fill(science.image, science.good), "template": fill(template.image, template.good)}
    variances = {
        "science": science.variance.astype(float),
        "template": np.where(seen, template.variance, 0).astype(float),
    }
    both = variances["science"] + variances["template"]
    sharper, wider = "template", "science"
    if width(science.star) < width(template.star):
        sharper, wider = wider, sharper
    matching = fit_matching(images[sharper], images[wider], both, good, stars)
    if matching is None:
        return None
    convolved, noise = matching.apply(images[sharper]), matching.of_variance(variances[sharper])
    # The convolved image lacks light near its edges.
    weight = np.abs(matching.kernel)
    covered = convolve(((exposures[sharper].mask & MASKED) == 0).astype(float), weight) > 0.98 * weight.sum()
    # The light that a saturated pixel lacks is missing from its neighbours after the convolution.
    covered &= ~grow((exposures[sharper].mask & SATURATED) > 0, _SPREAD)
    good &= covered
    plain = {name: float(np.median(values[good])) for name, values in variances.items()}
    if sharper == "template":
        image, subtracted = images["science"] - convolved, convolved
        psf, unit = science.star, 1.0
    else:
        # The science image has been scaled to the template's brightness; scale it back.
        unit = 1 / matching.scale
        image, subtracted = (convolved - images["template"]) * unit, images["template"] * unit
        psf = convolve(science.star, matching.kernel) * unit
    white = _whitening(
        matching.kernel * unit ** (sharper == "science"), plain[sharper], plain[wider] * unit**2
    )
    variance = both if sharper == "template" else variances["science"] + variances["template"] * unit**2
    mask = (science.mask | template.mask | np.where(covered, 0, MASKED)).astype(np.uint8)
    difference = science.with_pixels(
        np.where(good, convolve(np.where(seen, image, 0), white), 0),
        np.where(good, variance, np.inf),
        mask=mask,
        # Not normalised: light outside the stamp must not make the rest brighter.
        psf=convolve(psf, white),
    )
    matched = template.with_pixels(
        np.where(seen, subtracted, 0), np.where(seen, noise, np.inf), psf=science.star if unit == 1 else psf
    )
    return Subtraction(difference, matched, matching, sharper)


def _whitening(kernel: Floats, convolved: float, other: float, reach: int = 12) -> Floats:
    """Return the kernel of unit sum that makes the noise of the difference white again.

    Parameters
    ----------
    kernel
        The kernel with which one image was convolved.
    convolved, other
        Variance of a pixel of that image before the convolution, and of the other one.
    """
    size = 64
    power = np.abs(scipy.fft.fft2(kernel, (size, size))) ** 2
    response = np.sqrt((convolved + other) / (convolved * power + other))
    response /= response[0, 0]
    stamp = scipy.fft.fftshift(scipy.fft.ifft2(response).real)
    middle = size // 2
    cut = slice(middle - reach, middle + reach + 1)
    white = stamp[cut, cut]
    return np.asarray(white / white.sum(), float)
