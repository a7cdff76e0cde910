"""Truth of the simulated sky: what a perfect survey would find, by changing source and detector.

The fluxes are those of the simulation. ``template_flux`` is the source's flux in an ideal template: the mean over
the template visits that cover the place, weighted as in the coadd; zero for what is seen in one visit only, which
a clipped coadd leaves out. ``difference`` and ``snr`` are the flux that a difference image should show and its
significance there: the noise is that of all the light at the place, from the sky, the source, and the stars and
galaxies around, in the image and in the template.
"""

__all__ = ["TRUTH_FILE", "make_truth", "read_truth"]

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import galsim
import numpy as np
import pandas as pd

from ..common.errors import SandboxError
from .camera import FULL_WELL, NJY_PER_ELECTRON, Electronics, draw_light
from .geometry import Box
from .sky import KINDS, Sky
from .survey import Survey
from .visit import Visit

TRUTH_FILE = "truth.parquet"
"""The table's name in the folder of a sandbox."""

_BLEND = 2.0  # widths of a star: two sources that are closer are blended
_EDGE = 12.0  # pixels; closer to the edge a source is not complete
_CORE = 6.0  # pixels; a template that ends closer lacks a part of the source
_LASTING = ("variable", "supernova")
_SELECTED = 6  # visits of a template, those of best seeing


def make_truth(sky: Sky) -> pd.DataFrame:
    """Make the table.

    Returns
    -------
    truth
        ``id`` and ``kind`` of the source; ``visit``, ``detector``, ``band``, ``mjd``; ``ra``, ``dec`` (degrees),
        ``x``, ``y`` (pixels); ``flux``, ``template_flux``, ``difference`` and its ``error`` (nJy), ``snr``;
        ``usable``: whether it is far from the edges, on a template that covers its whole core (closer to the edge
        of a template than the reach of its kernel no survey has a difference), not blended, not in the light
        of a star that is too bright for the camera, and not in an image that cannot be calibrated.
    """
    survey = sky.survey
    templates = _select_templates(survey)
    fluxes = {visit.id: sky.changing(visit) for visit in survey.visits}
    variances = {visit.id: _variance(sky, visit) for visit in survey.visits}
    parts: list[pd.DataFrame] = []
    for visit in survey.science_visits:
        now, chosen = fluxes[visit.id], templates[visit.tract, visit.band]
        template = _make_template(sky, now, chosen, fluxes, variances)
        noise = variances[visit.id] + template.variance
        hidden = _hidden(sky, visit, now.ra, now.dec)
        covered = (template.looks >= min(2, len(chosen))) & (template.looks > 0) & ~hidden
        # The light in a template has noise as well, the less the more visits it is made of.
        scale = NJY_PER_ELECTRON / visit.transparency * (1 + 1 / max(1, len(chosen)))
        for detector in survey.size.detectors:
            x, y = survey.detector_wcs(visit, detector).to_pixel(now.ra, now.dec)
            light = draw_light(sky, visit, detector) * scale
            error = _errors(light, x, y, noise, visit.seeing)
            difference = now.flux - template.flux
            blended = _blended(x, y, np.abs(difference), error, _BLEND * visit.seeing / 0.2)
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
                "template_flux": template.flux,
                "difference": difference,
                "error": error,
                "snr": np.abs(difference) / error,
                "usable": _inside(survey.detector_box, x, y, _EDGE)
                & covered
                & ~blended
                & (not survey.is_bad(visit, detector)),
            }
            parts.append(pd.DataFrame(columns)[_inside(survey.detector_box, x, y, -0.5)])
    return pd.concat(parts, ignore_index=True)


@dataclass(frozen=True)
class _Template:
    """An ideal template at the places of sources: their fluxes, the variance of a pixel, the number of visits."""

    flux: Any
    variance: Any
    looks: Any


def _select_templates(survey: Survey) -> Mapping[tuple[int, str], Sequence[Visit]]:
    """Select the visits of the template of each tract and band."""
    chosen: dict[tuple[int, str], list[Visit]] = defaultdict(list)
    for visit in sorted(survey.template_visits, key=lambda visit: visit.seeing):
        if len(chosen[visit.tract, visit.band]) < _SELECTED:
            chosen[visit.tract, visit.band].append(visit)
    return chosen


