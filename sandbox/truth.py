"""What a perfect survey would find: a row for each changing source and detector that looked at it.

The fluxes are those of the simulation. ``template_flux`` is what an ideal template holds of the source: the mean,
weighted as the coaddition weights, over the template visits that saw the place; nothing for what is seen in one
visit only, which a clipped coadd leaves out. ``difference`` and ``snr`` follow: what a difference image should
show, and how significant that is there: the noise is that of all the light that falls on the place, of the sky,
the source, and the stars and galaxies around, in the image and in the template.
"""

__all__ = ["TRUTH_FILE", "make_truth", "read_truth"]

from collections import defaultdict
from pathlib import Path
from typing import Any

import galsim
import numpy as np
import pandas as pd

from ..common.errors import SandboxError
from .camera import FULL_WELL, NJY_PER_ELECTRON, Electronics, draw_light
from .sky import KINDS, Sky
from .survey import Visit

TRUTH_FILE = "truth.parquet"
"""The table's name in the folder of a sandbox."""

_BLEND = 2.0  # widths of a star: nearer together, two are one
_EDGE = 12.0  # pixels; nearer to the edge a source is not whole
_CORE = 6.0  # pixels; a template that ends nearer lacks a part of the source
_LASTING = ("variable", "supernova")
_SELECTED = 6  # at least so many visits, the best in seeing, go into a template


def make_truth(sky: Sky) -> pd.DataFrame:
    """Return the table.

    Returns
    -------
    truth
        ``id`` and ``kind`` of the source; ``visit``, ``detector``, ``band``, ``mjd``; ``ra``, ``dec`` (degrees),
        ``x``, ``y`` (pixels); ``flux``, ``template_flux``, ``difference`` and its ``error`` (nJy), ``snr``;
        ``usable``: whether it is far from the edges, with a template under all of its core (nearer to the edge of
        a template than its kernel reaches, no survey has a difference), alone, and not in the light of a star
        that is too bright for the camera.
    """
    survey = sky.survey
    fluxes = {visit.id: sky.changing(visit) for visit in survey.visits}
    chosen: dict[tuple[int, str], list[Visit]] = defaultdict(list)
    for visit in sorted(survey.template_visits, key=lambda visit: visit.seeing):
        if len(chosen[visit.tract, visit.band]) < _SELECTED:
            chosen[visit.tract, visit.band].append(visit)
    variances = {visit.id: _variance(sky, visit) for visit in survey.visits}
    parts = []
    for visit in survey.science_visits:
        now = fluxes[visit.id]
        lasting = np.isin(now.kind, [KINDS.index(kind) for kind in _LASTING])
        looks = np.zeros(len(now.id), int)
        total, held = np.zeros(len(now.id)), np.zeros(len(now.id))
        for template in chosen[visit.tract, visit.band]:
            inside = _seen(sky, template, now.ra, now.dec)
            looks += inside
            seen = inside / variances[template.id]
            total += seen
            held[lasting] += (seen * _of_same(fluxes[template.id], now))[lasting]
        template_flux = held / np.maximum(total, 1e-300)
        difference = now.flux - template_flux
        scale = NJY_PER_ELECTRON / visit.transparency
        noise = variances[visit.id] + np.where(total > 0, 1 / np.maximum(total, 1e-300), 0)
        hidden = _hidden(sky, visit, now.ra, now.dec)
        for detector in survey.size.detectors:
            x, y = survey.detector_wcs(visit, detector).to_pixel(now.ra, now.dec)
            box = survey.detector_box
            # A template's light has noise as well, the less the more visits it is made of.
            light = (
                draw_light(sky, visit, detector)
                * scale
                * (1 + 1 / max(1, len(chosen[visit.tract, visit.band])))
            )
            error = _errors(light, x, y, noise, visit.seeing)
            on = (x > -0.5) & (x < box.width - 0.5) & (y > -0.5) & (y < box.height - 0.5)
            whole = (
                (x > _EDGE)
                & (x < box.width - 1 - _EDGE)
                & (y > _EDGE)
                & (y < box.height - 1 - _EDGE)
                & (looks >= min(2, len(chosen[visit.tract, visit.band])))
                & (total > 0)
                & ~hidden
                & ~_blended(x, y, np.abs(difference), error, _BLEND * visit.seeing / 0.2)
            )
            columns: dict[str, Any] = {
                "id": now.id,
                "kind": np.array(KINDS)[now.kind],
                "visit": visit.id,
                "detector": detector,
                "band": visit.band,
                "mjd": visit.mjd,
                "ra": now.ra,
                "dec": now.dec,
                "x": x,
                "y": y,
                "flux": now.flux,
                "template_flux": template_flux,
                "difference": difference,
                "error": error,
                "snr": np.abs(difference) / error,
                "usable": whole,
            }
            parts.append(pd.DataFrame(columns)[on])
    return pd.concat(parts, ignore_index=True)


