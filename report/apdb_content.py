"""Content of the APDB for the report: rows by table, density on the sky, light curves."""

__all__ = ["read_catalog"]

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..apdb import ApdbExplorer, ImageCounts, count_dia_objects, count_rows
from .sky_model import Corner, DiaCatalog, LightCurve, LightCurvePoint, SkyCell

if TYPE_CHECKING:
    import pandas as pd

_SQUARE_DEGREES = (180 / np.pi) ** 2


def read_catalog(config: str, explorer: ApdbExplorer) -> DiaCatalog:
    """Read an APDB.

    Parameters
    ----------
    config
        Its configuration.
    explorer
        Of it.

    Raises
    ------
    ApdbError
        If it cannot be read.
    """
    level, counts = explorer.count_by_pixel()
    cells = tuple(
        SkyCell(pixel, *_triangle(level, pixel), each.sources, each.objects) for pixel, each in counts.items()
    )
    by_visit: dict[int, ImageCounts] = defaultdict(ImageCounts)
    by_detector: dict[int, ImageCounts] = defaultdict(ImageCounts)
    for (visit, detector), counted in explorer.count_by_image().items():
        by_visit[visit] += counted
        by_detector[detector] += counted
    by_snr, by_reliability = explorer.count_by_value()
    return DiaCatalog(
        config=config,
        rows=count_rows(config),
        objects=count_dia_objects(config),
        by_visit=dict(by_visit),
        by_detector=dict(by_detector),
        by_snr=by_snr,
        by_reliability=by_reliability,
        notable=explorer.find_notable(),
        level=level,
        cells=cells,
        light_curves=_light_curves(explorer.read_most_detected()),
    )


def _light_curves(measurements: "pd.DataFrame") -> tuple[LightCurve, ...]:
    """Divide measurements by DiaObject, without those that have no flux."""
    known = measurements.dropna(subset="psfFlux").fillna({"band": ""}).astype({"psfFluxErr": float})
    curves = []
    for _, found in known.groupby("diaObjectId", sort=False):
        detected = found[~found["forced"]]
        if detected.empty:
            continue  # none of its detections has a flux
        rows: list[Any] = list(found.itertuples(index=False))  # whose types pandas does not know
        points = tuple(
            LightCurvePoint(
                mjd=float(row.midpointMjdTai),
                band=str(row.band),
                visit=int(row.visit),
                flux=float(row.psfFlux),
                error=None if np.isnan(row.psfFluxErr) else float(row.psfFluxErr),
                forced=bool(row.forced),
            )
            for row in rows
        )
        ra, dec = detected[["ra", "dec"]].iloc[-1]
        curves.append(LightCurve(int(detected["diaObjectId"].iloc[-1]), float(ra), float(dec), points))
    return tuple(curves)


def _triangle(level: int, pixel: int) -> tuple[tuple[Corner, ...], float]:
    """Find the corners of an HTM pixel, degrees, and its area, square degrees."""
    from lsst.sphgeom import HtmPixelization, LonLat

    vertices = HtmPixelization(level).triangle(pixel).getVertices()
    points = [LonLat(vertex) for vertex in vertices]
    corners = tuple((point.getLon().asDegrees(), point.getLat().asDegrees()) for point in points)
    return corners, _area([tuple(vertex[axis] for axis in range(3)) for vertex in vertices])


def _area(vertices: Sequence[Any]) -> float:
    """Find the area of a spherical triangle of unit vectors (Van Oosterom and Strackee 1983)."""
    a, b, c = np.asarray(vertices, dtype=float)
    excess = 2 * np.arctan2(abs(np.dot(a, np.cross(b, c))), 1 + a @ b + b @ c + c @ a)
    return float(excess * _SQUARE_DEGREES)
