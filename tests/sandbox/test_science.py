"""The numerics of the stand-in tasks, each against a sky that is known exactly."""

import numpy as np
import pandas as pd
import pytest
from apcampaign.sandbox.exposure import INEXACT, MASKED, Exposure
from apcampaign.sandbox.geometry import TangentWcs
from apcampaign.sandbox.science.association import assign, summarise
from apcampaign.sandbox.science.calibration import fit_astrometry
from apcampaign.sandbox.science.coaddition import clipped_coadd
from apcampaign.sandbox.science.cosmics import flag_cosmic_rays
from apcampaign.sandbox.science.detection import detect, measure_at
from apcampaign.sandbox.science.pixels import convolve, scatter, significance
from apcampaign.sandbox.science.psf import fit_point, fit_psf, width
from apcampaign.sandbox.science.subtraction import subtract
from numpy.typing import NDArray

WCS = TangentWcs(56.6, -36.4, 100.0, 90.0, 4.0, 3.0)
SIZE, SKY = 180, 25.0  # pixels along a side, and variance of a pixel


def moffat(fwhm: float, dx: float = 0.0, dy: float = 0.0, reach: int = 12) -> NDArray[np.float64]:
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(float)
    core = fwhm / (2 * np.sqrt(2 ** (1 / 3.5) - 1))
    profile = (1 + ((x - dx) ** 2 + (y - dy) ** 2) / core**2) ** -3.5
    # Beyond the stamp is next to nothing.
    return np.asarray(profile * 2.5 / (np.pi * core**2))


def field(fwhm: float, stars: NDArray[np.float64], seed: int = 1, variance: float = SKY) -> Exposure:
    """Stars (rows of x, y, flux) with the noise of sky and light."""
    image = np.zeros((SIZE + 40, SIZE + 40))
    for x, y, flux in stars:
        column, row = round(x), round(y)
        box = np.s_[row + 8 : row + 33, column + 8 : column + 33]
        image[box] += flux * moffat(fwhm, x - column, y - row)
    image = image[20:-20, 20:-20]
    noise = np.random.default_rng(seed).normal(0, 1, image.shape)
    total = variance + np.maximum(image, 0)
    return Exposure(
        (image + noise * np.sqrt(total)).astype(np.float32),
        total.astype(np.float32),
        np.zeros(image.shape, np.uint8),
        WCS,
        psf=moffat(fwhm),
    )


def grid_of_stars(flux: float = 20_000) -> NDArray[np.float64]:
    rng = np.random.default_rng(7)
    places = np.arange(20, SIZE - 10, 24.0)
    x, y = np.meshgrid(places, places)
    shift = rng.uniform(-2, 2, (2, x.size))
    return np.array([x.ravel() + shift[0], y.ravel() + shift[1], flux * rng.uniform(0.3, 3, x.size)]).T


@pytest.mark.parametrize("fwhm", [3.0, 4.5])
def test_point_spread_function_is_that_of_the_stars(fwhm: float) -> None:
    stars = grid_of_stars()
    image = field(fwhm, stars)
    psf, used = fit_psf(
        image.image, image.variance, image.good, stars[:, :2].round(), np.zeros((0, 2)), fwhm / 2.2
    )
    assert used.mean() > 0.9
    # Far wings are taken for light of the sky.
    assert width(psf) == pytest.approx(width(moffat(fwhm)), rel=0.05)
    fits = [fit_point(image.image, image.variance, image.good, x, y, psf) for x, y, _ in stars]
    ratio = np.array([fit.flux for fit in fits]) / stars[:, 2]
    assert np.median(ratio) == pytest.approx(1, abs=0.05)
    # The same part is missing of all, so that a zero point sets it right.
    assert scatter(ratio) < 0.01


def test_photometry_and_astrometry_are_as_good_as_they_say() -> None:
    stars = grid_of_stars(600)
    image, psf = field(3.5, stars), moffat(3.5)
    fits = [fit_point(image.image, image.variance, image.good, round(x), round(y), psf) for x, y, _ in stars]
    pulls = [(fit.flux - flux) / fit.error for fit, flux in zip(fits, stars[:, 2], strict=True)]
    assert 0.7 < scatter(np.array(pulls)) < 1.3
    off = np.array([(fit.x - x, fit.y - y) for fit, (x, y, _) in zip(fits, stars, strict=True)])
    assert np.abs(np.median(off, axis=0)).max() < 0.08


def test_astrometry_finds_how_far_the_header_is_off() -> None:
    stars = grid_of_stars()
    ra, dec = WCS.to_sky(stars[:, 0], stars[:, 1])
    header = TangentWcs(WCS.ra, WCS.dec, WCS.x + 4.0, WCS.y - 3.0, WCS.scale, WCS.rotation + 0.05)
    # Among the pairs there are wrong ones.
    x, y = np.append(stars[:, 0], [15.0, 60.0]), np.append(stars[:, 1], [100.0, 30.0])
    found = fit_astrometry(x, y, np.full(len(x), 0.02), header, ra, dec)
    assert found is not None
    assert np.allclose(found.wcs.to_pixel(ra, dec), stars[:, :2].T, atol=0.02)
    assert found.number == len(stars)


