"""Reference catalogue of the miniature, in shards by HTM pixel, as Butler has them."""

__all__ = ["htm_index", "reference_catalogue", "shard_catalogue"]

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
from astropy.table import Table, vstack
from lsst.sphgeom import HtmPixelization, LonLat, UnitVector3d

from .geometry import sky_polygon
from .sky import Sky
from .survey import Survey

_HTM = HtmPixelization(7)
_MOST_MISSED = 0.7  # of the stars of an image


def shard_catalogue(survey: Survey) -> Iterator[tuple[int, Table]]:
    """Split the catalogue into shards, including those of the surveyed sky that have no star."""
    table = reference_catalogue(survey)
    shards: set[int] = set()
    for visit, detector in product(survey.visits, survey.size.detectors):
        region = sky_polygon(survey.detector_wcs(visit, detector), survey.detector_box)
        shards.update(pixel for first, last in _HTM.envelope(region) for pixel in range(first, last))
    where = np.array([htm_index(row["ra"], row["dec"]) for row in table])
    present = shards | set(where.tolist())
    if survey.size.unkind:
        present -= _choose_missing(survey, table, where)
    for shard in sorted(present):
        yield shard, table[where == shard]


def _choose_missing(survey: Survey, table: Table, where: Any) -> set[int]:
    """Choose a shard whose stars are missed in some image, and make up less than half of any."""
    most: dict[int, float] = dict.fromkeys(where.tolist(), 0.0)
    for visit, detector in product(survey.visits, survey.size.detectors):
        x, y = survey.detector_wcs(visit, detector).to_pixel(table["ra"], table["dec"])
        box = survey.detector_box
        inside = (x > 0) & (x < box.width) & (y > 0) & (y < box.height)
        for shard in most:
            share = (inside & (where == shard)).sum() / max(1, inside.sum())
            most[shard] = max(most[shard], float(share))
    usable = [shard for shard, share in most.items() if 0 < share < _MOST_MISSED]
    return {max(usable, key=most.__getitem__)} if usable else set()


def reference_catalogue(survey: Survey) -> Table:
    """Return the constant stars around all tracts, with a flux (nJy) in each band."""
    sky, parts = Sky(survey), []
    for tract in survey.size.tracts:
        stars = sky.catalogue(tract)
        fluxes = {f"flux_{band}": stars.flux[:, index] for index, band in enumerate(survey.camera.bands)}
        parts.append(Table({"id": stars.id, "ra": stars.ra, "dec": stars.dec, **fluxes}))
    return vstack(parts)


def htm_index(ra: float, dec: float) -> int:
    """Find the HTM pixel of level 7 that holds a place (degrees)."""
    return int(_HTM.index(UnitVector3d(LonLat.fromDegrees(ra, dec))))
