"""The simulated sky and the camera that takes raws of it.

The miniature shrinks the detector, not the star: a point source is as many pixels wide as on the real
camera (seeing over 0.2 arcsec), although a miniature pixel covers more sky. Fluxes are in nJy.
"""

__all__ = ["NJY_PER_COUNT", "CalibrationFrames", "Sky", "psf_sigma", "render", "take_raw"]

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from apcampaign.sandbox.exposure import Exposure
from apcampaign.sandbox.geometry import Box, TangentWcs
from apcampaign.sandbox.survey import BANDS, Survey, Visit
from numpy.typing import NDArray

type Floats = NDArray[np.float64]

NJY_PER_COUNT = 2.0
_SKY_COUNTS = 800.0
_READ_NOISE = 7.0
# For each detector's worth of sky.
_STARS, _VARIABLES, _FLASHES = 18, 7, 3
_MARGIN = 1.15  # simulate a little more sky than the detectors see


def psf_sigma(seeing: float) -> float:
    """Return the width (Gaussian sigma, pixels) of a star at a seeing (FWHM, arcseconds)."""
    return seeing / 0.2 / float(np.sqrt(8 * np.log(2)))


@dataclass(frozen=True)
class Sources:
    """Point sources: positions (ICRS degrees) and fluxes (nJy)."""

    ra: Floats
    dec: Floats
    flux: Floats

    def __add__(self, other: "Sources") -> "Sources":
        return Sources(
            *(np.concatenate([getattr(self, n), getattr(other, n)]) for n in ("ra", "dec", "flux"))
        )


@dataclass(frozen=True)
class Sky:
    """What is on the sky around each tract: constant stars, variables, and flashes seen in one visit only."""

    survey: Survey

    def stars(self, tract: int, band: str) -> Sources:
        """Return the constant stars, the reference catalogue among them."""
        rng = self._rng(tract, 2)
        ra, dec = self._positions(tract, rng, _STARS)
        colours = rng.normal(0.0, 0.2, (len(ra), len(BANDS)))
        flux = 10 ** rng.uniform(4.6, 5.6, len(ra)) * np.exp(colours[:, BANDS.index(band)])
        return Sources(ra, dec, flux)

    def variables(self, tract: int, visit: Visit) -> Sources:
        """Return the variable sources at the brightness that they have in a visit."""
        rng = self._rng(tract, 3)
        ra, dec = self._positions(tract, rng, _VARIABLES)
        mean = 10 ** rng.uniform(4.7, 5.0, len(ra))
        period, phase = rng.uniform(5, 11, len(ra)), rng.uniform(0, 2 * np.pi, len(ra))
        return Sources(ra, dec, mean * (1 + 0.9 * np.sin(2 * np.pi * visit.mjd / period + phase)))

    def flashes(self, tract: int, visit: Visit) -> Sources:
        """Return what shines in this visit only."""
        rng = self._rng(tract, 5, visit.id)
        ra, dec = self._positions(tract, rng, _FLASHES)
        return Sources(ra, dec, 10 ** rng.uniform(4.4, 5.0, len(ra)))

    def sources(self, visit: Visit) -> Sources:
        """Return everything that shines on a visit."""
        tract = visit.tract
        return self.stars(tract, visit.band) + self.variables(tract, visit) + self.flashes(tract, visit)

    def _rng(self, *words: int) -> np.random.Generator:
        return np.random.default_rng([self.survey.size.seed, *words])

    def _positions(self, tract: int, rng: np.random.Generator, density: int) -> tuple[Floats, Floats]:
        wcs, (low, high) = self._fields[tract]
        area = float(np.prod(high - low)) / (self.survey.detector_box.width * self.survey.detector_box.height)
        x, y = rng.uniform(low, high, (int(density * area), 2)).T
        return wcs.to_sky(x, y)

    @cached_property
    def _fields(self) -> dict[int, tuple[TangentWcs, tuple[Floats, Floats]]]:
        """The part of each tract that its visits see, as a box of miniature pixels."""
        survey, fields = self.survey, {}
        for tract in survey.size.tracts:
            ra, dec = survey.skymap.centre(tract)
            wcs = TangentWcs(ra, dec, 0.0, 0.0, survey.scale)
            corners: list[Any] = []
            for visit in (visit for visit in survey.visits if visit.tract == tract):
                for detector in survey.size.detectors:
                    box = survey.detector_box
                    there = survey.detector_wcs(visit, detector)
                    corners.append(
                        wcs.to_pixel(
                            *there.to_sky([0, box.width, box.width, 0], [0, 0, box.height, box.height])
                        )
                    )
            xy = np.concatenate(corners, axis=1)
            middle, half = (xy.min(1) + xy.max(1)) / 2, (xy.max(1) - xy.min(1)) / 2
            fields[tract] = wcs, (middle - _MARGIN * half, middle + _MARGIN * half)
        return fields


