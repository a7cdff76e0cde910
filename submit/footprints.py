"""The sky that each association reads, from Butler's regions."""

__all__ = ["read_footprints"]

import math
from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt

from ..common.errors import SubmissionError

# Pixels of about 2.4 arcminutes: a sixth of a detector's side, so that neighbours wait for each other
# without need only where they lie closer than that.
_LEVEL = 11

#: By how much the reader of the APDB pads a detector's region (LoadDiaCatalogsConfig.angleMargin), arcsec.
READER_MARGIN = 20.0


def read_footprints(
    butler: Any, instrument: str, visit_detectors: Collection[tuple[int, int]]
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
    SubmissionError
        If the repository has no region or no time for one of them.
    """
    from lsst.sphgeom import Q3cPixelization

    visits = sorted({visit for visit, _ in visit_detectors})
    regions: dict[tuple[int, int], Any] = {}
    begins: dict[int, Any] = {}
    for start in range(0, len(visits), 1000):  # an SQL statement has a longest length
        chunk = visits[start : start + 1000]
        where = f"instrument='{instrument}' AND visit IN ({', '.join(map(str, chunk))})"
        for record in butler.query_dimension_records("visit_detector_region", where=where, limit=None):
            regions[record.visit, record.detector] = record.region
        for record in butler.query_dimension_records("visit", where=where, limit=None):
            begins[record.id] = record.timespan.begin.unix_tai if record.timespan is not None else None
    for visit, detector in visit_detectors:
        if (visit, detector) not in regions:
            raise SubmissionError(
                f"visit {visit}, detector {detector} has no region in the repository, so the order of visits "
                "cannot be made; define the visits again (`butler define-visits`)"
            )
        if begins.get(visit) is None:
            raise SubmissionError(
                f"visit {visit} has no time in the repository; its place in the order is unknown"
            )
    rank = {visit: place for place, visit in enumerate(sorted(visits, key=lambda v: (begins[v], v)))}
    pixelization = Q3cPixelization(_LEVEL)
    footprints = [_pixels(pixelization, regions[key]) for key in visit_detectors]
    return footprints, [rank[visit] for visit, _ in visit_detectors]


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
