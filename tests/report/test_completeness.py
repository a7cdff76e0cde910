"""Completeness of injected sources: what is found is measured, and what cannot be known is said."""

import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from apcampaign.report.completeness import Completeness, CompletenessBin
from apcampaign.report.completeness_fit import find_depths
from apcampaign.report.completeness_measure import match_injected, measure_completeness

ARCSECOND = 1 / 3600
NOISE = 100.0  # nJy
BANDS = {"g": 24.0, "r": 23.2}
PLATEAU, WIDTH = 0.96, 0.15


def make_injected(number: int = 1500, seed: int = 1) -> pd.DataFrame:
    """Give injected sources of ten images in two bands, far from each other."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 10, number)
    return pd.DataFrame(
        {
            "visit": 100 + image // 2,
            "detector": image % 2,
            "band": np.array(list(BANDS))[image // 2 % 2],
            # Across the meridian of right ascension zero.
            "ra": rng.uniform(-0.5, 0.5, number) % 360,
            "dec": rng.uniform(-60.5, -60.0, number),
            "mag": rng.uniform(20.0, 26.0, number),
        }
    )


def detect(injected: pd.DataFrame, seed: int = 2, **offset: float) -> pd.DataFrame:
    """Give the DiaSources of those that are found, with a chance that falls about the depth of the band."""
    rng = np.random.default_rng(seed)
    middle = injected["band"].map(BANDS)
    chance = PLATEAU / (1 + np.exp((injected["mag"] - middle) / WIDTH))
    found = injected[rng.uniform(size=len(injected)) < chance]
    flux = 10 ** ((31.4 - found["mag"]) / 2.5)
    east = offset.get("east", 0.0) + rng.normal(0, 0.02, len(found))
    north = offset.get("north", 0.0) + rng.normal(0, 0.02, len(found))
    return pd.DataFrame(
        {
            "visit": found["visit"],
            "detector": found["detector"],
            "ra": (found["ra"] + east * ARCSECOND / np.cos(np.radians(found["dec"]))) % 360,
            "dec": found["dec"] + north * ARCSECOND,
            "psfFlux": flux * offset.get("scale", 1.0) + rng.normal(0, NOISE, len(found)),
            "psfFluxErr": NOISE,
        }
    )


def test_depths_are_those_of_the_detection_within_their_errors() -> None:
    injected = make_injected()
    result = measure_completeness(injected, detect(injected), radius=0.5)
    assert [each.band for each in result.bands] == ["g", "r"]
    for band, middle in BANDS.items():
        for share in (0.5, 0.9):
            depth = result.depth(band, share)
            assert depth is not None
            assert depth.magnitude is not None
            assert depth.error is not None
            expected = middle + WIDTH * math.log(PLATEAU / share - 1)
            assert abs(depth.magnitude - expected) < 4 * depth.error
            assert 0 < depth.error < 0.1
    assert result.depth("z", 0.5) is None
    assert result.injected == len(injected) == sum(each.injected for each in result.bands)
    assert result.images == 10


def test_errors_of_a_depth_are_those_that_repeated_surveys_scatter_by() -> None:
    depths = []
    for seed in range(8):
        injected = make_injected(300, seed)
        found = match_injected(injected, detect(injected, seed + 100), radius=0.5)[0]
        g = found[found["band"] == "g"]
        depths.append(find_depths(g["mag"].to_numpy(float), g["found"].to_numpy(bool))[0])
    known = [(depth.magnitude, depth.error) for depth in depths if depth.magnitude and depth.error]
    assert len(known) == len(depths)
    pulls = [(magnitude - BANDS["g"] - WIDTH * math.log(PLATEAU / 0.5 - 1)) / e for magnitude, e in known]
    assert 0.5 < np.std(pulls) < 1.7
    assert abs(np.mean(pulls)) < 0.8


def test_bias_of_position_and_flux_is_measured() -> None:
    injected = make_injected()
    result = measure_completeness(injected, detect(injected, east=0.1, north=-0.05, scale=1.03), radius=0.5)
    assert result.accuracy is not None
    assert result.accuracy.east == pytest.approx(100, abs=3)
    assert result.accuracy.north == pytest.approx(-50, abs=3)
    assert result.accuracy.scatter == pytest.approx(20, abs=2)
    assert result.accuracy.flux == pytest.approx(0.03, abs=0.005)
    assert sum(each.sources for each in result.accuracy_by_snr) == result.found
    brightest = result.accuracy_by_snr[-1]
    assert brightest.flux_scatter is not None
    assert brightest.flux_scatter < 0.01


def test_completeness_by_significance_counts_every_source_once() -> None:
    injected = make_injected()
    result = measure_completeness(injected, detect(injected), radius=0.5)
    assert sum(each.injected for each in result.by_snr) == len(injected)
    assert sum(each.found for each in result.by_snr) == result.found
    snr = 10 ** ((31.4 - injected["mag"]) / 2.5) / NOISE
    here = next(each for each in result.by_snr if each.low == 10)
    assert here.injected == ((snr >= here.low) & (snr < here.high)).sum()


def test_a_dia_source_is_the_match_of_one_injected_source_of_its_own_image() -> None:
    one = {"visit": 1, "detector": 1, "band": "g", "ra": 10.0, "dec": 0.0, "mag": 22.0}
    injected = pd.DataFrame([one, one | {"ra": 10.0 + 0.3 * ARCSECOND}, one | {"visit": 2}])
    source = {**{name: one[name] for name in ("visit", "detector", "ra", "dec")}, "psfFluxErr": NOISE}
    sources = pd.DataFrame([{**source, "psfFlux": 5000.0}])
    assert match_injected(injected, sources, radius=0.5)[0]["found"].tolist() == [True, False, False]
    negative = sources.assign(psfFlux=-5000.0)
    assert not match_injected(injected, negative, radius=0.5)[0]["found"].any()
    unknown = sources.assign(psfFlux=np.nan)
    assert match_injected(injected, unknown, radius=0.5)[0]["found"].tolist() == [True, False, False]


def test_matches_by_chance_are_estimated_beside_the_injected_sources() -> None:
    rng = np.random.default_rng(3)
    injected = make_injected(2000)
    number = 40_000
    crowd = pd.DataFrame(
        {
            "visit": rng.integers(100, 105, number),
            "detector": rng.integers(0, 2, number),
            "ra": rng.uniform(-0.5, 0.5, number) % 360,
            "dec": rng.uniform(-60.5, -60.0, number),
            "psfFlux": 1000.0,
            "psfFluxErr": NOISE,
        }
    )
    result = measure_completeness(injected, crowd, radius=5.0)
    assert result.chance is not None
    assert result.share == pytest.approx(result.chance, abs=0.03)
    density = number / 10 / (0.5 * np.cos(np.radians(60.25)) * 3600**2)
    assert result.chance == pytest.approx(1 - math.exp(-math.pi * 25 * density), rel=0.2)
    assert measure_completeness(injected, crowd[:0], radius=5.0).chance == 0


@pytest.mark.parametrize(
    ("magnitudes", "found", "why"),
    [
        ([22.0] * 5, [True] * 5, "5 injected sources are too few"),
        (list(np.linspace(20, 24, 40)), [True] * 40, "down to the faintest injected one (24.00 mag)"),
        (list(np.linspace(20, 24, 40)), [False] * 40, "none is found"),
        (list(np.linspace(20, 24, 40)), [True, False, False, False] * 10, "of the bright ones are found"),
    ],
)
def test_a_depth_that_is_not_known_says_why(magnitudes: list[float], found: list[bool], why: str) -> None:
    for depth in find_depths(np.array(magnitudes), np.array(found)):
        assert depth.magnitude is None
        assert why in depth.why


def test_a_depth_is_not_extrapolated() -> None:
    injected = make_injected()
    injected = injected[injected["mag"] < BANDS["r"] - 0.2]
    result = measure_completeness(injected, detect(injected), radius=0.5)
    for band in BANDS:
        depth = result.depth(band, 0.5)
        assert depth is not None
        assert depth.magnitude is None
        assert "faintest injected one" in depth.why


def test_a_sharp_limit_has_a_depth() -> None:
    magnitudes = np.linspace(20, 25, 500)
    half, most = find_depths(magnitudes, magnitudes < 23)
    for depth in (half, most):
        assert depth.magnitude == pytest.approx(23, abs=0.06)


def test_an_apdb_without_dia_sources_has_found_nothing() -> None:
    injected = make_injected(50)
    result = measure_completeness(
        injected, detect(injected)[:0], radius=0.5, notes=("two images are missing",)
    )
    assert result.share == 0
    assert result.accuracy is None
    assert sum(each.injected for each in result.by_snr) == 0
    assert result.notes == (
        "two images are missing",
        "the noise of the images of 50 injected sources is not known",
    )


def test_nothing_injected_has_no_share() -> None:
    injected = make_injected(1)[:0]
    result = measure_completeness(injected, detect(make_injected(50)), radius=0.5)
    assert (result.share, result.chance, result.bands, result.accuracy) == (None, None, (), None)


def test_an_image_without_dia_sources_has_the_noise_of_its_band() -> None:
    injected = make_injected()
    sources = detect(injected)
    bare = (sources["visit"] == 100) & (sources["detector"] == 0)
    result = measure_completeness(injected, sources[~bare], radius=0.5)
    assert sum(each.injected for each in result.by_snr) == len(injected)


def test_binomial_limits_hold_the_share_and_stay_within_zero_and_one() -> None:
    half = CompletenessBin(low=0, high=1, injected=100, found=50)
    assert half.limits == pytest.approx((0.4502, 0.5498), abs=1e-3)
    for found in (0, 7):
        low, high = CompletenessBin(low=0, high=1, injected=7, found=found).limits
        assert 0 <= low <= found / 7 <= high <= 1
        assert high - low > 0.05
    assert CompletenessBin(low=0, high=1, injected=0, found=0).share is None


def test_the_numbers_for_a_comparison_are_those_that_are_known() -> None:
    injected = make_injected()
    numbers = measure_completeness(injected, detect(injected), radius=0.5).numbers
    assert set(numbers) == {
        "completeness of injected sources",
        "flux of injected sources",
        *(f"depth in {band}, {share} (mag)" for band in BANDS for share in ("50%", "90%")),
    }
    assert set(measure_completeness(injected[:5], detect(injected), radius=0.5).numbers) < set(numbers)
    assert measure_completeness(injected[:0], detect(injected), radius=0.5).numbers == {}


def test_the_result_is_json() -> None:
    injected = make_injected(400)
    result: Completeness = measure_completeness(injected, detect(injected), radius=0.5)
    said: dict[str, Any] = json.loads(json.dumps(result.as_dict(), allow_nan=False))
    assert said["share"] == pytest.approx(result.share)
    assert said["bands"]["g"]["depths"][0]["share"] == 0.5
    assert said["by_snr"][-1]["high"] is None
