"""A visit of the miniature survey."""

__all__ = ["Visit"]

from dataclasses import dataclass

from .exposure import VisitInfo


@dataclass(frozen=True)
class Visit:
    """One visit, which is one exposure.

    Parameters
    ----------
    id
        The ID of the visit and of its exposure.
    tract
        The tract at which it points.
    band, physical_filter
        The band and the filter.
    group
        The name of its group.
    ra, dec
        The boresight, ICRS degrees.
    mjd
        Start of the exposure, TAI, days.
    exposure_time
        Seconds.
    seeing
        Full width at half maximum of a star, arcseconds (of the real camera, whose pixels have 0.2).
    rotation
        Position angle of the camera's +y, degrees.
    sky
        Light of the sky, electrons per pixel.
    transparency
        The fraction of the light that passes the atmosphere.
    ellipticity
        Reduced shear of a star, two components along the axes of the camera.
    pointing_error
        The error of the projection in the raw's header: right, up (pixels) and rotation (degrees).
    """

    id: int
    tract: int
    band: str
    physical_filter: str
    group: str
    ra: float
    dec: float
    mjd: float
    exposure_time: float
    seeing: float
    seq_num: int
    day_obs: int
    rotation: float
    sky: float
    transparency: float
    ellipticity: tuple[float, float]
    pointing_error: tuple[float, float, float]

    def info(self, detector: int) -> VisitInfo:
        """Return the circumstances of a detector's exposure."""
        return VisitInfo(
            self.id,
            detector,
            self.band,
            self.physical_filter,
            self.mjd + self.exposure_time / 86400 / 2,
            self.exposure_time,
            self.ra,
            self.dec,
        )
