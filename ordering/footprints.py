"""Footprints of associations: the pixels of sky that each reads, from Butler's regions."""

__all__ = ["find_pixels", "read_begins", "read_footprints", "read_regions"]

import math
from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..common.butler import query_visits
from ..common.errors import RepositoryError
from .associations import VisitDetector

#: Pixels of about 2.6 arcminutes: a fifth of a detector's side, so that visits wait for each other without need
#: only where they lie closer than that.
LEVEL = 11

#: By how much the reader of the APDB pads a detector's region (LoadDiaCatalogsConfig.angleMargin), arcsec.
READER_MARGIN = 20.0


def read_footprints(
    butler: Any, instrument: str, visit_detectors: Collection[VisitDetector]
) -> tuple[list[npt.NDArray[np.int64]], list[int]]:
    """Find the sky and the place in time of (visit, detector)s.

    Parameters
    ----------
    butler
        A Butler of the repository.
    instrument
        Name of the instrument.
    visit_detectors
        The (visit, detector)s.

    Returns
    -------
    footprints, ranks
        For each (visit, detector), in the order given: the pixels (Q3C, level 11) that its padded region
        touches, and the place in time of its visit: by begin of exposure, then by id.

    Raises
    ------
    RepositoryError
        If the repository has no region or no time for one of them.
    """
    regions, begins = read_regions(butler, instrument, visit_detectors)
    rank = {visit: place for place, visit in enumerate(sorted(begins, key=lambda v: (begins[v], v)))}
    return find_pixels([regions[key] for key in visit_detectors]), [
        rank[visit] for visit, _ in visit_detectors
    ]


def read_regions(
    butler: Any, instrument: str, visit_detectors: Collection[VisitDetector]
) -> tuple[dict[VisitDetector, Any], dict[int, float]]:
    """Read regions of (visit, detector)s, not padded, and the beginnings of their visits in TAI seconds.

    Parameters and errors as `read_footprints`.
    """
    wanted = set(visit_detectors)
    visits = {visit for visit, _ in wanted}
    regions = {
        (record.visit, record.detector): record.region
        for record in query_visits(butler, "visit_detector_region", instrument, visits)
        if (record.visit, record.detector) in wanted
    }
    begins = read_begins(butler, instrument, visits)
    for visit, detector in visit_detectors:
        if regions.get((visit, detector)) is None:
            raise RepositoryError(
                f"visit {visit}, detector {detector} has no region in the repository, so that its place in the "
                "order of visits is unknown",
                remedy="define the visits again (`butler define-visits`)",
            )
        if visit not in begins:
            raise RepositoryError(
                f"visit {visit} has no time in the repository, so that its place in the order is unknown",
                remedy="define the visits again (`butler define-visits`)",
            )
    return regions, begins


def read_begins(butler: Any, instrument: str, visits: Collection[int]) -> dict[int, float]:
    """Read when visits begin, in TAI seconds; those that have no time in the repository are left out."""
    return {
        record.id: record.timespan.begin.unix_tai
        for record in query_visits(butler, "visit", instrument, visits)
        if record.timespan is not None and record.timespan.begin is not None
    }


def find_pixels(regions: Iterable[Any], level: int = LEVEL) -> list[npt.NDArray[np.int64]]:
    """Find the pixels (Q3C) that detectors' regions touch, padded as the reader of the APDB pads them."""
    from lsst.sphgeom import Q3cPixelization

    pixelization = Q3cPixelization(level)
    return [_pixels(pixelization, region) for region in regions]


def _pixels(pixelization: Any, region: Any) -> npt.NDArray[np.int64]:
    ranges = pixelization.envelope(_padded(region)).ranges()
    return np.concatenate([np.arange(begin, end, dtype=np.int64) for begin, end in ranges])


def _padded(region: Any) -> Any:
    """Grow a detector's region by the reader's margin: each corner is moved out along its diagonal."""
    from lsst.sphgeom import ConvexPolygon, UnitVector3d, Vector3d

    center = region.getCentroid()
    step = math.sqrt(2) * math.radians(READER_MARGIN / 3600)
    corners = []
    for corner in region.getVertices():
        away = Vector3d(*(corner[i] - center[i] for i in range(3)))
        scale = step / away.getNorm()
        corners.append(UnitVector3d(*(corner[i] + scale * away[i] for i in range(3))))
    return ConvexPolygon(corners)
