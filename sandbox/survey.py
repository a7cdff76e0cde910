"""What the miniature survey observes: which visits, where they point, which detectors see the sky.

Pure: a `SandboxSize` in, `Visit` objects out. The schedule is the same for the same size.
"""

__all__ = ["BANDS", "TWO_TRACTS", "SandboxSize", "Survey", "Visit", "physical_filter"]

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from apcampaign.common.errors import SandboxError
from apcampaign.sandbox.exposure import VisitInfo
from apcampaign.sandbox.focalplane import DETECTOR_SIZE, DETECTORS
from apcampaign.sandbox.geometry import Box, TangentWcs, offset
from apcampaign.sandbox.skymap import RingsSkyMap

BANDS = "ugrizy"

# DC2's visits are numbered by the simulated survey; any number that is not small will do.
_FIRST_VISIT = 731_000
_FIRST_NIGHT = 60_960  # MJD of 2025-10-12
_NIGHTS_BETWEEN = 3
_DITHER = 0.01  # degrees


def physical_filter(band: str) -> str:
    """Return imSim's name of the filter of a band."""
    return f"{band}_sim_1.4"


@dataclass(frozen=True)
class SandboxSize:
    """How large the miniature is.

    Parameters
    ----------
    tracts
        Tracts of the sky map ``DC2``; each gets its own visits, pointed at its centre.
    visits
        Visits for each tract; they cycle through the bands.
    detectors
        Detectors (0 to 188) that have raws. Neighbours, so that the visits of a tract overlap.
    bands
        Some of ugrizy.
    pixels
        Pixels along a detector's x side (the real one has 4072).
    seed
        Of everything that is random.
    """

    tracts: tuple[int, ...] = (3828,)
    visits: int = 4
    detectors: tuple[int, ...] = (90, 91, 93, 94)
    bands: tuple[str, ...] = ("r",)
    pixels: int = 128
    seed: int = 1

    def __post_init__(self) -> None:
        problems = [
            (not self.tracts or len(set(self.tracts)) < len(self.tracts), "tracts", "different tracts"),
            (any(not 0 < tract < 18937 for tract in self.tracts), "tracts", "tracts from 1 to 18936"),
            (self.visits < len(self.bands), "visits", "at least one visit for each band"),
            (
                not self.detectors
                or len(set(self.detectors)) < len(self.detectors)
                or any(not 0 <= detector < len(DETECTORS) for detector in self.detectors),
                "detectors",
                "different detectors from 0 to 188",
            ),
            (not self.bands or not set(self.bands) <= set(BANDS), "bands", "some of u g r i z y"),
            (not 32 <= self.pixels <= 4072, "pixels", "32 to 4072 pixels"),
        ]
        for wrong, name, expected in problems:
            if wrong:
                raise SandboxError(
                    f"{name} {getattr(self, name)!r} cannot be used for a sandbox; expected {expected}"
                )

    @classmethod
    def from_mapping(cls, options: Mapping[str, Any]) -> "SandboxSize":
        """Return the size that `to_mapping` gave."""
        words: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in options.items()
        }
        return cls(**words)

    def to_mapping(self) -> dict[str, Any]:
        """Return the options as plain lists and numbers."""
        return {
            name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()
        }


TWO_TRACTS = SandboxSize(tracts=(3828, 3829), visits=3, detectors=(93, 94))
"""Both tracts of DC2's ``test-med-1``, each in small."""


@dataclass(frozen=True)
class Visit:
    """One visit, which is one exposure.

    Parameters
    ----------
    id
        The number of the visit and of its exposure; as text it names the group.
    tract
        The tract at which it points.
    band
        One of ugrizy.
    ra, dec
        The boresight, ICRS degrees.
    mjd
        Start of the exposure, TAI, days.
    exposure_time
        Seconds.
    seeing
        Full width at half maximum of a star, arcseconds.
    """

    id: int
    tract: int
    band: str
    ra: float
    dec: float
    mjd: float
    exposure_time: float
    seeing: float
    seq_num: int
    day_obs: int

    @property
    def physical_filter(self) -> str:
        """The filter's name."""
        return physical_filter(self.band)

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


@dataclass(frozen=True)
class Survey:
    """The miniature survey of a size: the sky map, the visits and where each detector looks."""

    size: SandboxSize
    skymap: RingsSkyMap = field(default_factory=RingsSkyMap)

    @property
    def scale(self) -> float:
        """Arcseconds per pixel of the miniature images."""
        return DETECTOR_SIZE[0] / self.size.pixels

    @property
    def detector_box(self) -> Box:
        """The size of a detector's image."""
        return Box(0, 0, self.size.pixels, round(DETECTOR_SIZE[1] / self.scale))

    @cached_property
    def visits(self) -> tuple[Visit, ...]:
        """All visits in the order of time."""
        rng = np.random.default_rng([self.size.seed, 1])
        found = []
        for number in range(self.size.visits):
            for place, tract in enumerate(self.size.tracts):
                ra, dec = self._pointing(tract, *rng.uniform(-_DITHER, _DITHER, 2))
                night = _FIRST_NIGHT + number * _NIGHTS_BETWEEN
                found.append(
                    Visit(
                        id=_FIRST_VISIT + 100 * number + place,
                        tract=tract,
                        band=self.size.bands[number % len(self.size.bands)],
                        ra=ra,
                        dec=dec,
                        mjd=night + 0.2 + place / 1440,
                        exposure_time=30.0,
                        seeing=float(rng.uniform(0.65, 1.0)),
                        seq_num=place + 1,
                        day_obs=_day_obs(night),
                    )
                )
        return tuple(found)

    def _pointing(self, tract: int, east: float, north: float) -> tuple[float, float]:
        # The middle of the chosen detectors shall fall on the tract's centre.
        centre_x = np.mean([DETECTORS[detector].x for detector in self.size.detectors]) / 3600
        centre_y = np.mean([DETECTORS[detector].y for detector in self.size.detectors]) / 3600
        ra, dec = self.skymap.centre(tract)
        return offset(ra, dec, float(centre_x) + east, -float(centre_y) + north)

    def detector_wcs(self, visit: Visit, detector: int) -> TangentWcs:
        """Return the projection of a detector's image: the tangent point is the boresight."""
        place, box = DETECTORS[detector], self.detector_box
        x = (box.width - 1) / 2 - place.x / self.scale
        y = (box.height - 1) / 2 - place.y / self.scale
        return TangentWcs(visit.ra, visit.dec, x, y, self.scale)


def _day_obs(mjd: int) -> int:
    day = np.datetime64("1858-11-17") + np.timedelta64(mjd, "D")
    return int(str(day).replace("-", ""))