def test_cosmic_rays_are_flagged_and_stars_are_not() -> None:
    stars = grid_of_stars()
    image = field(3.5, stars, variance=400.0)
    pixels = image.image.copy()
    pixels[33, 30:40] += 1500
    flagged = flag_cosmic_rays(image.with_pixels(pixels + 400, image.variance))
    assert (flagged.mask[33, 30:40] > 0).mean() > 0.7
    assert (flagged.mask[:25] > 0).mean() < 0.002


@pytest.mark.parametrize(("science", "template"), [(4.5, 3.3), (3.3, 4.2)])
def test_difference_holds_what_is_new_and_white_noise(science: float, template: float) -> None:
    stars = grid_of_stars()
    new = np.array([[61.3, 75.8, 1500.0], [130.2, 105.6, 800.0]])
    image = field(science, np.vstack([stars, new]), seed=2)
    result = subtract(image, field(template, stars, seed=3, variance=SKY / 4), stars[:, :2])
    assert result is not None
    assert result.convolved == ("template" if science > template else "science")
    difference = result.difference
    # The noise of neighbours is independent, and as large as it says.
    empty = np.ones(difference.image.shape, bool)
    for x, y, _ in np.vstack([stars, new]):
        row, column = round(y), round(x)
        empty[max(0, row - 6) : row + 7, max(0, column - 6) : column + 7] = False
    ratio = np.where(empty, difference.image / np.sqrt(difference.variance), np.nan)
    assert np.nanstd(ratio) == pytest.approx(1, abs=0.08)
    assert abs(np.nanmean(ratio[:, 1:] * ratio[:, :-1])) < 0.08
    found = detect(difference, 6.0)
    for x, y, flux in new:
        (near,) = [place for place in found if np.hypot(place[0] - x, place[1] - y) < 3]
        row = measure_at(difference, image, result.template, *near, move=True)
        assert abs(row["flux"] - flux) < 3.5 * row["flux_err"]
        assert np.hypot(row["x"] - x, row["y"] - y) < 0.4
    # Of stars nearly nothing is left.
    left = significance(difference.image, difference.variance, difference.good, difference.star)
    assert np.median([abs(left[round(y), round(x)]) for x, y, _ in stars]) < 2


def test_coadd_leaves_out_a_flash_and_keeps_the_mean_of_a_variable() -> None:
    stars = grid_of_stars()
    warps = {}
    for visit, factor in enumerate((0.8, 1.0, 1.2)):
        here = stars.copy()
        here[20, 2] *= factor
        extra = np.array([[80.0, 80.5, 3000.0]]) if visit == 1 else np.zeros((0, 3))
        warps[visit] = field(4.0, np.vstack([here, extra]), seed=visit)
    coadd, number, _ = clipped_coadd(warps, warps, clip=5.0, contrast=1.1, most=0.2)
    assert number[80, 80] == 2
    assert number[5, 5] == 3
    x, y, flux = stars[20]
    mean = fit_point(coadd.image, coadd.variance, coadd.good, x, y, moffat(4.0), move=False)
    assert mean.flux == pytest.approx(flux, rel=0.03)
    flash = fit_point(coadd.image, coadd.variance, coadd.good, 80.0, 80.5, moffat(4.0), move=False)
    assert abs(flash.flux) < 5 * flash.error
    assert (coadd.mask & INEXACT).any()
    assert not (coadd.mask & MASKED).any()


def test_convolution_keeps_the_light() -> None:
    image = np.zeros((50, 40))
    image[20, 15] = 100.0
    assert convolve(image, moffat(3.0) / moffat(3.0).sum()).sum() == pytest.approx(100, rel=1e-6)


def test_association_takes_the_nearest_and_does_not_depend_on_the_order_of_rows() -> None:
    arcsecond = 1 / 3600
    objects = pd.DataFrame(
        {"diaObjectId": [7, 8], "ra": [359.99999, 0.002], "dec": [0.0, 0.0], "nDiaSources": [1, 1]}
    )
    sources = pd.DataFrame({"diaSourceId": [1, 2], "ra": [0.00001, 0.1], "dec": [0.2 * arcsecond, 0.0]})
    ids, new = assign(sources, objects, 2.0)
    assert ids.tolist() == [7, 2]
    assert new.tolist() == [False, True]
    rng = np.random.default_rng(3)
    history = pd.DataFrame(
        {
            "diaSourceId": np.arange(12),
            "diaObjectId": np.repeat([5, 6], 6),
            "band": ["g", "r"] * 6,
            "midpointMjdTai": rng.uniform(60000, 60100, 12),
            "ra": 359.9999 + rng.normal(0, 1e-5, 12),
            "dec": rng.normal(0, 1e-5, 12),
            "psfFlux": rng.uniform(100, 1000, 12),
            "psfFluxErr": rng.uniform(5, 10, 12),
        }
    )
    first = summarise(history)
    pd.testing.assert_frame_equal(first, summarise(history.sample(frac=1, random_state=1)), check_exact=True)
    assert first["nDiaSources"].tolist() == [6, 6]
    assert first["g_psfFluxNdata"].tolist() == [3, 3]
    assert (first["r_psfFluxMin"] <= first["r_psfFluxMean"]).all()
