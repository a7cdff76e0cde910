"""Catalogue of synthetic stars for the miniature's sky, as Rubin's tools put one into a repository."""

__all__ = [
    "INJECTION_CATALOG",
    "INJECTION_COLLECTION",
    "injection_catalogue",
    "put_catalogue",
    "shard_injection",
]

from collections.abc import Iterator
from typing import Any

import numpy as np
from astropy.table import Table

from .camera import NJY_PER_ELECTRON
from .refcat import htm_index
from .survey import Survey

INJECTION_CATALOG = "injection_catalog"
"""The dataset type."""
INJECTION_COLLECTION = "injection_catalogs"
"""The RUN collection that holds it; the chain with everything else does not."""

_SPACING = 32.0  # pixels between neighbours: they are not blended
_JITTER = 9.0
_MARGIN = 20.0  # pixels beyond the images
_AB_ZERO = 31.4
# From bright ones to those that nothing finds: the flux over the noise of empty sky in all pixels of a star.
_BRIGHTEST, _FAINTEST = 150.0, 3.0
_STAR_PIXELS = 30.0
_DARK_SKY = {"u": 300.0, "g": 500.0, "r": 800.0, "i": 1000.0, "z": 1200.0, "y": 1500.0}


def injection_catalogue(survey: Survey, band: str) -> Table:
    """Make the stars of a band: at the same places in all bands, with a magnitude for each.

    Returns
    -------
    stars
        ``injection_id``, ``ra``, ``dec`` (degrees), ``source_type``, ``mag`` (AB), and ``isVisitSource`` and
        ``isTemplateSource``, by which Rubin's catalogues say what is injected into which image.
    """
    ra, dec = _places(survey)
    rng = np.random.default_rng([survey.size.seed, 21, survey.size.bands.index(band)])
    noise = NJY_PER_ELECTRON * np.sqrt(_DARK_SKY.get(band, 800.0) * _STAR_PIXELS)
    bright, faint = (float(_AB_ZERO - 2.5 * np.log10(noise * snr)) for snr in (_BRIGHTEST, _FAINTEST))
    mag = rng.uniform(bright, faint, len(ra))
    return Table(
        {
            "injection_id": np.arange(len(ra)),
            "ra": ra,
            "dec": dec,
            "source_type": np.full(len(ra), "Star"),
            "mag": mag,
            "isVisitSource": np.ones(len(ra), bool),
            "isTemplateSource": np.zeros(len(ra), bool),
        }
    )


def _places(survey: Survey) -> tuple[Any, Any]:
    """Give places on a grid over the science images of each tract, each shifted at random."""
    box, places = survey.detector_box, []
    for number, tract in enumerate(survey.size.tracts):
        visits = [visit for visit in survey.science_visits if visit.tract == tract]
        frame = survey.detector_wcs(visits[0], survey.size.detectors[0])
        corners = [
            np.array(frame.to_pixel(*survey.detector_wcs(visit, detector).to_sky(x, y)))
            for visit in visits
            for detector in survey.size.detectors
            for x in (0, box.width)
            for y in (0, box.height)
        ]
        low, high = np.min(corners, axis=0) - _MARGIN, np.max(corners, axis=0) + _MARGIN
        x, y = (axis.ravel() for axis in np.meshgrid(*map(np.arange, low, high, (_SPACING, _SPACING))))
        shift = np.random.default_rng([survey.size.seed, 20, number]).uniform(-_JITTER, _JITTER, (2, len(x)))
        places.append(frame.to_sky(x + shift[0], y + shift[1]))
    ra, dec = (np.concatenate([place[axis] for place in places]) for axis in (0, 1))
    return ra, dec


def shard_injection(survey: Survey, band: str) -> Iterator[tuple[int, Table]]:
    """Split the stars of a band by HTM pixel of level 7."""
    stars = injection_catalogue(survey, band)
    where = np.array([htm_index(row["ra"], row["dec"]) for row in stars])
    for shard in np.unique(where):
        yield int(shard), stars[where == shard]


def put_catalogue(butler: Any, survey: Survey) -> None:
    """Put the stars of all bands into the repository."""
    from lsst.daf.butler import DatasetType

    butler.registry.registerDatasetType(
        DatasetType(INJECTION_CATALOG, ("htm7", "band"), "ArrowAstropy", universe=butler.dimensions)
    )
    butler.collections.register(INJECTION_COLLECTION)
    for band in survey.size.bands:
        for shard, stars in shard_injection(survey, band):
            butler.put(stars, INJECTION_CATALOG, htm7=shard, band=band, run=INJECTION_COLLECTION)
