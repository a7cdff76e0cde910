"""Miniature survey: which visits there are, where they point, and which detectors see the sky.

A survey may reserve its first visits for templates: they are taken in good seeing, and the others months later,
so that the templates do not contain what is new on the sky.

Pure: a `SandboxSize` in, `Visit` objects out. The schedule is the same for the same size.
"""

__all__ = ["DEMO", "SandboxSize", "SizeError", "Survey"]

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..common.errors import SandboxError
from .cameras import CAMERAS, IMSIM, Camera
from .flaws import Flaw, draw_flaws
from .geometry import Box, TangentWcs
from .pointing import border_of, misplace, neighbour_of, point_camera
from .skymap import RingsSkyMap
from .visit import Visit

_FIRST_NIGHT = 60_960  # MJD of 2025-10-12
_NIGHTS_BETWEEN = 3
_SEASON_BREAK = 60  # nights between the visits of the templates and the others
_DITHER = 0.01  # degrees
_ROTATION = 6.0  # degrees to either side
_BESIDE = 1.3  # detectors' widths from the other visits, so that one of two neighbours has no template
_LOST = 90.0  # degrees
_SEEING = (0.62, 0.95)  # arcseconds
_GOOD_SEEING = (0.62, 0.8)
# Electrons that a pixel collects from the sky.
_SKY = {"u": 300.0, "g": 500.0, "r": 800.0, "i": 1000.0, "z": 1200.0, "y": 1500.0, "VR": 900.0, "N708": 300.0}


class SizeError(SandboxError):
    """A size that a sandbox cannot have.

    Parameters
    ----------
    name, value
        The parameter, and what was given for it.
    expected
        As for `ApcampaignError`.
    """

    def __init__(self, name: str, value: Any, expected: str):
        shown = ",".join(map(str, value)) if isinstance(value, tuple) else value
        super().__init__(f"{name.replace('_', ' ')} {shown} cannot be used for a sandbox", expected=expected)
        self.name = name


@dataclass(frozen=True)
class SandboxSize:
    """How large the miniature is.

    Parameters
    ----------
    tracts
        Tracts of the camera's skymap; each has its own visits, pointed at its centre.
    visits
        Number of visits of each tract; they cycle through the bands.
    detectors
        Detectors that have raw images; neighbours, so that the visits of a tract overlap.
    bands
        Some of the camera's.
    pixels
        Pixels along a detector's x side (one of LSSTCam has 4072).
    seed
        Random seed.
    template_visits
        Number of initial visits used only for templates (0: use every visit for both steps).
    unkind
        The fraction of the (visit, detector)s that have each flaw (`apcampaign.sandbox.flaws`). If it is not 0,
        the visits of a tract also lie on its border, and the last one of a campaign with template visits partly
        off the templates.
    instrument
        The camera, by the name of its instrument.
    """

    tracts: tuple[int, ...] = (3828,)
    visits: int = 4
    detectors: tuple[int, ...] = (90, 91, 93, 94)
    bands: tuple[str, ...] = ("r",)
    pixels: int = 200
    seed: int = 1
    template_visits: int = 0
    unkind: float = 0.0
    instrument: str = IMSIM

    def __post_init__(self) -> None:
        if self.instrument not in CAMERAS:
            raise SandboxError(
                f"there is no miniature of the camera {self.instrument!r}",
                expected=f"one of {', '.join(CAMERAS)}",
            )
        known, bands = self.camera.science_detectors, self.camera.bands
        problems = [
            (not self.tracts or len(set(self.tracts)) < len(self.tracts), "tracts", "different tracts"),
            (any(not 0 < tract < 18937 for tract in self.tracts), "tracts", "tracts from 1 to 18936"),
            (self.visits < len(self.bands), "visits", "at least one visit for each band"),
            (self.visits > 10_000, "visits", "at most 10,000 visits"),
            (
                not self.detectors
                or len(set(self.detectors)) < len(self.detectors)
                or not set(self.detectors) <= set(known),
                "detectors",
                f"different detectors from {min(known)} to {max(known)}",
            ),
            (not self.bands or not set(self.bands) <= set(bands), "bands", f"some of {' '.join(bands)}"),
            (not 32 <= self.pixels <= 4072, "pixels", "32 to 4072 pixels"),
            (
                not (self.template_visits == 0 or len(self.bands) <= self.template_visits < self.visits),
                "template_visits",
                "0, or at least one for each band and fewer than all visits",
            ),
            (not 0 <= self.unkind <= 1, "unkind", "a fraction from 0 to 1"),
        ]
        for wrong, name, expected in problems:
            if wrong:
                raise SizeError(name, getattr(self, name), expected)

    @property
    def camera(self) -> Camera:
        """The camera."""
        return CAMERAS[self.instrument]

    @classmethod
    def from_mapping(cls, options: Mapping[str, Any]) -> "SandboxSize":
        """Return the size that `to_mapping` has written."""
        arguments: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in options.items()
        }
        return cls(**arguments)

    def to_mapping(self) -> dict[str, Any]:
        """Return the options as plain lists and numbers."""
        return {
            name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()
        }


DEMO = SandboxSize(visits=12, template_visits=6, detectors=(93, 94), bands=("g", "r"), seed=7, unkind=0.02)
"""A season for templates in two bands, and a science season months later; the sky is unkind now and then."""


