"""Skymap of DC2: rings of tracts, each divided into 7 by 7 patches.

The numbers are those of ``lsst.skymap``'s rings skymap with the configuration of DC2 (120 rings, one
arcminute of overlap, patches of 4000 pixels of 0.2 arcsec with a border of 100). Only the geometry: what an
image needs to know, and the polygons that Butler needs.
"""

__all__ = ["Patch", "RingsSkyMap"]

import hashlib
import math
from dataclasses import asdict, dataclass
from itertools import accumulate

from lsst.sphgeom import ConvexPolygon

from .geometry import Box, TangentWcs, sky_polygon


@dataclass(frozen=True)
class Patch:
    """A patch of a tract.

    Parameters
    ----------
    id
        The sequential number, 0 to 48, along x first.
    column, row
        Its place in the tract's grid.
    box
        The outer box (with the border), pixels of the tract.
    wcs
        The tract's projection.
    """

    id: int
    column: int
    row: int
    box: Box
    wcs: TangentWcs

    @property
    def region(self) -> ConvexPolygon:
        """The sky of the outer box."""
        return sky_polygon(self.wcs, self.box)

    def coarse(self, scale: float) -> tuple[Box, TangentWcs]:
        """Return box and projection of an image of this patch with ``scale`` arcseconds per pixel."""
        zoom = self.wcs.scale / scale
        width, height = (math.ceil(pixels * zoom) for pixels in (self.box.width, self.box.height))
        x, y = (
            (centre - first + 0.5) * zoom - 0.5
            for centre, first in ((self.wcs.x, self.box.x0), (self.wcs.y, self.box.y0))
        )
        return Box(0, 0, width, height), TangentWcs(self.wcs.ra, self.wcs.dec, x, y, scale)


@dataclass(frozen=True)
class Tract:
    """A tract: its number, the centre (degrees) and its grid of patches."""

    id: int
    ra: float
    dec: float
    wcs: TangentWcs
    box: Box
    patches: tuple[Patch, ...]

    @property
    def region(self) -> ConvexPolygon:
        """The sky of the whole tract, including overlaps."""
        return sky_polygon(self.wcs, self.box)


@dataclass(frozen=True)
class RingsSkyMap:
    """The sky divided into rings of constant declination, each ring into tracts.

    Parameters
    ----------
    num_rings
        The number of rings, without the two polar caps.
    pixel_scale
        Arcseconds per pixel.
    patch_pixels, patch_border
        The inner size of a patch, and the border on each of its sides, pixels.
    patches
        Patches along each side of a tract.
    """

    num_rings: int = 120
    pixel_scale: float = 0.2
    patch_pixels: int = 4000
    patch_border: int = 100
    patches: int = 7

    @property
    def _ring_size(self) -> float:
        return math.pi / (self.num_rings + 1)

    def _tracts_per_ring(self) -> list[int]:
        counts = []
        for ring in range(self.num_rings):
            south = self._ring_size * (ring + 0.5) - math.pi / 2
            nearest_equator = min(abs(south), abs(south + self._ring_size))
            counts.append(int(2 * math.pi * math.cos(nearest_equator) / self._ring_size) + 1)
        return counts

    def __len__(self) -> int:
        return sum(self._tracts_per_ring()) + 2

    @property
    def sha1(self) -> bytes:
        """A hash of the parameters, 20 bytes."""
        return hashlib.sha1(repr(asdict(self)).encode(), usedforsecurity=False).digest()

    def centre(self, tract: int) -> tuple[float, float]:
        """Return the centre of a tract, degrees.

        Raises
        ------
        IndexError
            If there is no such tract.
        """
        if not 0 <= tract < len(self):
            raise IndexError(f"there is no tract {tract}; expected 0 to {len(self) - 1}")
        if tract in (0, len(self) - 1):
            return 0.0, -90.0 if tract == 0 else 90.0
        counts = self._tracts_per_ring()
        ends = list(accumulate(counts))
        ring = next(index for index, end in enumerate(ends) if tract - 1 < end)
        number = tract - 1 - (ends[ring] - counts[ring])
        return 360.0 * number / counts[ring], math.degrees(self._ring_size * (ring + 1)) - 90.0

    def tract(self, number: int) -> Tract:
        """Return a tract with its patches; raises as `centre` does."""
        ra, dec = self.centre(number)
        side = self.patches * self.patch_pixels
        wcs = TangentWcs(ra, dec, side / 2, side / 2, self.pixel_scale)
        patches: list[Patch] = []
        for row in range(self.patches):
            for column in range(self.patches):
                first = [max(0, index * self.patch_pixels - self.patch_border) for index in (column, row)]
                last = [
                    min(side, (index + 1) * self.patch_pixels + self.patch_border) for index in (column, row)
                ]
                box = Box(first[0], first[1], last[0] - first[0], last[1] - first[1])
                patches.append(Patch(len(patches), column, row, box, wcs))
        return Tract(number, ra, dec, wcs, Box(0, 0, side, side), tuple(patches))