def render(sources: Sources, wcs: TangentWcs, box: Box, sigma: float) -> Floats:
    """Return the image (nJy per pixel) of point sources seen through a Gaussian point-spread function."""
    image = np.zeros((box.height, box.width))
    xs, ys = wcs.to_pixel(sources.ra, sources.dec)
    reach = int(np.ceil(5 * sigma))
    for x, y, flux in zip(xs, ys, sources.flux, strict=True):
        left, low = max(0, round(x) - reach), max(0, round(y) - reach)
        right, high = min(box.width, round(x) + reach + 1), min(box.height, round(y) + reach + 1)
        if left >= right or low >= high:
            continue
        across = np.exp(-0.5 * ((np.arange(left, right) - x) / sigma) ** 2)
        along = np.exp(-0.5 * ((np.arange(low, high) - y) / sigma) ** 2)
        image[low:high, left:right] += flux / (2 * np.pi * sigma**2) * np.outer(along, across)
    return image


@dataclass(frozen=True)
class CalibrationFrames:
    """What the camera does to the light that falls on a detector: counts for each pixel."""

    bias: Exposure
    dark: Exposure
    flat: Exposure

    @classmethod
    def of(cls, survey: Survey, detector: int) -> "CalibrationFrames":
        """Make the frames of a detector; every band has the same flat."""
        rng = np.random.default_rng([survey.size.seed, 6, detector])
        box = survey.detector_box
        y, x = np.mgrid[: box.height, : box.width]
        bias = 1000 + rng.normal(0, 3, (1, box.width)) + rng.normal(0, 1, (box.height, box.width))
        dark = np.abs(rng.normal(0.1, 0.05, (box.height, box.width)))  # counts each second
        flat = 1 - 0.1 * ((x / box.width - 0.5) ** 2 + (y / box.height - 0.5) ** 2)
        flat *= rng.normal(1, 0.01, flat.shape)
        mask = np.zeros(flat.shape, np.uint8)
        return cls(
            *(
                Exposure(frame.astype(np.float32), np.zeros(flat.shape, np.float32), mask)
                for frame in (bias, dark, flat)
            )
        )


def take_raw(sky: Sky, visit: Visit, detector: int, frames: CalibrationFrames) -> Exposure:
    """Return what the camera reads out, in counts, noise included."""
    survey = sky.survey
    wcs, box = survey.detector_wcs(visit, detector), survey.detector_box
    rng = np.random.default_rng([survey.size.seed, 7, visit.id, detector])
    light = _SKY_COUNTS + render(sky.sources(visit), wcs, box, psf_sigma(visit.seeing)) / NJY_PER_COUNT
    signal = light * frames.flat.image + frames.dark.image * visit.exposure_time
    counts = frames.bias.image + rng.poisson(signal) + rng.normal(0, _READ_NOISE, signal.shape)
    variance = np.full(counts.shape, _READ_NOISE**2, np.float32)
    mask = np.zeros(counts.shape, np.uint8)
    return Exposure(counts.astype(np.float32), variance, mask, wcs, visit.info(detector))
