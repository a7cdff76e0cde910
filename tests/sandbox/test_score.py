"""A campaign on the simulated sky finds what is there, and the score shows when it does not."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from apcampaign.report import ReportData, render_report
from apcampaign.report.completeness_measure import measure_completeness
from apcampaign.report.figure_completeness import draw_completeness
from apcampaign.sandbox.score import score
from apcampaign.sandbox.sky import Sky
from apcampaign.sandbox.survey import SandboxSize, Survey
from apcampaign.sandbox.truth import TRUTH_FILE, make_truth
from apcampaign.scripts.commands.sandbox import command
from apcampaign.scripts.display.score_figure import score_figures, true_light_curves
from click.testing import CliRunner
from rehearsal import Rehearsal, rehearse

pytestmark = pytest.mark.slow(minutes=0.8)

SURVEY = Survey(SandboxSize(visits=6, template_visits=3, detectors=(93, 94), seed=5))
# Numbers and times of insertion are the only things that may differ.
UNLIKE = ["timeProcessedMjdTai", "validityStartMjdTai", "validityEndMjdTai"]


@pytest.fixture(scope="module")
def truth() -> pd.DataFrame:
    return make_truth(Sky(SURVEY))


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Rehearsal:
    return rehearse(SURVEY, tmp_path_factory.mktemp("good"))


def test_campaign_finds_what_is_there(campaign: Rehearsal, truth: pd.DataFrame) -> None:
    result = score(truth, campaign.rows("DiaSource"))
    assert result.truths > 50
    # A single one more or less is two percent of so few.
    assert result.completeness > 0.93
    assert result.purity > 0.93
    assert result.position < 0.12
    assert abs(result.flux) < 0.02
    assert result.association > 0.98


def test_objects_sum_up_their_sources(campaign: Rehearsal) -> None:
    sources, objects = campaign.rows("DiaSource"), campaign.rows("DiaObject")
    latest = objects[objects["validityEndMjdTai"].isna()].set_index("diaObjectId")
    groups = sources.groupby("diaObjectId")
    assert groups.size().to_dict() == latest["nDiaSources"].to_dict()
    assert (latest["r_psfFluxMax"] - groups["psfFlux"].max()).abs().max() < 0.1
    assert set(campaign.rows("DiaForcedSource")["diaObjectId"]) <= set(latest.index)


def test_content_does_not_depend_on_the_order_of_detectors(campaign: Rehearsal, tmp_path: Path) -> None:
    again = rehearse(SURVEY, tmp_path / "again", templates=campaign.made, done=campaign.done, backwards=True)
    for table, keys in {
        "DiaSource": ["diaSourceId"],
        "DiaObject": ["diaObjectId", "nDiaSources"],
        "DiaForcedSource": ["visit", "detector", "diaObjectId"],
    }.items():
        first, second = (
            run.rows(table).drop(columns=UNLIKE, errors="ignore").sort_values(keys, ignore_index=True)
            for run in (campaign, again)
        )
        pd.testing.assert_frame_equal(first, second, check_exact=True)


def test_missing_templates_show(campaign: Rehearsal, truth: pd.DataFrame, tmp_path: Path) -> None:
    run = rehearse(SURVEY, tmp_path / "missing", templates={}, done=campaign.done)
    result = score(truth, run.rows("DiaSource"))
    assert result.completeness == 0
    assert not result.good
    assert len(run.reasons) == 6


def test_stale_templates_show(campaign: Rehearsal, truth: pd.DataFrame, tmp_path: Path) -> None:
    """Templates of the science visits themselves: what lasts is in them, and is missing from the differences."""
    stale = campaign.templates(SURVEY.science_visits)
    run = rehearse(SURVEY, tmp_path / "stale", templates=stale, done=campaign.done)
    result = score(truth, run.rows("DiaSource"))
    assert {"completeness", "flux"} & set(result.missed)
    assert result.completeness < 0.9


def test_templates_of_another_sky_show(campaign: Rehearsal, truth: pd.DataFrame, tmp_path: Path) -> None:
    other = Survey(SandboxSize(visits=6, template_visits=3, detectors=(93, 94), seed=6))
    wrong = Rehearsal(other, _made(tmp_path / "other")).templates(other.template_visits)
    run = rehearse(SURVEY, tmp_path / "wrong", templates=wrong, done=campaign.done)
    result = score(truth, run.rows("DiaSource"))
    assert {"completeness", "purity"} & set(result.missed)
    assert result.completeness < 0.5 or result.purity < 0.5


def test_injected_sources_are_found_as_far_as_the_noise_allows(campaign: Rehearsal, tmp_path: Path) -> None:
    done, injected = campaign.inject()
    run = rehearse(SURVEY, tmp_path / "fakes", templates=campaign.made, done=done)
    sources = run.rows("DiaSource")
    result = measure_completeness(injected, sources, radius=2 * SURVEY.scale)
    assert result.images == 6
    assert result.injected > 100
    bright = [each for each in result.by_snr if each.low >= 10]
    assert sum(each.found for each in bright) > 0.85 * sum(each.injected for each in bright)
    faint = [each for each in result.by_snr if each.high <= 3]
    assert sum(each.found for each in faint) < 0.1 * sum(each.injected for each in faint)
    depth = result.depth("r", 0.5)
    assert depth is not None
    assert depth.magnitude is not None
    assert depth.error is not None
    assert 0 < depth.error < 0.2
    # Detection is at five sigma.
    snr = 10 ** ((31.4 - depth.magnitude) / 2.5) / sources["psfFluxErr"].quantile(0.25)
    assert 4 < snr < 8
    assert result.accuracy is not None
    assert result.accuracy.flux is not None
    assert abs(result.accuracy.flux) < 0.03
    assert np.hypot(result.accuracy.east, result.accuracy.north) < 0.1 * SURVEY.scale * 1000
    assert result.chance is not None
    assert result.chance < 0.05
    # What was on the sky before is found as before.
    before = campaign.rows("DiaSource")
    assert len(sources) > len(before) + 0.9 * result.found - 10
    page = render_report(
        ReportData(campaign="x", made=0.0, final=True, good=True, appendix=(draw_completeness(result),))
    )
    assert '<a href="#completeness">' in page
    assert f"{depth.magnitude:.2f} ±" in page


def test_command_reads_the_database(campaign: Rehearsal, truth: pd.DataFrame, tmp_path: Path) -> None:
    truth.to_parquet(tmp_path / TRUTH_FILE)
    arguments = ["score", str(tmp_path), str(campaign.folder / "apdb.yaml"), "--json"]
    done = CliRunner().invoke(command, arguments)
    said = json.loads(done.output)
    expected = score(truth, campaign.rows("DiaSource"))
    assert said["completeness"] == pytest.approx(expected.completeness)
    assert done.exit_code == (0 if expected.good else 1)


def test_report_of_a_campaign_on_a_simulated_sky_draws_the_score(
    campaign: Rehearsal, truth: pd.DataFrame, tmp_path: Path
) -> None:
    real_sky = SimpleNamespace(butler=str(tmp_path / "repo"), injection=None)
    apdb_config = str(campaign.folder / "apdb.yaml")
    assert score_figures(real_sky, apdb_config) == ()
    assert true_light_curves(real_sky, apdb_config, [1]) == {}
    truth.to_parquet(tmp_path / TRUTH_FILE)
    assert score_figures(real_sky, None) == ()
    sources = campaign.rows("DiaSource")
    most_detected = int(sources["diaObjectId"].value_counts().idxmax())
    curve = true_light_curves(real_sky, apdb_config, [most_detected])[most_detected]
    measured = sources[sources["diaObjectId"] == most_detected]
    # The truth is that of the begin of an exposure, a DiaSource has its middle.
    true_flux = {round(point.mjd, 2): point.flux for point in curve}
    expected = measured["midpointMjdTai"].round(2).map(true_flux)
    errors = (measured["psfFlux"] - expected) / measured["psfFluxErr"]
    assert len(errors) > 2
    assert errors.abs().median() < 3
    (figure,) = score_figures(real_sky, apdb_config)
    expected = score(truth, campaign.rows("DiaSource"))
    assert f"completeness {expected.completeness:.3f}" in figure.caption
    assert sum(row[5] for row in figure.table.rows) == sum(row[4] for row in expected.by_snr) > 50
    _, positions, fluxes = figure.panels
    assert sum(len(trace["x"]) for trace in positions.traces) == len(fluxes.traces[0]["y"])
    page = render_report(ReportData(campaign="x", made=0.0, final=True, good=True, appendix=(figure,)))
    assert '<a href="#score">' in page
    assert 'id="table-score"' in page


def test_perfect_and_empty_catalogues_are_scored_as_such(truth: pd.DataFrame, tmp_path: Path) -> None:
    shown = truth[truth["snr"] > 5]
    perfect = pd.DataFrame(
        {
            "diaObjectId": np.arange(len(shown)),
            **{name: shown[name].to_numpy() for name in ("visit", "detector", "x", "y", "snr")},
            "psfFlux": shown["difference"].to_numpy(),
            "psfFluxErr": shown["error"].to_numpy(),
        }
    )
    perfect["diaObjectId"] = shown["id"].to_numpy()
    assert score(truth, perfect).good
    nothing = score(truth, perfect[:0])
    assert nothing.completeness == 0
    assert np.isnan(nothing.purity)
    assert not nothing.good
    # All in one object, or each in its own.
    assert score(truth, perfect.assign(diaObjectId=1)).association < 0.3
    assert score(truth, perfect.assign(diaObjectId=np.arange(len(perfect)))).association < 0.6


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