@dataclass(frozen=True)
class Survey:
    """The miniature survey of a size: the skymap, the visits and where each detector points."""

    size: SandboxSize

    @property
    def camera(self) -> Camera:
        """The camera."""
        return self.size.camera

    @property
    def skymap(self) -> RingsSkyMap:
        """The skymap with which its data are processed."""
        return self.camera.skymap

    @property
    def scale(self) -> float:
        """Arcseconds per pixel of the miniature images."""
        return self.camera.detector_size[0] / self.size.pixels

    @property
    def detector_box(self) -> Box:
        """The size of a detector's image."""
        return Box(0, 0, self.size.pixels, round(self.camera.detector_size[1] / self.scale))

    @cached_property
    def visits(self) -> tuple[Visit, ...]:
        """All visits in time order."""
        return tuple(
            self._visit(number, place, tract)
            for number in range(self.size.visits)
            for place, tract in enumerate(self.size.tracts)
        )

    @property
    def template_visits(self) -> tuple[Visit, ...]:
        """The visits that templates are made of."""
        return self.visits[: (self.size.template_visits or self.size.visits) * len(self.size.tracts)]

    @property
    def science_visits(self) -> tuple[Visit, ...]:
        """The visits that are searched for changes of the sky."""
        return self.visits[self.size.template_visits * len(self.size.tracts) :]

    @property
    def tracts(self) -> tuple[int, ...]:
        """The tracts on which its visits lie."""
        found = self.size.tracts
        if self.size.unkind:
            found += tuple(neighbour_of(self.skymap, tract) for tract in found)
        return tuple(sorted(set(found)))

    @cached_property
    def flaws(self) -> Mapping[tuple[int, int], Flaw]:
        """What is wrong with the image of a (visit, detector)."""
        images = ((visit.id, detector) for visit in self.visits for detector in self.size.detectors)
        return draw_flaws(images, self.size.unkind, self.size.seed)

    def is_bad(self, visit: Visit, detector: int) -> bool:
        """Tell whether the image of a detector cannot be calibrated."""
        return self.flaws.get((visit.id, detector)) in (Flaw.CLOUDY, Flaw.LOST)

    def _visit(self, number: int, place: int, tract: int) -> Visit:
        rng = np.random.default_rng([self.size.seed, 1, number, tract])
        rotation = float(rng.uniform(-_ROTATION, _ROTATION))
        beside = self.size.template_visits > 0 and (number, place) == (self.size.visits - 1, 0)
        unkind = self.size.unkind > 0
        ra, dec = point_camera(
            self.camera,
            border_of(self.skymap, tract) if unkind else self.skymap.centre(tract),
            self.size.detectors,
            rotation,
            dither=(rng.uniform(-_DITHER, _DITHER), rng.uniform(-_DITHER, _DITHER)),
            beside=_BESIDE if unkind and beside else 0.0,
        )
        for_template = number < self.size.template_visits
        pause = _SEASON_BREAK if self.size.template_visits and not for_template else 0
        night = _FIRST_NIGHT + number * _NIGHTS_BETWEEN + pause
        band = self.size.bands[number % len(self.size.bands)]
        day_obs, first, mjd = _day_obs(night), self.camera.first_visit, night + 0.2 + place / 1440
        visit = day_obs * 100_000 + place + 1 if first is None else first + 100 * number + place
        return Visit(
            id=visit,
            tract=tract,
            band=band,
            physical_filter=self.camera.filters[band],
            group=_moment(mjd) if self.camera.groups_by_time else str(visit),
            ra=ra,
            dec=dec,
            mjd=mjd,
            exposure_time=30.0,
            seeing=float(rng.uniform(*(_GOOD_SEEING if for_template else _SEEING))),
            seq_num=place + 1,
            day_obs=day_obs,
            rotation=rotation,
            sky=_SKY[band] * float(rng.uniform(0.85, 1.3)),
            transparency=float(rng.uniform(0.8, 1.0)),
            ellipticity=(float(rng.normal(0, 0.02)), float(rng.normal(0, 0.02))),
            pointing_error=(float(rng.normal(0, 1.0)), float(rng.normal(0, 1.0)), float(rng.normal(0, 0.03))),
        )

    def detector_wcs(self, visit: Visit, detector: int) -> TangentWcs:
        """Return the projection of a detector's image: the tangent point is the boresight."""
        place, box = self.camera.science_detectors[detector], self.detector_box
        x = (box.width - 1) / 2 - place.x / self.scale
        y = (box.height - 1) / 2 - place.y / self.scale
        return TangentWcs(visit.ra, visit.dec, x, y, self.scale, visit.rotation)

    def header_wcs(self, visit: Visit, detector: int) -> TangentWcs:
        """Return the projection in a raw's header, with the error of the telescope's pointing."""
        true, (right, up, turn) = self.detector_wcs(visit, detector), visit.pointing_error
        if self.flaws.get((visit.id, detector)) is Flaw.LOST:
            turn += _LOST
        return misplace(true, self.detector_box, right, up, turn)


def _moment(mjd: float) -> str:
    return str(np.datetime64("1858-11-17", "ms") + np.timedelta64(round(mjd * 86_400_000), "ms"))


def _day_obs(mjd: int) -> int:
    day = np.datetime64("1858-11-17") + np.timedelta64(mjd, "D")
    return int(str(day).replace("-", ""))
