"""Image type of the sandbox: pixels with variance, mask, projection, PSF and observing conditions.

It stands in for ``lsst.afw.image.Exposure``. It is stored as an ordinary FITS file whose headers hold the
projection, so that any FITS viewer shows it on the sky.
"""

__all__ = ["BAD", "COSMIC_RAY", "INEXACT", "MASKED", "MEMORY", "SATURATED", "Exposure", "VisitInfo"]

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .geometry import Box, TangentWcs

type Image = NDArray[np.float32]

MASKED = 1
"""The mask bit of a pixel that holds no data."""
BAD = 2
"""The mask bit of a pixel that is broken."""
SATURATED = 4
"""The mask bit of a saturated pixel, or one next to it."""
COSMIC_RAY = 8
"""The mask bit of a pixel hit by a cosmic ray."""
INEXACT = 16
"""The mask bit of a coadd's pixel near which the inputs change, and with them the point-spread function. The pixel
is good nevertheless."""
MEMORY = "memory"
"""The key of `Exposure.summary` for the MiB that it takes to calibrate a crowded image."""


@dataclass(frozen=True)
class VisitInfo:
    """When and how an exposure was taken.

    Parameters
    ----------
    visit, detector
        The IDs of the visit and the detector.
    band, physical_filter
        The band and the filter.
    mjd
        The middle of the exposure, TAI, days.
    exposure_time
        Seconds.
    ra, dec
        The boresight, ICRS degrees.
    """

    visit: int
    detector: int
    band: str
    physical_filter: str
    mjd: float
    exposure_time: float
    ra: float
    dec: float


@dataclass(frozen=True)
class Exposure:
    """An image with everything that is needed to interpret it.

    Parameters
    ----------
    image, variance
        Pixels, [y, x], in counts before calibration and in nJy after it; and their variance.
    mask
        Bit mask of what is wrong with a pixel: `MASKED`, `BAD`, `SATURATED`, `COSMIC_RAY`,
        `INEXACT`.
    wcs
        The projection, or `None` for a calibration frame.
    visit_info
        The circumstances, or `None` if it is not a single exposure.
    psf
        The point-spread function: an odd number of pixels square, the star in the middle, of unit sum (except for
        light outside the stamp); or `None`.
    summary
        Summary statistics by name.
    inputs
        The inputs of a coadd: a mapping for each (visit, weight).
    """

    image: Image
    variance: Image
    mask: NDArray[np.uint8]
    wcs: TangentWcs | None = None
    visit_info: VisitInfo | None = None
    psf: NDArray[np.float64] | None = None
    summary: Mapping[str, float] = field(default_factory=dict)
    inputs: tuple[Mapping[str, Any], ...] = ()

    @classmethod
    def blank(cls, width: int, height: int, **other: Any) -> "Exposure":
        """Return an exposure without data: zero everywhere, infinite variance, masked."""
        shape = (height, width)
        return cls(
            np.zeros(shape, np.float32),
            np.full(shape, np.inf, np.float32),
            np.full(shape, MASKED, np.uint8),
            **other,
        )

    @property
    def box(self) -> Box:
        """The size."""
        height, width = self.image.shape
        return Box(0, 0, width, height)

    @property
    def good(self) -> NDArray[np.bool_]:
        """Where there are data without any defect."""
        return np.asarray((self.mask & ~np.uint8(INEXACT)) == 0)

    @property
    def sky(self) -> TangentWcs:
        """The projection of an image that must have one."""
        if self.wcs is None:
            raise ValueError("this exposure has no projection; expected an image of the sky")
        return self.wcs

    @property
    def circumstances(self) -> VisitInfo:
        """The circumstances of an image that must have them."""
        if self.visit_info is None:
            raise ValueError("this exposure has no visit information; expected an image of one visit")
        return self.visit_info

    @property
    def star(self) -> NDArray[np.float64]:
        """The point-spread function of an image that must have one."""
        if self.psf is None:
            raise ValueError("this exposure has no point-spread function; expected a calibrated image")
        return self.psf

    def with_pixels(self, image: NDArray[Any], variance: NDArray[Any], **other: Any) -> "Exposure":
        """Return a copy with other pixels."""
        return replace(self, image=image.astype(np.float32), variance=variance.astype(np.float32), **other)
