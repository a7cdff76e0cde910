"""Simulated sky: constant stars and galaxies, and everything that changes.

The miniature shrinks the detector, not the star: a point source is as many pixels wide as on the real camera
(seeing over 0.2 arcsec), although a miniature pixel covers more sky. So sizes, speeds and densities are given in
pixels. Fluxes are in nJy above the atmosphere. Everything is drawn from the survey's seed.
"""

__all__ = ["DENSITY_AREA", "KINDS", "Sky"]

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .geometry import TangentWcs
from .survey import Survey
from .visit import Visit

type Floats = NDArray[np.float64]
type Integers = NDArray[np.int64]

DENSITY_AREA = 40_000
"""The pixels to which the densities below refer."""
_STARS, _GALAXIES, _VARIABLES, _SUPERNOVAE, _MOVERS, _FLASHES = 60, 24, 9, 9, 3, 2
KINDS = ("variable", "supernova", "mover", "flash")
"""The kinds of sources that change on this sky."""

_MARGIN = 1.15  # simulate a little more sky than the detectors see
_APART = 8.0  # least distance of sources that change and do not move, pixels: this sky is not crowded
_FAINTEST, _BRIGHTEST = 10**3.9, 10**6.3
_CATALOGUED = 10**4.1  # nJy in r
_CATALOGUE_ERRORS = 0.02, 0.01  # pixels along an axis, and a part of the flux
_SHORT_PERIODS, _LONG_PERIODS = (0.4, 11.0), (200.0, 500.0)  # days
_PIXELS_A_DAY = (6.0, 25.0)


@dataclass(frozen=True)
class Stars:
    """Stars that do not change: ID, position (ICRS degrees) and flux in each band, [star, band]."""

    id: Integers
    ra: Floats
    dec: Floats
    flux: Floats


@dataclass(frozen=True)
class Galaxies(Stars):
    """Exponential discs: half-light radius (pixels), axis ratio and position angle (degrees) as well."""

    radius: Floats
    ratio: Floats
    angle: Floats


@dataclass(frozen=True)
class Changing:
    """The changing sources of one visit: ID, index into `KINDS`, position, and flux in its band."""

    id: Integers
    kind: Integers
    ra: Floats
    dec: Floats
    flux: Floats


