"""Astrometric and photometric calibration of an exposure: fits to the reference catalogue.

The matching votes on the offset between image and catalogue, a simple case of the pattern matching of
Valdes et al. (1995, PASP 107, 1119); the fit is that of a rigid motion (Kabsch 1976, Acta Cryst. A32, 922).
"""

__all__ = ["Astrometry", "Photometry", "fit_astrometry", "fit_photometry", "pair"]

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry import TangentWcs
from .pixels import scatter

type Floats = NDArray[np.float64]
type Integers = NDArray[np.int64]

_SEARCH, _BIN, _RADIUS = 12.0, 2.0, 1.5  # pixels
_FLOOR = 0.03  # pixels; of the catalogue
# Of the stars that could be on both lists; half of them agree in a good image, a tenth by chance in a wrong one.
_AGREEING = 0.25


@dataclass(frozen=True)
class Astrometry:
    """A fitted projection: the number of stars that agree with it, and their scatter (pixels along an axis)."""

    wcs: TangentWcs
    number: int
    scatter: float


@dataclass(frozen=True)
class Photometry:
    """The nJy per unit of the image, the number of stars, and their scatter (a fraction of the flux)."""

    factor: float
    number: int
    scatter: float


def pair(x: Floats, y: Floats, other_x: Floats, other_y: Floats, radius: float) -> Integers:
    """Return for each point the index of the nearest other one within a radius, or -1.

    Each other point is used once, the closest pairs first.
    """
    result = np.full(len(x), -1, np.int64)
    if not len(x) or not len(other_x):
        return result
    distance = np.hypot(np.asarray(x)[:, None] - other_x, np.asarray(y)[:, None] - other_y)
    mine, theirs = np.nonzero(distance <= radius)
    taken: set[int] = set()
    for index in np.argsort(distance[mine, theirs], kind="stable"):
        here, there = int(mine[index]), int(theirs[index])
        if result[here] < 0 and there not in taken:
            result[here] = there
            taken.add(there)
    return result


def fit_astrometry(
    x: Floats, y: Floats, error: Floats, wcs: TangentWcs, ra: Floats, dec: Floats
) -> Astrometry | None:
    """Shift and rotate a projection so that stars fall on those of a catalogue.

    Parameters
    ----------
    x, y
        Stars on the image, pixels.
    error
        Error of their positions along an axis, pixels.
    wcs
        The projection from the telescope's pointing; wrong by at most twelve pixels.
    ra, dec
        The catalogue, degrees.

    Returns
    -------
    astrometry
        `None` if fewer than three stars agree, or so few that they may by chance.
    """
    there_x, there_y = wcs.to_pixel(ra, dec)
    near = (
        (there_x > x.min() - 50)
        & (there_x < x.max() + 50)
        & (there_y > y.min() - 50)
        & (there_y < y.max() + 50)
    )
    ra, dec, there_x, there_y = ra[near], dec[near], there_x[near], there_y[near]
    dx, dy = (x[:, None] - there_x).ravel(), (y[:, None] - there_y).ravel()
    close = (np.abs(dx) < _SEARCH) & (np.abs(dy) < _SEARCH)
    if close.sum() < 3:
        return None
    dx, dy = dx[close], dy[close]
    votes = ((dx[:, None] - dx) ** 2 + (dy[:, None] - dy) ** 2 < _BIN**2).sum(axis=1)
    agreed = (dx - dx[votes.argmax()]) ** 2 + (dy - dy[votes.argmax()]) ** 2 < _BIN**2
    wcs = replace(wcs, x=wcs.x + float(np.median(dx[agreed])), y=wcs.y + float(np.median(dy[agreed])))
    for radius in (2 * _RADIUS, _RADIUS, _RADIUS):
        there_x, there_y = wcs.to_pixel(ra, dec)
        pairs = pair(x, y, there_x, there_y, radius)
        mine = np.flatnonzero(pairs >= 0)
        u, v, p, q = x[mine], y[mine], there_x[pairs[mine]], there_y[pairs[mine]]
        if len(mine) < 3:
            return None
        off = np.hypot(u - p - np.median(u - p), v - q - np.median(v - q))
        kept = off <= 3 * np.hypot(error[mine], _FLOOR)
        if kept.sum() < 3:
            kept = off <= np.sort(off)[2]
        weight = 1 / (error[mine][kept] ** 2 + _FLOOR**2)
        wcs = _moved(wcs, u[kept], v[kept], p[kept], q[kept], weight / weight.sum())
    there_x, there_y = wcs.to_pixel(ra, dec)
    inside = (there_x > x.min()) & (there_x < x.max()) & (there_y > y.min()) & (there_y < y.max())
    if kept.sum() < _AGREEING * min(len(x), int(inside.sum())):
        return None
    there_x, there_y = there_x[pairs[mine]], there_y[pairs[mine]]
    rest = np.concatenate([(u - there_x)[kept], (v - there_y)[kept]])
    return Astrometry(wcs, int(kept.sum()), scatter(rest))


def _moved(wcs: TangentWcs, u: Floats, v: Floats, p: Floats, q: Floats, weight: Floats) -> TangentWcs:
    """Return the projection after the rigid motion that fits (p, q) to (u, v)."""
    middle_p, middle_q, middle_u, middle_v = (float((weight * values).sum()) for values in (p, q, u, v))
    p, q, u, v = p - middle_p, q - middle_q, u - middle_u, v - middle_v
    angle = float(np.arctan2((weight * (p * v - q * u)).sum(), (weight * (p * u + q * v)).sum()))
    sine, cosine = np.sin(angle), np.cos(angle)
    x, y = wcs.x - middle_p, wcs.y - middle_q
    return replace(
        wcs,
        x=float(middle_u + cosine * x - sine * y),
        y=float(middle_v + sine * x + cosine * y),
        # Rotating the stars on the image one way is rotating the camera on the sky the other way.
        rotation=wcs.rotation - float(np.degrees(angle)),
    )


def fit_photometry(flux: NDArray[Any], error: NDArray[Any], reference: NDArray[Any]) -> Photometry | None:
    """Return the factor between instrumental and catalogue fluxes: a weighted mean around the densest ratio.

    Neighbours only add light, so the median of all stars would bias the zero point; the densest ratio is that of
    stars without neighbours.
    """
    ratio = np.asarray(reference / flux, float)
    noise = np.hypot(0.015, error / flux)
    sound = np.isfinite(ratio) & (ratio > 0)
    if sound.sum() < 3:
        return None
    ratio, noise = ratio[sound], noise[sound]
    density = (np.exp(-0.5 * ((ratio / ratio[:, None] - 1) / noise) ** 2) / noise).sum(axis=1)
    middle = float(ratio[density.argmax()])
    used = np.abs(ratio / middle - 1) < 2.5 * noise
    if used.sum() < 3:
        # They disagree by more than their noise.
        used = np.abs(ratio / middle - 1) <= np.sort(np.abs(ratio / middle - 1))[2]
    weight = 1 / noise[used] ** 2
    factor = float((weight * ratio[used]).sum() / weight.sum())
    return Photometry(factor, int(used.sum()), scatter(ratio[used] / factor))