def _make_template(
    sky: Sky,
    now: Any,
    chosen: Sequence[Visit],
    fluxes: Mapping[int, Any],
    variances: Mapping[int, float],
) -> _Template:
    """Average the template visits at the places of a visit's sources, as the coadd does."""
    lasting = np.isin(now.kind, [KINDS.index(kind) for kind in _LASTING])
    looks = np.zeros(len(now.id), int)
    total, held = np.zeros(len(now.id)), np.zeros(len(now.id))
    for visit in chosen:
        inside = _seen(sky, visit, now.ra, now.dec)
        looks += inside
        weight = inside / variances[visit.id]
        total += weight
        held[lasting] += (weight * _of_same(fluxes[visit.id], now))[lasting]
    variance = np.where(total > 0, 1 / np.maximum(total, 1e-300), 0)
    return _Template(held / np.maximum(total, 1e-300), variance, looks)


def _inside(box: Box, x: Any, y: Any, edge: float) -> Any:
    """Tell which places are farther than a number of pixels inside the middles of a detector's outer pixels."""
    return (x > edge) & (x < box.width - 1 - edge) & (y > edge) & (y < box.height - 1 - edge)


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
            f"there is no {TRUTH_FILE} in {folder}",
            expected="the folder of a sandbox",
            remedy="create one with `apcampaign sandbox create`",
        )
    return pd.read_parquet(path)


def _of_same(then: Any, now: Any) -> Any:
    """Return the flux that each source of a visit has in another visit; zero if it is not there."""
    order = np.argsort(then.id)
    place = np.clip(np.searchsorted(then.id[order], now.id), 0, len(order) - 1)
    there = order[place]
    return np.where(then.id[there] == now.id, then.flux[there], 0.0)


def _hidden(sky: Sky, visit: Visit, ra: Any, dec: Any) -> Any:
    """Tell which places are next to a star that saturates in some visit."""
    stars, wcs = sky.stars(visit.tract), sky.survey.detector_wcs(visit, sky.survey.size.detectors[0])
    # The brightest pixel gets the most light in the best seeing.
    best = min(visit.seeing for visit in sky.survey.visits)
    full = FULL_WELL * NJY_PER_ELECTRON * _pixels(best) / 2
    bright = stars.flux.max(axis=1) > 0.8 * full
    (x, y), (x0, y0) = wcs.to_pixel(ra, dec), wcs.to_pixel(stars.ra[bright], stars.dec[bright])
    return (np.hypot(x[:, None] - x0, y[:, None] - y0) < _EDGE).any(axis=1)


def _blended(x: Any, y: Any, change: Any, error: Any, distance: float) -> Any:
    """Tell which sources are close to one whose change is significant and more than a fifth of theirs."""
    near = np.hypot(x[:, None] - x, y[:, None] - y) < distance
    np.fill_diagonal(near, False)
    matters = (change > 3 * error) & (change > 0.2 * change[:, None])
    return (near & matters).any(axis=1)


def _seen(sky: Sky, visit: Visit, ra: Any, dec: Any, edge: float = _CORE) -> Any:
    """Tell which places are on a detector of a visit whose image can be calibrated."""
    seen, box = np.zeros(len(ra), bool), sky.survey.detector_box
    for detector in sky.survey.size.detectors:
        if sky.survey.is_bad(visit, detector):
            continue
        x, y = sky.survey.detector_wcs(visit, detector).to_pixel(ra, dec)
        seen |= _inside(box, x, y, edge)
    return seen


def _variance(sky: Sky, visit: Visit) -> float:
    """Return the variance of a pixel of empty sky, nJy squared."""
    noises = [Electronics.of(sky.survey, detector).read_noise for detector in sky.survey.size.detectors]
    electrons = visit.sky + float(np.mean(np.square(noises)))
    return electrons * (NJY_PER_ELECTRON / visit.transparency) ** 2


def _pixels(seeing: float) -> float:
    """Return the number of pixels whose noise a star's flux contains (e.g. King 1983, PASP 95, 163)."""
    return float(1 / np.square(_star(seeing, 41)).sum())


def _star(seeing: float, pixels: int) -> Any:
    """Return the image of a star, of unit sum."""
    profile = galsim.Moffat(beta=3.5, fwhm=seeing / 0.2)
    stamp = profile.drawImage(nx=pixels, ny=pixels, scale=1.0, method="no_pixel").array.astype(float)
    return stamp / stamp.sum()


def _errors(light: Any, x: Any, y: Any, noise: Any, seeing: float, reach: int = 8) -> Any:
    """Return the error of the flux of a source at each place (NaN off the image) in an optimal fit.

    Parameters
    ----------
    light
        The variance of each pixel from the light of all sources, nJy squared.
    x, y, noise
        Place of each source, and variance of a pixel of empty sky there.
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
