"""Synthetic sources of the sandbox: what is in the catalogue is in the image, and what cannot be there is told."""

from dataclasses import replace

import numpy as np
import pytest
from apcampaign.sandbox.exposure import Exposure
from apcampaign.sandbox.injection import injection_catalogue, shard_injection
from apcampaign.sandbox.science.injection import inject_stars
from apcampaign.sandbox.science.psf import fit_point, hermite
from apcampaign.sandbox.survey import SandboxSize, Survey
from apcampaign.sandbox.tasks.injection import VisitInjectTask
from astropy.table import Table

SURVEY = Survey(SandboxSize(visits=2, detectors=(94,), bands=("g", "r")))
VISIT = SURVEY.visits[1]


@pytest.fixture
def exposure() -> Exposure:
    """Empty sky with noise, and pixels whose variance grows with their light."""
    grid = np.mgrid[-12:13, -12:13].astype(float)
    psf = hermite(grid[1], grid[0], ((1.6, 0),))[0]
    rng = np.random.default_rng(1)
    light = rng.exponential(300.0, (196, 200))
    variance = 4000.0 + 2.0 * light
    return Exposure(
        (light - 300 + rng.normal(size=light.shape) * 10).astype(np.float32),
        variance.astype(np.float32),
        np.zeros(light.shape, np.uint8),
        wcs=SURVEY.detector_wcs(VISIT, 94),
        visit_info=VISIT.info(94),
        psf=psf / psf.sum(),
    )


def catalogue(exposure: Exposure, x: float, y: float, **other: object) -> Table:
    ra, dec = exposure.sky.to_sky(x, y)
    row = {"injection_id": 7, "ra": float(ra), "dec": float(dec), "source_type": "Star", "mag": 20.0, **other}
    return Table([row])


def task(**options: object) -> VisitInjectTask:
    config = VisitInjectTask.ConfigClass()
    for name, value in options.items():
        setattr(config, name, value)
    return VisitInjectTask(config=config)


def test_an_injected_star_has_its_place_and_flux_and_the_noise_of_its_light(exposure: Exposure) -> None:
    flux = 200_000.0
    rng = np.random.default_rng(2)
    injected, drawn = inject_stars(exposure, np.array([80.3]), np.array([60.7]), np.array([flux]), rng)
    assert drawn.tolist() == [True]
    difference = injected.image - exposure.image
    fit = fit_point(difference, injected.variance, exposure.good, 80, 61, exposure.star)
    assert (fit.x, fit.y) == pytest.approx((80.3, 60.7), abs=0.05)
    assert fit.flux == pytest.approx(flux, rel=0.02)
    added = (injected.variance - exposure.variance).sum()
    assert added == pytest.approx(2.0 * flux, rel=0.1)


def test_the_task_adds_the_same_each_time_and_leaves_the_input_alone(exposure: Exposure) -> None:
    before = exposure.image.copy()
    results = [task().run([catalogue(exposure, 100.0, 50.0)], exposure) for _ in range(2)]
    assert np.array_equal(results[0].output_exposure.image, results[1].output_exposure.image)
    assert np.array_equal(exposure.image, before)
    assert not np.array_equal(results[0].output_exposure.image, before)
    assert results[0].output_catalog["injection_id"].tolist() == [7]
    assert results[0].output_catalog["injection_flag"].tolist() == [0]


def test_what_cannot_be_injected_is_flagged(exposure: Exposure) -> None:
    tables = [
        catalogue(exposure, 100.0, 50.0),
        catalogue(exposure, 120.0, 50.0, mag=float("nan")),
        catalogue(exposure, 100.0, 80.0, source_type="Sersic"),
        catalogue(exposure, -50.0, 80.0),  # near enough to be kept, too far for its light
        catalogue(exposure, -500.0, 80.0),
    ]
    result = task().run(tables, exposure)
    assert result.output_catalog["injection_flag"].tolist() == [0, 1, 2, 8]


def test_an_image_without_sources_fails_unless_it_is_meant_to_go_on(exposure: Exposure) -> None:
    far = [catalogue(exposure, 1e4, 50.0)]
    with pytest.raises(RuntimeError, match="No injection sources overlap"):
        task().run([], exposure)
    with pytest.raises(RuntimeError, match="No sources to be injected"):
        task().run(far, exposure)
    for tables in ([], far):
        result = task(process_all_data_ids=True).run(tables, exposure)
        assert np.array_equal(result.output_exposure.image, exposure.image)
        assert len(result.output_catalog) == 0


def test_a_selection_takes_a_column_of_the_catalogue(exposure: Exposure) -> None:
    tables = [catalogue(exposure, x, 50.0, isVisitSource=x < 100) for x in (80.0, 120.0)]
    result = task(selection="injection_catalog['isVisitSource']").run(tables, exposure)
    assert result.output_catalog["x"].tolist() == pytest.approx([80.0], abs=0.01)
    with pytest.raises(ValueError, match="such as injection_catalog"):
        task(selection="import os").run(tables, exposure)


def test_a_template_has_no_circumstances_and_gets_its_sources_all_the_same(exposure: Exposure) -> None:
    template = replace(exposure, visit_info=None)
    result = task().run([catalogue(exposure, 100.0, 50.0)], template)
    assert result.output_catalog["injection_flag"].tolist() == [0]


def test_the_catalogue_is_the_same_each_time_with_places_of_all_bands_and_magnitudes_of_each() -> None:
    first, again = (injection_catalogue(SURVEY, "r") for _ in range(2))
    g = injection_catalogue(SURVEY, "g")
    assert (first == again).all()
    assert np.array_equal(first["ra"], g["ra"])
    assert not np.allclose(first["mag"], g["mag"])
    shards = dict(shard_injection(SURVEY, "r"))
    assert sum(map(len, shards.values())) == len(first)


def test_every_science_image_has_sources_of_the_catalogue_far_from_each_other() -> None:
    stars, box = injection_catalogue(SURVEY, "r"), SURVEY.detector_box
    for visit in SURVEY.science_visits:
        x, y = SURVEY.detector_wcs(visit, 94).to_pixel(stars["ra"], stars["dec"])
        inside = (x > 0) & (x < box.width) & (y > 0) & (y < box.height)
        assert inside.sum() > 20
        apart = np.hypot(x[inside][:, None] - x[inside], y[inside][:, None] - y[inside])
        np.fill_diagonal(apart, np.inf)
        assert apart.min() > 10
