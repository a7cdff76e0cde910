"""Camera simulation: raw images of the simulated sky.

Stars and galaxies are drawn by GalSim (Rowe et al. 2015, Astronomy and Computing 10, 121) through a Moffat
profile (Moffat 1969, A&A 3, 455). Light is in electrons, a raw in counts.
"""

__all__ = ["FULL_WELL", "NJY_PER_ELECTRON", "CalibrationFrames", "Electronics", "draw_light", "take_raw"]

from dataclasses import dataclass
from typing import Any

import galsim
import numpy as np
from numpy.typing import NDArray

from .exposure import MEMORY, Exposure
from .flaws import Flaw
from .geometry import Box
from .sky import DENSITY_AREA, Sky
from .survey import Survey
from .visit import Visit

type Floats = NDArray[np.float64]

NJY_PER_ELECTRON = 2.0
"""The flux that makes one electron through a perfectly transparent atmosphere."""
FULL_WELL = 40_000.0
"""The electrons that a pixel can hold."""
_COSMIC_RAYS = 10  # for each `DENSITY_AREA`
_BETA = 3.5
_CROWDED = 1000.0  # MiB to calibrate it
_FAINT_REACH, _BRIGHT_REACH, _BRIGHT = 20, 45, 10**5  # pixels, pixels, nJy


@dataclass(frozen=True)
class Electronics:
    """Properties of a detector's electronics.

    Parameters
    ----------
    gain
        Electrons per count.
    read_noise
        Electrons.
    saturation
        Counts above the bias at which a pixel is full.
    """

    gain: float
    read_noise: float
    saturation: float

    @classmethod
    def of(cls, survey: Survey, detector: int) -> "Electronics":
        """Return the electronics of a detector."""
        rng = np.random.default_rng([survey.size.seed, 8, detector])
        gain = float(rng.uniform(0.9, 1.3))
        return cls(gain, float(rng.uniform(5, 8)), FULL_WELL / gain)


@dataclass(frozen=True)
class CalibrationFrames:
    """The calibration frames of a detector.

    Parameters
    ----------
    bias
        Counts.
    dark
        Electrons per second; a hot column has very many.
    flat
        The fraction of the light that a pixel registers; nearly zero in a dead column.
    """

    bias: Exposure
    dark: Exposure
    flat: Exposure

    @classmethod
    def of(cls, survey: Survey, detector: int) -> "CalibrationFrames":
        """Make the frames of a detector; every band has the same flat."""
        rng = np.random.default_rng([survey.size.seed, 6, detector])
        box = survey.detector_box
        shape = box.height, box.width
        y, x = np.mgrid[: box.height, : box.width]
        bias = 1000 + rng.normal(0, 3, (1, box.width)) + rng.normal(0, 1, shape)
        dark = np.abs(rng.normal(0.1, 0.05, shape))
        flat = 1 - 0.3 * ((x / box.width - 0.5) ** 2 + (y / box.height - 0.5) ** 2)
        flat *= rng.normal(1, 0.01, shape)
        dead, hot = rng.choice(box.width, 2, replace=False)
        flat[rng.integers(box.height) :, dead] = 0.01
        dark[: rng.integers(box.height), hot] += 200
        mask, none = np.zeros(shape, np.uint8), np.zeros(shape, np.float32)
        return cls(*(Exposure(frame.astype(np.float32), none, mask) for frame in (bias, dark, flat)))


def take_raw(sky: Sky, visit: Visit, detector: int, frames: CalibrationFrames) -> Exposure:
    """Return a raw image: counts with the noise of sources, sky and electronics, and cosmic rays."""
    survey, wires = sky.survey, Electronics.of(sky.survey, detector)
    box = survey.detector_box
    rng = np.random.default_rng([survey.size.seed, 7, visit.id, detector])
    light = np.full((box.height, box.width), visit.sky)
    flaw = survey.flaws.get((visit.id, detector))
    if flaw is not Flaw.CLOUDY:
        light += draw_light(sky, visit, detector) * visit.transparency / NJY_PER_ELECTRON
    expected = np.maximum(light, 0) * frames.flat.image + frames.dark.image * visit.exposure_time
    electrons = rng.poisson(expected) + _cosmic_rays(box, rng)
    electrons = np.minimum(electrons, FULL_WELL) + rng.normal(0, wires.read_noise, electrons.shape)
    counts = np.round(frames.bias.image + electrons / wires.gain)
    return Exposure(
        counts.astype(np.float32),
        np.zeros(counts.shape, np.float32),
        np.zeros(counts.shape, np.uint8),
        survey.header_wcs(visit, detector),
        visit.info(detector),
        summary={MEMORY: _CROWDED} if flaw is Flaw.CROWDED else {},
    )


def draw_light(sky: Sky, visit: Visit, detector: int) -> Floats:
    """Return the image of all sources of a visit, nJy."""
    wcs, box = sky.survey.detector_wcs(visit, detector), sky.survey.detector_box
    image = galsim.ImageD(box.width, box.height, xmin=0, ymin=0)
    g1, g2 = visit.ellipticity
    psf = galsim.Moffat(beta=_BETA, fwhm=visit.seeing / 0.2).shear(g1=g1, g2=g2)
    band = sky.survey.camera.bands.index(visit.band)
    stars, changing = sky.stars(visit.tract), sky.changing(visit)
    for points, fluxes in ((stars, stars.flux[:, band]), (changing, changing.flux)):
        for x, y, flux in zip(*wcs.to_pixel(points.ra, points.dec), fluxes, strict=True):
            _add(image, psf, x, y, flux)
    discs = sky.galaxies(visit.tract)
    for index, (x, y) in enumerate(zip(*wcs.to_pixel(discs.ra, discs.dec), strict=True)):
        # Position angles run from north through east; the camera's y points to its rotation, its x to the west.
        angle = 90 + discs.angle[index] - visit.rotation
        disc = galsim.Exponential(half_light_radius=discs.radius[index]).shear(
            q=discs.ratio[index], beta=angle * galsim.degrees
        )
        _add(image, galsim.Convolve(disc, psf), x, y, discs.flux[index, band])
    return np.asarray(image.array, float)


def _add(image: Any, profile: Any, x: float, y: float, flux: float) -> None:
    reach = _BRIGHT_REACH if flux > _BRIGHT else _FAINT_REACH
    middle_x, middle_y = round(x), round(y)
    stamp = galsim.BoundsI(middle_x - reach, middle_x + reach, middle_y - reach, middle_y + reach)
    common = stamp & image.bounds
    if common.isDefined():
        # The profile includes the size of a pixel.
        drawn = (profile * flux).drawImage(
            image=galsim.ImageD(stamp),
            offset=(x - middle_x, y - middle_y),
            scale=1.0,
            method="no_pixel",
        )
        image[common] += drawn[common]


def _cosmic_rays(box: Box, rng: np.random.Generator) -> Floats:
    """Return straight tracks, a pixel or two wide: electrons."""
    image = np.zeros((box.height, box.width))
    for _ in range(rng.poisson(_COSMIC_RAYS * box.width * box.height / DENSITY_AREA)):
        x, y = rng.uniform(0, box.width), rng.uniform(0, box.height)
        angle, length, charge = rng.uniform(0, np.pi), rng.exponential(4.0), rng.uniform(700, 5000)
        for step in np.arange(0, max(length, 0.5), 0.5):
            column, row = int(x + step * np.cos(angle)), int(y + step * np.sin(angle))
            if 0 <= column < box.width and 0 <= row < box.height:
                image[row, column] += charge / 2
    return image
