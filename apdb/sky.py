"""Circles on the sky as conditions of SQL."""

__all__ = ["Circle", "separation", "within"]

import math
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from sqlalchemy import ColumnElement, func, true

from ..common.errors import ApdbError

#: Ranges of pixels that cover a circle; with more the database looks more often, and sees fewer rows in vain.
_MOST_RANGES = 64


@dataclass(frozen=True)
class Circle:
    """A circle on the sky.

    Parameters
    ----------
    ra, dec, radius
        Degrees.
    """

    ra: float
    dec: float
    radius: float

    def __post_init__(self) -> None:
        # Drivers of databases take no numbers of numpy, which catalogues are made of.
        for name in ("ra", "dec", "radius"):
            object.__setattr__(self, name, float(getattr(self, name)))
        if not (0 <= self.ra <= 360 and -90 <= self.dec <= 90 and 0 < self.radius <= 180):
            raise ApdbError(
                f"there is no circle at right ascension {self.ra:g}, declination {self.dec:g} of radius "
                f"{self.radius * 3600:g} arcseconds",
                expected="right ascension 0 to 360 and declination -90 to 90 degrees, radius above 0",
            )

    def describe(self) -> str:
        """Say it in words."""
        return f"within {self.radius:g}° of ({self.ra:g}°, {self.dec:g}°)"

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON; degrees."""
        return {"ra": self.ra, "dec": self.dec, "radius": self.radius}


def within(
    circle: Circle,
    ra: ColumnElement[Any],
    dec: ColumnElement[Any],
    *,
    pixel: ColumnElement[Any] | None = None,
    level: int = 0,
) -> ColumnElement[bool]:
    """Write the condition that a place is in a circle.

    Parameters
    ----------
    circle
        The circle.
    ra, dec
        Columns with the place, in degrees.
    pixel, level
        The column with the HTM pixel of the place, if there is one, and its level: databases have an index of it.
    """
    near = true() if pixel is None else reduce(or_, (pixel.between(*each) for each in _pixels(circle, level)))
    half_dec = func.radians(dec - circle.dec) / 2
    half_ra = func.radians(ra - circle.ra) / 2
    # The haversine of the angle between them, which is exact for small ones too.
    apart = func.sin(half_dec) * func.sin(half_dec) + math.cos(math.radians(circle.dec)) * func.cos(
        func.radians(dec)
    ) * func.sin(half_ra) * func.sin(half_ra)
    strip = dec.between(circle.dec - circle.radius, circle.dec + circle.radius)
    return near & strip & (apart <= math.sin(math.radians(circle.radius) / 2) ** 2)


def separation(circle: Circle, ra: float, dec: float) -> float:
    """Return the angle between a place and the centre of a circle, in degrees."""
    half_ra, half_dec = math.radians(ra - circle.ra) / 2, math.radians(dec - circle.dec) / 2
    apart = (
        math.sin(half_dec) ** 2
        + math.cos(math.radians(circle.dec)) * math.cos(math.radians(dec)) * math.sin(half_ra) ** 2
    )
    return math.degrees(2 * math.asin(min(1.0, math.sqrt(apart))))


def _pixels(circle: Circle, level: int) -> list[tuple[int, int]]:
    """Cover a circle with ranges of HTM pixels, both ends included."""
    from lsst.sphgeom import Angle, HtmPixelization, LonLat, UnitVector3d
    from lsst.sphgeom import Circle as SphericalCircle

    centre = UnitVector3d(LonLat.fromDegrees(circle.ra, circle.dec))
    region = SphericalCircle(centre, Angle.fromDegrees(circle.radius))
    ranges = HtmPixelization(level).envelope(region, _MOST_RANGES).ranges()
    return [(begin, end - 1) for begin, end in ranges]
