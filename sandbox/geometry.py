"""Tangent-plane projection between pixels and sky, and polygons for Butler.

Pixel coordinates are those of numpy: the centre of the first pixel is (0, 0), x runs along a row.
"""

__all__ = ["Box", "TangentWcs", "offset", "sky_polygon"]

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from lsst.sphgeom import ConvexPolygon, LonLat, UnitVector3d
from numpy.typing import ArrayLike, NDArray

type Floats = NDArray[np.float64]

ARCSEC = np.pi / 180 / 3600


class Box(NamedTuple):
    """The size of an image and the pixel coordinates of its first pixel."""

    x0: int
    y0: int
    width: int
    height: int


@dataclass(frozen=True)
class TangentWcs:
    """A gnomonic (TAN) projection with square pixels; unrotated, north is along +y and east along -x.

    Parameters
    ----------
    ra, dec
        The tangent point, ICRS degrees.
    x, y
        The pixel coordinates of the tangent point; it may lie outside the image.
    scale
        Arcseconds per pixel.
    rotation
        The position angle of +y: degrees from north through east.
    """

    ra: float
    dec: float
    x: float
    y: float
    scale: float
    rotation: float = 0.0

    def to_pixel(self, ra: ArrayLike, dec: ArrayLike) -> tuple[Floats, Floats]:
        """Project sky positions (ICRS degrees); those on the far hemisphere become NaN."""
        delta = np.radians(np.asarray(ra, float) - self.ra)
        lat, lat0 = np.radians(np.asarray(dec, float)), np.radians(self.dec)
        cosine = np.sin(lat0) * np.sin(lat) + np.cos(lat0) * np.cos(lat) * np.cos(delta)
        cosine = np.where(cosine > 0, cosine, np.nan)
        xi = np.cos(lat) * np.sin(delta) / cosine
        eta = (np.cos(lat0) * np.sin(lat) - np.sin(lat0) * np.cos(lat) * np.cos(delta)) / cosine
        unit, (sine, cosine) = self.scale * ARCSEC, self._turn
        return self.x + (eta * sine - xi * cosine) / unit, self.y + (xi * sine + eta * cosine) / unit

    def to_sky(self, x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
        """Deproject pixel positions to ICRS degrees, right ascension in [0, 360)."""
        unit = self.scale * ARCSEC
        right, up = (np.asarray(x, float) - self.x) * unit, (np.asarray(y, float) - self.y) * unit
        sine, cosine = self._turn
        xi, eta = up * sine - right * cosine, up * cosine + right * sine
        lat0 = np.radians(self.dec)
        down = np.cos(lat0) - eta * np.sin(lat0)
        ra = self.ra + np.degrees(np.arctan2(xi, down))
        dec = np.degrees(np.arctan2(np.sin(lat0) + eta * np.cos(lat0), np.hypot(xi, down)))
        return ra % 360.0, dec

    @property
    def _turn(self) -> tuple[float, float]:
        angle = np.radians(self.rotation)
        return float(np.sin(angle)), float(np.cos(angle))


def sky_polygon(wcs: TangentWcs, box: Box) -> ConvexPolygon:
    """Return the sky that an image covers, including the outer edges of its pixels."""
    left, low = box.x0 - 0.5, box.y0 - 0.5
    right, high = left + box.width, low + box.height
    ras, decs = wcs.to_sky([left, right, right, left], [low, low, high, high])
    return ConvexPolygon([UnitVector3d(LonLat.fromDegrees(*point)) for point in zip(ras, decs, strict=True)])


def offset(ra: float, dec: float, east: float, north: float) -> tuple[float, float]:
    """Return the position (degrees) at an offset of degrees east and north on the tangent plane."""
    new_ra, new_dec = TangentWcs(ra, dec, 0.0, 0.0, 3600.0).to_sky(-east, north)
    return float(new_ra), float(new_dec)
