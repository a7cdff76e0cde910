"""Depths: the magnitudes at which a share of injected sources is found, from a fit to each source."""

__all__ = ["SHARES", "Depth", "find_depths"]

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SHARES = (0.5, 0.9)
"""The shares whose depths are found."""
_LEAST = 20  # sources; fewer tell nothing
_NARROWEST, _WIDEST = 0.02, 2.0  # magnitudes
_PLATEAU = 0.999  # above which it is no free parameter: nothing is lost among the bright ones

type Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Depth:
    """The magnitude at which a share of the injected sources is found.

    Parameters
    ----------
    share
        The share.
    magnitude
        Where it is; `None` if it is not known.
    error
        Its standard error; `None` if it is not known.
    why
        Why there is none, or what limits it.
    """

    share: float
    magnitude: float | None = None
    error: float | None = None
    why: str = ""


def find_depths(magnitudes: Floats, found: npt.NDArray[np.bool_]) -> tuple[Depth, ...]:
    r"""Find the depths for `SHARES`, of one band.

    Parameters
    ----------
    magnitudes, found
        Of each injected source, and whether it was found.

    Notes
    -----
    The share of sources found is fitted as :math:`a / (1 + \exp((m - m_0) / w))`, by maximum likelihood of the
    single sources: a constant share :math:`a` of bright ones (the rest is lost to masks and missing templates),
    which falls within a width :math:`w` about :math:`m_0`. The errors follow from the Fisher information. A depth
    beyond the magnitudes that were injected is not extrapolated.
    """
    if len(magnitudes) < _LEAST:
        return _none(f"{len(magnitudes)} injected sources are too few")
    faintest = float(magnitudes.max())
    if found.all():
        return _none(f"all are found, down to the faintest injected one ({faintest:.2f} mag)")
    if not found.any():
        return _none("none is found")
    plateau, middle, width = _fit(magnitudes, found)
    covariance = _covariance(magnitudes, plateau, middle, width)
    return tuple(
        _find(share, (plateau, middle, width), covariance, float(magnitudes.min()), faintest)
        for share in SHARES
    )


def _none(why: str) -> tuple[Depth, ...]:
    return tuple(Depth(share=share, why=why) for share in SHARES)


def _shares(magnitudes: Floats, plateau: float, middle: float, width: float) -> Floats:
    from scipy.special import expit

    return np.asarray(plateau * expit((middle - magnitudes) / width), float)


def _slopes(magnitudes: Floats, plateau: float, middle: float, width: float) -> Floats:
    """Give the derivatives of the shares by the parameters."""
    expected = _shares(magnitudes, plateau, middle, width)
    part = expected / plateau
    by_middle = expected * (1 - part) / width
    return np.array([part, by_middle, by_middle * (magnitudes - middle) / width])


def _fit(magnitudes: Floats, found: npt.NDArray[np.bool_]) -> tuple[float, float, float]:
    from scipy.optimize import minimize

    def loss(parameters: Floats) -> tuple[float, Floats]:
        expected = np.clip(_shares(magnitudes, *parameters), 1e-9, 1 - 1e-9)
        error = (found - expected) / (expected * (1 - expected))
        chance = np.where(found, expected, 1 - expected)
        return -float(np.log(chance).sum()), -_slopes(magnitudes, *parameters) @ error

    bounds = ((0.01, 1.0), (magnitudes.min() - 2, magnitudes.max() + 2), (_NARROWEST, _WIDEST))
    # From several places: a narrow fall has a likelihood with steps.
    starts = [(0.95, float(np.percentile(magnitudes, percent)), 0.3) for percent in (25, 50, 75)]
    fits = [minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds) for start in starts]
    plateau, middle, width = min(fits, key=lambda fit: float(fit.fun)).x
    return float(plateau), float(middle), float(width)


def _covariance(magnitudes: Floats, plateau: float, middle: float, width: float) -> Floats | None:
    """Invert the Fisher information; `None` if the data do not constrain the parameters."""
    expected = _shares(magnitudes, plateau, middle, width)
    slopes = _slopes(magnitudes, plateau, middle, width)
    weight = 1 / np.clip(expected * (1 - expected), 1e-9, None)
    information = np.einsum("in,n,jn->ij", slopes, weight, slopes)
    free = [0, 1, 2] if plateau <= _PLATEAU else [1, 2]
    if width <= _NARROWEST:
        free.remove(2)
    within = np.ix_(free, free)
    try:
        inverse = np.linalg.inv(information[within])
    except np.linalg.LinAlgError:
        return None
    covariance = np.zeros((3, 3))
    covariance[within] = inverse
    return covariance if (np.diag(covariance) >= 0).all() and np.isfinite(covariance).all() else None


def _find(
    share: float,
    parameters: tuple[float, float, float],
    covariance: Floats | None,
    brightest: float,
    faintest: float,
) -> Depth:
    plateau, middle, width = parameters
    if plateau <= share:
        return Depth(share=share, why=f"only {plateau:.0%} of the bright ones are found")
    odds = plateau / share - 1
    magnitude = middle + width * math.log(odds)
    if magnitude > faintest:
        return Depth(share=share, why=f"beyond the faintest injected one ({faintest:.2f} mag)")
    if magnitude < brightest:
        return Depth(share=share, why=f"brighter than the brightest injected one ({brightest:.2f} mag)")
    error = None
    if covariance is not None:
        slope = np.array([width / (odds * share), 1.0, math.log(odds)])
        error = float(math.sqrt(max(0.0, slope @ covariance @ slope)))
    return Depth(share=share, magnitude=magnitude, error=error)
