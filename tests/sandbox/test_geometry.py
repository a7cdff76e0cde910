from typing import Any

import numpy as np
import pytest
from apcampaign.common.errors import SandboxError
from apcampaign.sandbox.exposure import Exposure
from apcampaign.sandbox.focalplane import LSST
from apcampaign.sandbox.formatters import to_hdus
from apcampaign.sandbox.geometry import TangentWcs, sky_polygon
from apcampaign.sandbox.skymap import RingsSkyMap
from apcampaign.sandbox.survey import DEMO, SandboxSize, Survey
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS

SKYMAP = RingsSkyMap()


def separation(one: tuple[Any, Any], other: tuple[Any, Any]) -> float:
    """Return the separation of two positions (degrees), arcseconds."""
    return float(SkyCoord(*one, unit="deg").separation(SkyCoord(*other, unit="deg")).arcsec)


def test_skymap_has_as_many_tracts_as_dc2s() -> None:
    assert len(SKYMAP) == 18938


def test_tract_3828_is_where_dc2_has_it() -> None:
    assert SKYMAP.centre(3828) == pytest.approx((56.6497, -36.4463), abs=1e-4)


@pytest.mark.parametrize("tract", [0, 1, 3829, 9000, 18937])
def test_tract_contains_its_own_centre(tract: int) -> None:
    ra, dec = SKYMAP.centre(tract)
    x, y = SKYMAP.tract(tract).wcs.to_pixel(ra, dec)
    assert (float(x), float(y)) == pytest.approx((14000, 14000), abs=1e-6)


def test_tract_that_is_not_there_is_refused() -> None:
    with pytest.raises(IndexError, match="18938"):
        SKYMAP.centre(18938)


def test_patches_are_numbered_along_x_and_overlap_by_their_borders() -> None:
    tract = SKYMAP.tract(3828)
    assert [patch.id for patch in tract.patches] == list(range(49))
    assert (tract.patches[8].column, tract.patches[8].row) == (1, 1)
    assert tract.patches[8].box == (3900, 3900, 4200, 4200)
    assert tract.patches[0].box == (0, 0, 4100, 4100)
    assert tract.region.contains(tract.patches[24].region)


def test_neighbouring_tracts_overlap() -> None:
    assert SKYMAP.tract(3828).region.overlaps(SKYMAP.tract(3829).region)


def test_coarse_image_of_a_patch_covers_the_same_sky() -> None:
    patch = SKYMAP.tract(3828).patches[10]
    box, wcs = patch.coarse(6.4)
    corner = wcs.to_sky(-0.5, -0.5)
    true = patch.wcs.to_sky(patch.box.x0 - 0.5, patch.box.y0 - 0.5)
    assert separation(corner, true) < 1e-3
    assert box.width * 6.4 == pytest.approx(patch.box.width * 0.2, abs=6.4)


@pytest.mark.parametrize("rotation", [0.0, 5.0, -130.0])
def test_projection_agrees_with_astropys(rotation: float) -> None:
    ours = TangentWcs(56.6, -36.4, 10.0, 20.0, 6.4, rotation)
    header = to_hdus(Exposure.blank(30, 20, wcs=ours))[0].header
    theirs = WCS(header)
    assert tuple(theirs.wcs.crpix) == (11.0, 21.0)
    assert np.sqrt(abs(np.linalg.det(theirs.wcs.cd))) * 3600 == pytest.approx(6.4)
    x, y = np.array([0.0, 100.0, 500.0]), np.array([0.0, -300.0, 700.0])
    np.testing.assert_allclose(ours.to_sky(x, y), theirs.pixel_to_world_values(x, y), rtol=0, atol=1e-9)
    np.testing.assert_allclose(ours.to_pixel(*ours.to_sky(x, y)), (x, y), rtol=0, atol=1e-6)


def test_camera_has_the_real_names() -> None:
    assert len(LSST) == 189
    assert [LSST[number].full_name for number in (0, 9, 94, 188)] == [
        "R01_S00",
        "R02_S00",
        "R22_S11",
        "R43_S22",
    ]
    assert (LSST[94].x, LSST[94].y) == (0, 0)


def test_neighbouring_detectors_are_neighbours_on_the_sky_and_do_not_overlap() -> None:
    survey = Survey(SandboxSize())
    visit = survey.visits[0]
    left, right = (
        sky_polygon(survey.detector_wcs(visit, number), survey.detector_box) for number in (93, 94)
    )
    assert not left.overlaps(right)
    distance = left.getCentroid().dot(right.getCentroid())
    assert np.degrees(np.arccos(distance)) * 60 == pytest.approx(14.08, abs=0.05)


@pytest.mark.parametrize(
    "size",
    [
        SandboxSize(),
        SandboxSize(tracts=(3828, 3829), visits=3, detectors=(93, 94)),
        SandboxSize(detectors=(0, 188)),
    ],
)
def test_visits_look_at_their_tract(size: SandboxSize) -> None:
    survey = Survey(size)
    assert {visit.tract for visit in survey.visits} == set(size.tracts)
    assert len(survey.visits) == size.visits * len(size.tracts)
    for visit in survey.visits:
        centres = [
            survey.detector_wcs(visit, detector).to_sky(survey.size.pixels / 2, survey.size.pixels / 2)
            for detector in size.detectors
        ]
        ra, dec = np.mean(centres, axis=0)
        assert separation((ra, dec), SKYMAP.centre(visit.tract)) < 300


def test_raws_say_nearly_where_they_are() -> None:
    survey = Survey(SandboxSize())
    for visit in survey.visits:
        ra, dec = survey.detector_wcs(visit, 90).to_sky([0, 199], [0, 195])
        x, y = survey.header_wcs(visit, 90).to_pixel(ra, dec)
        off = np.hypot(x - [0, 199], y - [0, 195])
        assert 0.01 < off.max() < 6


def test_template_visits_come_first_and_months_before_the_others() -> None:
    survey = Survey(DEMO)
    templates, science = survey.template_visits, survey.science_visits
    assert len(templates) == 6
    assert len(templates) + len(science) == len(survey.visits)
    assert science[0].mjd - templates[-1].mjd > 60
    assert {visit.band for visit in templates} == {visit.band for visit in science} == {"g", "r"}


def test_visits_are_dithered_and_in_the_order_of_time() -> None:
    visits = Survey(SandboxSize()).visits
    assert len({(visit.ra, visit.dec) for visit in visits}) == len(visits)
    assert [visit.id for visit in sorted(visits, key=lambda visit: visit.mjd)] == sorted(v.id for v in visits)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"tracts": ()}, "tracts"),
        ({"tracts": (18937,)}, "18936"),
        ({"detectors": (189,)}, "0 to 188"),
        ({"detectors": (1, 1)}, "detectors"),
        ({"bands": ("q",)}, "u g r i z y"),
        ({"visits": 1, "bands": ("g", "r")}, "each band"),
        ({"pixels": 5}, "32"),
        ({"visits": 4, "template_visits": 4}, "fewer than all"),
    ],
)
def test_impossible_sizes_are_refused_with_what_is_possible(
    options: dict[str, object], expected: str
) -> None:
    with pytest.raises(SandboxError, match=expected):
        SandboxSize(**options)  # type: ignore[arg-type]