def read_truth(folder: Path) -> pd.DataFrame:
    """Return the table in the folder of a sandbox.

    Raises
    ------
    SandboxError
        If there is none.
    """
    path = folder / TRUTH_FILE
    if not path.is_file():
        raise SandboxError(
            f"there is no {TRUTH_FILE} in {folder}; expected the folder of a sandbox: make one with apcampaign "
            "sandbox create"
        )
    return pd.read_parquet(path)


def _of_same(then: Any, now: Any) -> Any:
    """Return the flux that each of the sources of a visit has in another; zero for what is not there."""
    order = np.argsort(then.id)
    place = np.clip(np.searchsorted(then.id[order], now.id), 0, len(order) - 1)
    there = order[place]
    return np.where(then.id[there] == now.id, then.flux[there], 0.0)


def _hidden(sky: Sky, visit: Visit, ra: Any, dec: Any) -> Any:
    """Tell which places are next to a star that is full in some visit."""
    stars, wcs = sky.stars(visit.tract), sky.survey.detector_wcs(visit, sky.survey.size.detectors[0])
    # The brightest pixel holds most in the best seeing.
    best = min(visit.seeing for visit in sky.survey.visits)
    full = FULL_WELL * NJY_PER_ELECTRON * _pixels(best) / 2
    bright = stars.flux.max(axis=1) > 0.8 * full
    (x, y), (x0, y0) = wcs.to_pixel(ra, dec), wcs.to_pixel(stars.ra[bright], stars.dec[bright])
    return (np.hypot(x[:, None] - x0, y[:, None] - y0) < _EDGE).any(axis=1)


def _blended(x: Any, y: Any, change: Any, error: Any, distance: float) -> Any:
    """Tell which sources have another one near that changes by more than noise and a fifth of what they do."""
    near = np.hypot(x[:, None] - x, y[:, None] - y) < distance
    np.fill_diagonal(near, False)
    matters = (change > 3 * error) & (change > 0.2 * change[:, None])
    return (near & matters).any(axis=1)


def _seen(sky: Sky, visit: Visit, ra: Any, dec: Any, edge: float = _CORE) -> Any:
    """Tell which places are on a detector of a visit."""
    seen, box = np.zeros(len(ra), bool), sky.survey.detector_box
    for detector in sky.survey.size.detectors:
        x, y = sky.survey.detector_wcs(visit, detector).to_pixel(ra, dec)
        seen |= (x > edge) & (x < box.width - 1 - edge) & (y > edge) & (y < box.height - 1 - edge)
    return seen


def _variance(sky: Sky, visit: Visit) -> float:
    """Return the variance of a pixel of empty sky, nJy squared."""
    noises = [Electronics.of(sky.survey, detector).read_noise for detector in sky.survey.size.detectors]
    electrons = visit.sky + float(np.mean(np.square(noises)))
    return electrons * (NJY_PER_ELECTRON / visit.transparency) ** 2


def _pixels(seeing: float) -> float:
    """Return how many pixels of noise a star counts for (e.g. King 1983, PASP 95, 163)."""
    return float(1 / np.square(_star(seeing, 41)).sum())


def _star(seeing: float, pixels: int) -> Any:
    """Return the image of a star, of unit sum."""
    profile = galsim.Moffat(beta=3.5, fwhm=seeing / 0.2)
    stamp = profile.drawImage(nx=pixels, ny=pixels, scale=1.0, method="no_pixel").array.astype(float)
    return stamp / stamp.sum()


def _errors(light: Any, x: Any, y: Any, noise: Any, seeing: float, reach: int = 8) -> Any:
    """Return the error of the flux of a source at each place (NaN off the image), as an optimal fit has it.

    Parameters
    ----------
    light
        The variance of a pixel that all sources make, nJy squared.
    x, y, noise
        Of each source: place, and variance of a pixel of empty sky.
    seeing
        Arcseconds.
    """
    weight = np.square(_star(seeing, 2 * reach + 1))
    padded = np.pad(light, reach, mode="edge")
    errors = np.full(len(x), np.nan)
    height, width = light.shape
    for index, (column, row) in enumerate(zip(np.round(x), np.round(y), strict=True)):
        if 0 <= column < width and 0 <= row < height:
            there = padded[int(row) : int(row) + 2 * reach + 1, int(column) : int(column) + 2 * reach + 1]
            errors[index] = (weight / (noise[index] + there)).sum() ** -0.5
    return errors