@dataclass(frozen=True)
class Sky:
    """The sky around each tract.

    Parameters
    ----------
    survey
        The survey that observes it.
    """

    survey: Survey

    def stars(self, tract: int) -> Stars:
        """Return the constant stars, many faint and few bright; the reference catalogue lists some of them."""
        rng = self._rng(tract, 2)
        ra, dec = self._positions(tract, rng, _STARS)
        # Counts grow as flux to the power of -1/2.
        low, high = _BRIGHTEST**-0.5, _FAINTEST**-0.5
        flux = rng.uniform(low, high, len(ra)) ** -2
        return Stars(_ids(tract, 8, len(ra)), ra, dec, flux[:, None] * self._colours(rng, len(ra)))

    def catalogue(self, tract: int) -> Stars:
        """Return the brighter constant stars as a reference catalogue has them, with its errors."""
        rng, stars = self._rng(tract, 9), self.stars(tract)
        wcs, _ = self._fields[tract]
        (x, y), (shift, relative) = wcs.to_pixel(stars.ra, stars.dec), _CATALOGUE_ERRORS
        ra, dec = wcs.to_sky(x + rng.normal(0, shift, len(x)), y + rng.normal(0, shift, len(y)))
        flux = stars.flux * (1 + rng.normal(0, relative, stars.flux.shape))
        listed = stars.flux[:, self._bands.index("r")] > _CATALOGUED
        return Stars(stars.id[listed], ra[listed], dec[listed], flux[listed])

    def galaxies(self, tract: int) -> Galaxies:
        """Return the galaxies, which host the supernovae."""
        rng = self._rng(tract, 4)
        ra, dec = self._positions(tract, rng, _GALAXIES)
        number = len(ra)
        flux = 10 ** rng.uniform(3.6, 4.8, number)
        return Galaxies(
            _ids(tract, 9, number),
            ra,
            dec,
            flux[:, None] * self._colours(rng, number),
            radius=rng.uniform(0.8, 2.8, number),
            ratio=rng.uniform(0.4, 1.0, number),
            angle=rng.uniform(0, 180, number),
        )

    def changing(self, visit: Visit) -> Changing:
        """Return the sources that change, as they are in a visit."""
        parts = [self._variables(visit), self._supernovae(visit), self._movers(visit), self._flashes(visit)]
        kinds = [np.full(len(part[0]), kind) for kind, part in enumerate(parts)]
        ids = [_ids(visit.tract, kind, len(part[0])) for kind, part in enumerate(parts)]
        # A flash belongs to one visit, and so does its ID.
        ids[3] = ids[3] + 1000 * (self.survey.visits.index(visit) + 1)
        columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
        return Changing(np.concatenate(ids), np.concatenate(kinds), *columns)

    def _variables(self, visit: Visit) -> tuple[Floats, Floats, Floats]:
        """Return pulsating stars, the same in all bands; slow ones in a survey with a season for templates."""
        ra, dec, rng = self._fixed(visit.tract)[0]
        number, slow = len(ra), self.survey.size.template_visits > 0
        mean = 10 ** rng.uniform(4.3, 5.2, number)
        amplitude = rng.uniform(0.15, 0.3, number)
        period = rng.uniform(*(_LONG_PERIODS if slow else _SHORT_PERIODS), number)
        phase = rng.uniform(0, 2 * np.pi, number)
        return ra, dec, mean * (1 + amplitude * np.sin(2 * np.pi * visit.mjd / period + phase))

    def _supernovae(self, visit: Visit) -> tuple[Floats, Floats, Floats]:
        """Return supernovae, with the light curve of Bazin et al. (2009, A&A 499, 653), equation 1."""
        ra, dec, rng = self._fixed(visit.tract)[1]
        number, visits = len(ra), self.survey.science_visits
        begin, end = visits[0].mjd, visits[-1].mjd
        start = rng.uniform(begin - 1, begin + 0.6 * (end - begin), number)
        rise, fall = rng.uniform(1.5, 3, number), rng.uniform(12, 30, number)
        peak = 10 ** rng.uniform(4.0, 5.0, number)
        colour = self._colours(rng, number)[:, self._bands.index(visit.band)]
        time = visit.mjd - start
        # Long before the rise the exponentials would overflow.
        time = np.maximum(time, -30 * rise)
        return ra, dec, peak * colour * np.exp(-time / fall) / (1 + np.exp(-time / rise))

    def _movers(self, visit: Visit) -> tuple[Floats, Floats, Floats]:
        """Return asteroids: at constant speed along a straight line, too slow to leave a trail."""
        rng = self._rng(visit.tract, 6)
        days = self.survey.visits[-1].mjd - self.survey.visits[0].mjd
        speed = np.mean(_PIXELS_A_DAY)
        wcs, (low, high) = self._fields[visit.tract]
        # On average each visit then sees the number that is meant for one visit.
        crossing = float(np.sqrt(np.prod(high - low))) / speed
        number = max(1, round(_MOVERS * self._area(visit.tract) * max(1.0, days / crossing)))
        x, y = rng.uniform(low, high, (number, 2)).T
        when = self.survey.visits[0].mjd + rng.uniform(0, max(days, 1.0), number)
        angle, speeds = rng.uniform(0, 2 * np.pi, number), rng.uniform(*_PIXELS_A_DAY, number)
        flux = 10 ** rng.uniform(3.9, 4.8, number)
        step = speeds * (visit.mjd - when)
        x, y = x + step * np.cos(angle), y + step * np.sin(angle)
        # Far from the tangent point the plane is no approximation, and no detector points there.
        near = (np.abs(x - wcs.x) < 20_000) & (np.abs(y - wcs.y) < 20_000)
        ra, dec = wcs.to_sky(np.where(near, x, 20_000), np.where(near, y, 20_000))
        return ra, dec, flux

    def _flashes(self, visit: Visit) -> tuple[Floats, Floats, Floats]:
        """Return sources that shine only in this visit."""
        rng = self._rng(visit.tract, 5, visit.id)
        ra, dec = self._positions(visit.tract, rng, _FLASHES)
        return ra, dec, 10 ** rng.uniform(3.9, 4.9, len(ra))

    def _fixed(self, tract: int) -> list[tuple[Floats, Floats, np.random.Generator]]:
        """Return the positions of variables and supernovae, far from each other, and a generator for each kind."""
        rng, galaxies = self._rng(tract, 3), self.galaxies(tract)
        wcs, _ = self._fields[tract]
        ra, dec = self._positions(tract, rng, _VARIABLES)
        hosts = rng.permutation(len(galaxies.id))[: self._number(tract, _SUPERNOVAE)]
        x, y = wcs.to_pixel(galaxies.ra[hosts], galaxies.dec[hosts])
        away = galaxies.radius[hosts] * rng.uniform(0.3, 1.5, len(hosts))
        angle = rng.uniform(0, 2 * np.pi, len(hosts))
        host_ra, host_dec = wcs.to_sky(x + away * np.cos(angle), y + away * np.sin(angle))
        ras, decs = np.concatenate([ra, host_ra]), np.concatenate([dec, host_dec])
        free = _apart(*wcs.to_pixel(ras, decs), _APART)
        parts = [free[: len(ra)], free[len(ra) :]]
        return [
            (ra[parts[0]], dec[parts[0]], self._rng(tract, 3, 1)),
            (host_ra[parts[1]], host_dec[parts[1]], self._rng(tract, 3, 2)),
        ]

    def _rng(self, *keys: int) -> np.random.Generator:
        return np.random.default_rng([self.survey.size.seed, *keys])

    def _colours(self, rng: np.random.Generator, number: int) -> Floats:
        """Return factors of the flux in each band."""
        slope = rng.normal(0.15, 0.15, (number, 1))
        return np.asarray(np.exp(slope * (np.arange(len(self._bands)) - self._bands.index("r"))), float)

    @property
    def _bands(self) -> tuple[str, ...]:
        return self.survey.camera.bands

    def _area(self, tract: int) -> float:
        _, (low, high) = self._fields[tract]
        return float(np.prod(high - low)) / DENSITY_AREA

    def _number(self, tract: int, density: float) -> int:
        return max(1, round(density * self._area(tract)))

    def _positions(self, tract: int, rng: np.random.Generator, density: float) -> tuple[Floats, Floats]:
        wcs, (low, high) = self._fields[tract]
        x, y = rng.uniform(low, high, (self._number(tract, density), 2)).T
        return wcs.to_sky(x, y)

    @cached_property
    def _fields(self) -> dict[int, tuple[TangentWcs, tuple[Floats, Floats]]]:
        """The part of each tract that its visits see, as a box of miniature pixels."""
        survey, fields, box = self.survey, {}, self.survey.detector_box
        for tract in survey.size.tracts:
            wcs = TangentWcs(*survey.skymap.centre(tract), 0.0, 0.0, survey.scale)
            corners: list[Any] = []
            for visit in (visit for visit in survey.visits if visit.tract == tract):
                for detector in survey.size.detectors:
                    there = survey.detector_wcs(visit, detector)
                    sky = there.to_sky([0, box.width, box.width, 0], [0, 0, box.height, box.height])
                    corners.append(wcs.to_pixel(*sky))
            xy = np.concatenate(corners, axis=1)
            middle, half = (xy.min(1) + xy.max(1)) / 2, (xy.max(1) - xy.min(1)) / 2
            fields[tract] = wcs, (middle - _MARGIN * half, middle + _MARGIN * half)
        return fields


def _ids(tract: int, kind: int, number: int) -> Integers:
    return (tract * 10 + kind) * 10**6 + np.arange(number)


def _apart(x: Floats, y: Floats, distance: float) -> NDArray[np.bool_]:
    """Tell which points are farther than a distance from all previous ones that are kept."""
    kept: list[int] = []
    for index in range(len(x)):
        if all(np.hypot(x[index] - x[other], y[index] - y[other]) > distance for other in kept):
            kept.append(index)
    free = np.zeros(len(x), bool)
    free[kept] = True
    return free
