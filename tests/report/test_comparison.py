"""The comparison of two campaigns: equal ones are equal, what was changed is found, quantified and named."""

import json
import math
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from apcampaign import Campaign
from apcampaign.apdb import compact_sources
from apcampaign.common.errors import LedgerError
from apcampaign.ledger import Ledger
from apcampaign.ledger.paths import CampaignPaths
from apcampaign.monitor.outcomes import QuantaCount, Spread, TaskUsage
from apcampaign.report.comparison import (
    Aspect,
    Comparison,
    Injected,
    Tolerances,
    Unread,
    compare,
    compare_sources,
    match_positions,
    render_comparison,
    select_runs,
)
from apcampaign.report.comparison.configuration import join_values, parse_config
from apcampaign.scripts.commands.compare import command
from catalogues import make_comparable, make_sources
from click.testing import CliRunner
from html_reading import Page, read_html
from hypothesis import given, settings
from hypothesis import strategies as st
from older_runs import unpack_older_runs
from report_data import HOSTILE

SOURCES = make_sources(1200)
TASK = "detectAndMeasureDiaSource"


def told(found: Comparison, *, counts: bool = True) -> list[str]:
    return [each.describe() for each in found.differences if each.counts is counts]


# ---- matching ----------------------------------------------------------------------------------------------

#: Points on a grid of half arcseconds, so that many are equally far, or at the same place.
_POINTS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 1)), max_size=14)
_PLACES = st.sampled_from([(0.0, 0.0), (56.0, -36.0), (359.9999, 80.0)])


def place(points: list[tuple[int, int, int]], ra: float, dec: float) -> pd.DataFrame:
    step = 0.5 / 3600
    return pd.DataFrame(
        {
            "ra": [(ra + x * step / math.cos(math.radians(dec))) % 360 for x, _, _ in points],
            "dec": [dec + y * step for _, y, _ in points],
            "visit": np.array([visit for *_, visit in points], dtype=int),
        }
    )


@given(_POINTS, _POINTS, _PLACES)
@settings(max_examples=60, deadline=None)
def test_the_closest_pairs_are_taken_each_row_once_until_none_is_left(a, b, where):
    one, other = place(a, *where), place(b, *where)
    pairs = match_positions(one, other, 1.1, by=["visit"])
    assert len(set(pairs.a)) == len(set(pairs.b)) == len(pairs.a)
    # By hand: all pairs in the order of their separations. Which of several equal ones is taken may differ.
    near = sorted(
        (math.hypot(p[0] - q[0], p[1] - q[1]) / 2, i, j)
        for i, p in enumerate(a)
        for j, q in enumerate(b)
        if p[2] == q[2] and math.hypot(p[0] - q[0], p[1] - q[1]) / 2 < 1.1
    )
    for i, j, separation in zip(pairs.a, pairs.b, pairs.separation, strict=True):
        assert a[i][2] == b[j][2]
        assert separation == pytest.approx(math.hypot(a[i][0] - b[j][0], a[i][1] - b[j][1]) / 2, abs=1e-4)
    of_a = dict(zip(pairs.a.tolist(), pairs.separation, strict=True))
    of_b = dict(zip(pairs.b.tolist(), pairs.separation, strict=True))
    for separation, i, j in near:
        assert min(of_a.get(i, 9), of_b.get(j, 9)) <= separation + 1e-4


@given(_POINTS, _PLACES)
@settings(max_examples=30, deadline=None)
def test_every_catalogue_matches_itself_row_by_row(points, where):
    frame = place(points, *where)
    pairs = match_positions(frame, frame.sample(frac=1, random_state=1), 1.0, by=["visit"])
    assert len(pairs.a) == len(points)
    assert max(pairs.separation, default=0) < 1e-6


def test_what_has_no_position_matches_nothing_and_is_counted():
    lost = SOURCES.assign(ra=SOURCES["ra"].where(SOURCES.index >= 3))
    found = compare_sources(SOURCES, lost, Tolerances())
    assert (found.counts.only_a, found.counts.only_b, found.unplaced) == (3, 3, (0, 3))


# ---- what was planted --------------------------------------------------------------------------------------


def test_a_campaign_is_the_same_as_itself_and_as_one_with_other_names():
    a, b = make_comparable("a", SOURCES), make_comparable("b", SOURCES.copy())
    found = compare(a, b)
    assert (found.same, found.results_same, told(found)) == (True, True, [])
    assert told(found, counts=False) == ["apdb.url sqlite:///a → sqlite:///b", "name a → b"]
    assert found.verdict == (
        "the same within 0.001″, 0.01 σ of the flux, 0.001 of the reliability: 1,200 DiaSources, 200 DiaObjects, "
        "24 quanta, 5 templates, the configuration of 2 tasks"
    )


def test_what_was_injected_is_told_from_what_else_is_new_and_scored():
    def inject(sources: pd.DataFrame) -> Injected:
        columns = ["visit", "detector", "band", "ra", "dec"]
        return Injected(sources=sources[columns].assign(mag=22.0), radius=0.5)

    plain = SOURCES[SOURCES.index % 10 != 0].reset_index(drop=True)
    injected, others = SOURCES[SOURCES.index % 20 == 0], len(SOURCES) // 20
    numbers = {"completeness of injected sources": 0.6}
    with_injected = make_comparable("b", SOURCES, injected=inject(injected), score=numbers)
    a = make_comparable("a", plain, score={"purity": 0.99})
    first, *rest = told(compare(a, with_injected))
    assert first.startswith(f"new DiaSources: {2 * others} of 1,200 (10 %)")
    assert first.endswith(f", {others} of them injected sources")
    assert "completeness of injected sources none → 0.600" in rest
    assert not [line for line in rest if "purity" in line]
    lost = told(compare(with_injected, a))
    assert lost[0].startswith("lost DiaSources")
    assert lost[0].endswith(f", {others} of them injected sources")
    fewer = make_comparable(
        "c", SOURCES, injected=inject(injected), score={**numbers, next(iter(numbers)): 0.5}
    )
    (difference,) = told(compare(with_injected, fewer))
    assert difference == "completeness of injected sources 0.600 → 0.500"


def test_another_threshold_is_named_with_what_it_has_lost():
    kept = SOURCES[SOURCES["snr"] >= 5.5].reset_index(drop=True)
    lost = len(SOURCES) - len(kept)
    a = make_comparable("a", SOURCES)
    configuration = {
        **a.configuration,
        ("diffim", TASK): {"class": "lsst.Detect", "detection.thresholdValue": "5.5"},
    }
    found = compare(a, make_comparable("b", kept, configuration=configuration))
    assert found.same is False
    first, *rest = told(found)
    assert first.startswith(
        f"lost DiaSources: {lost} of 1,200 ({100 * lost / 1200:.2g} %), S/N 5.0 to 5.5, median 5."
    )
    assert f"{TASK}: detection.thresholdValue 5.0 → 5.5" in rest
    assert f"{TASK}: detection.thresholdValue 5.0 → 5.5" in found.verdict
    counts = found.sources.counts
    assert (counts.both, counts.only_a, counts.only_b) == (len(kept), lost, 0)
    assert counts.significance == pytest.approx(-math.sqrt(lost))
    by_snr = found.sources.tables["snr"]
    assert by_snr["only_a"].to_dict() == {**dict.fromkeys(by_snr.index, 0), 5.0: lost}
    assert (
        found.sources.tables["visit"]["only_a"].sum() == found.sources.tables["pixel"]["only_a"].sum() == lost
    )


@pytest.mark.parametrize(
    ("column", "change", "quantity", "median"),
    [
        ("psfFlux", lambda s: s["psfFlux"] + 0.5 * s["psfFluxErr"], "flux", 50),
        ("dec", lambda s: s["dec"] - 0.02 / 3600, "north", -0.02),
        ("ra", lambda s: s["ra"] + 0.03 / 3600 / np.cos(np.radians(s["dec"])), "east", 0.03),
        ("reliability", lambda s: s["reliability"] + 0.1, "reliability", 0.1),
    ],
)
def test_a_shift_of_every_source_is_measured(column, change, quantity, median):
    found = compare_sources(SOURCES, SOURCES.assign(**{column: change(SOURCES)}), Tolerances())
    shift = found.shifts[quantity]
    assert not found.same
    assert found.changed == shift.count == 1200
    assert shift.median == pytest.approx(median, rel=0.1)
    assert abs(shift.significance) == pytest.approx(math.sqrt(1200))
    others = {name for name, each in found.shifts.items() if each.changed} - {quantity}
    assert others == ({"separation"} if quantity in ("east", "north") else set())


def test_noise_changes_values_without_a_significant_shift():
    rng = np.random.default_rng(3)
    noisy = SOURCES.assign(psfFlux=SOURCES["psfFlux"] + rng.normal(0, 20, len(SOURCES)).astype(np.float32))
    shift = compare_sources(SOURCES, noisy, Tolerances()).shifts["flux"]
    assert shift.scatter == pytest.approx(20, rel=0.1)
    assert abs(shift.significance) < 3
    assert compare_sources(SOURCES, noisy, Tolerances(flux=2.0)).same


def test_a_value_that_only_one_has_is_a_difference_and_one_that_neither_has_is_not():
    unknown = SOURCES.assign(reliability=np.float32("nan"))
    assert compare_sources(unknown, unknown.copy(), Tolerances()).same
    one = unknown.assign(reliability=unknown["reliability"].where(unknown.index > 0, np.float32(0.5)))
    assert compare_sources(unknown, one, Tolerances()).changed == 1


def test_the_same_sources_in_other_objects_are_a_difference():
    first = SOURCES["diaObjectId"].iloc[0]
    other = SOURCES["diaObjectId"].where((SOURCES["diaObjectId"] != first) | (SOURCES["visit"] < 731_003), 5)
    found = compare(make_comparable("a", SOURCES), make_comparable("b", SOURCES.assign(diaObjectId=other)))
    assert found.sources.regrouped == (1, 0)
    assert "association of the same DiaSources: 1 DiaObject split, 0 DiaObjects merged" in told(found)


def test_catalogues_without_rows_are_compared():
    nothing = SOURCES.iloc[:0]
    assert compare_sources(nothing, nothing, Tolerances()).same
    assert compare_sources(nothing, SOURCES, Tolerances()).counts.only_b == 1200
    assert compact_sources(pd.DataFrame()).dtypes.astype(str).equals(nothing.dtypes.astype(str))


# ---- the verdict -------------------------------------------------------------------------------------------


def test_every_other_aspect_is_compared():
    a = make_comparable("a", SOURCES)
    bad = QuantaCount(expected=12, successful=9, failed=1, blocked=2, unknown=0)
    b = replace(
        a,
        name="b",
        settings={**a.settings, "tracts": "3829"},
        software={**a.software, "jobs: pipe_base": "30.2026.4400", "jobs: yaml": "6"},
        collections={"diffim": ("its own templates", "2.2i/defaults/other")},
        selected={"diffim": a.selected["diffim"] - {(731_000, 1)}},
        quanta={**a.quanta, ("diffim", TASK): bad},
        causes={("diffim", TASK, "ValueError: no stars"): 1, ("diffim", TASK, "failed"): 1},
        usage={("diffim", TASK): TaskUsage(quanta=12, seconds=Spread.of([30.0]), memory=Spread.of([310.0]))},
        templates={**{key: 3 for key in list(a.templates)[1:]}},
        score={"purity": 0.9},
    )
    found = compare(replace(a, score={"purity": 0.95}), b)
    assert found.results_same is False
    assert told(found) == [
        "purity 0.950 → 0.900",
        f"{TASK} 12 of 12 done → 9 of 12 done, 1 failed, 2 blocked",
        f"{TASK}: ValueError: no stars 0 → 1",
        "depth of templates: 4 of 4 differ, by -1 to -1 visits",
        "lost templates: 1 of 5: tract 3828 patch 0 r",
        "images of diffim 6 → 5: 1 lost, 0 new: visit 731000 detector 1",
        "collections of diffim its own templates, 2.2i/defaults → its own templates, 2.2i/defaults/other",
        "tracts 3828 → 3829",
        "jobs: pipe_base 30.2026.4300 → 30.2026.4400",
    ]
    assert told(found, counts=False) == ["jobs: yaml – → 6", f"{TASK}, seconds 10 → 30"]
    assert found.verdict.startswith("they differ: purity 0.950 → 0.900; ")
    assert "images of diffim 6 → 5" in found.verdict
    assert found.verdict.endswith("and 5 more differences")


def test_what_makes_no_difference_to_the_results_is_told_as_such():
    a = make_comparable("a", SOURCES)
    found = compare(a, replace(a, software={**a.software, "jobs: pipe_base": "31"}))
    assert (found.same, found.results_same) == (False, True)
    assert found.verdict == (
        "their results are the same within 0.001″, 0.01 σ of the flux, 0.001 of the reliability, but they differ: "
        "jobs: pipe_base 30.2026.4300 → 31"
    )


@pytest.mark.parametrize("aspect", [each for each in Aspect if each is not Aspect.COSTS])
def test_what_could_not_be_read_is_never_taken_for_equal(aspect):
    a = make_comparable("a", SOURCES)
    emptied = {Aspect.SOURCES: "sources", Aspect.OBJECTS: "objects", Aspect.TEMPLATES: "templates"}
    b = replace(
        a, unread=(Unread(aspect, "gone", "b"),), **({emptied[aspect]: None} if aspect in emptied else {})
    )
    found = compare(a, b)
    assert found.same is None
    assert str(aspect) in found.verdict
    assert told(found) == []
    assert compare(a, replace(b, collections={"diffim": ("other",)})).same is False


def test_unknown_costs_do_not_matter_and_quanta_without_a_record_do():
    a = make_comparable("a", SOURCES)
    assert compare(a, replace(a, usage={}, unread=(Unread(Aspect.COSTS, "gone", "b"),))).same
    waiting = replace(
        a, quanta={("diffim", TASK): QuantaCount(expected=3, successful=2, failed=0, blocked=0, unknown=1)}
    )
    assert compare(waiting, waiting).same is None


def test_an_apdb_that_only_one_has_is_a_difference():
    found = compare(make_comparable("a", SOURCES), make_comparable("b", None))
    assert told(found) == ["DiaSources there → none", "DiaObjects there → none"]


# ---- configurations, runs ----------------------------------------------------------------------------------


def test_a_stored_configuration_is_read_without_executing_it():
    text = f"""
import lsst.ip.diffim.detectAndMeasure
assert type(config) is lsst.ip.diffim.detectAndMeasure.Config, f'config is of type {{type(config)}}'
# A comment.
config.detection.thresholdValue=5.00
config.measurement.plugins['base_PixelFlags'].masks=[
    'EDGE',
    "CR"]
config.limit=float('inf')
config.other['k']=__main__.Sub()
config.astrometry.retarget(target=lsst.meas.Other, ConfigClass=lsst.meas.OtherConfig)
config.text={HOSTILE!r}
"""
    assert parse_config(text) == {
        "class": "lsst.ip.diffim.detectAndMeasure.Config",
        "detection.thresholdValue": "5.0",
        "measurement.plugins['base_PixelFlags'].masks": "['EDGE', 'CR']",
        "limit": "float('inf')",
        "other['k']": "__main__.Sub()",
        "astrometry.class": "lsst.meas.Other",
        "text": repr(HOSTILE),
    }


def test_every_field_that_pex_config_writes_is_read():
    from apcampaign.sandbox.tasks.differences import DetectAndMeasureConfig

    config = DetectAndMeasureConfig()
    config.threshold = 5.5
    fields = parse_config(config.saveToString())
    assert fields["threshold"] == "5.5"
    assert fields["class"] == "apcampaign.sandbox.tasks.differences.DetectAndMeasureConfig"
    written = {
        line.partition("=")[0] for line in config.saveToString().splitlines() if line.startswith("config.")
    }
    assert written == {f"config.{name}" for name in fields if name != "class"}


@pytest.mark.parametrize("text", ["", "config.a = (", "import os\nos.remove('x')", "for x in y: pass"])
def test_what_is_no_stored_configuration_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011 - what it says is in the comparison
        parse_config(text)


def test_runs_of_one_campaign_with_other_values_give_both():
    assert join_values([{"a": "1", "b": "2"}, {"a": "3", "b": "2"}]) == {"a": "1 and 3", "b": "2"}


def test_a_run_that_is_not_there_is_refused_with_those_that_are(tmp_path):
    ledger = Ledger(paths=CampaignPaths(tmp_path, "camp"), runs=())
    with pytest.raises(LedgerError, match="no run 2026"):
        select_runs(ledger, "2026")


def test_what_another_release_has_written_and_cannot_be_read_is_told_with_its_version(tmp_path):
    folder = unpack_older_runs(tmp_path, tmp_path / "sandbox")
    (tmp_path / "sandbox" / "repo").mkdir(parents=True)  # of which nothing is left
    for record in folder.glob("complete/runs/*/*/*/run.yaml"):
        record.write_text(re.sub("lsst-pipe-base: .*", "lsst-pipe-base: 29.0.1", record.read_text()))
    file, runs = folder / "complete" / "campaign.yaml", folder / "complete" / "runs"
    campaign = Campaign.open(file, runs=runs, environment={})
    found = campaign.compare(campaign)
    assert found.same is None
    assert told(found) == []
    assert {each.aspect for each in found.unread} == set(Aspect) - {Aspect.SETTINGS, Aspect.SCORE}
    assert all("(written by lsst-pipe-base 29.0.1, read by 30." in each.why for each in found.unread)
    assert {each.side for each in found.unread} == {f"{campaign.name} (A)", f"{campaign.name} (B)"}


# ---- how it is shown ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def found() -> Comparison:
    other = make_sources(1200, seed=2).iloc[30:].reset_index(drop=True)
    a = replace(make_comparable(f"a {HOSTILE}", SOURCES), unread=(Unread(Aspect.COSTS, HOSTILE, "a"),))
    return compare(a, make_comparable("b", other))


def test_the_page_is_whole_and_nothing_in_it_is_markup(found):
    page = Page(render_comparison(found))
    assert page.unclosed == []
    assert len(page.ids()) == len(set(page.ids()))
    assert {each["href"].removeprefix("#") for each in page.all("a")} <= set(page.ids())
    assert len(page.all("script")) == 3
    assert not page.all("b")
    assert page.texts["state"] == "they differ"
    assert HOSTILE in page.texts["verdict"] or HOSTILE in page.texts["h1"]
    drawings = json.loads(page.texts["drawings"])
    assert set(drawings) == {
        *(
            "plot-snr",
            "plot-visits-0",
            "plot-visits-1",
            "plot-visits-2",
            "plot-sky",
            "plot-flux",
            "plot-position",
        ),
        "plot-tasks",
    }
    assert all(drawing["data"] for drawing in drawings.values())


def test_shares_of_nothing_are_drawn_as_such():
    a, b = make_comparable("a", SOURCES), make_comparable("b", SOURCES.copy())
    drawings = json.loads(Page(render_comparison(compare(a, b))).texts["drawings"])
    assert drawings["plot-visits-0"]["layout"]["yaxis"]["rangemode"] == "nonnegative"
    named = {trace["name"] for trace in drawings["plot-sky"]["data"] if trace.get("name")}
    assert named == {"0 %"}


def test_json_holds_the_counts_the_shifts_and_what_differs(found):
    content = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert content["same"] is False
    assert content["dia_sources"]["only_a"] == 30
    assert content["dia_sources"]["shifts"]["flux"]["changed"] > 1000
    assert sum(row["only_a"] for row in content["dia_sources"]["by_visit"]) == 30
    assert content["differences"][0]["description"].startswith("lost DiaSources: 30 of 1,200")


def test_a_notebook_shows_the_verdict_and_the_tables(found):
    shown = read_html(found._repr_html_())
    assert found.verdict in shown.lines
    catalogues, differences, unread = shown.tables
    assert catalogues[1][:6] == ["DiaSources", "1200", "1170", "1170", "30", "0"]
    assert differences[1][0] == "DiaSources"
    assert unread[1] == ["time and memory", found.a.name, HOSTILE]


@pytest.mark.parametrize("words", [[], ["a.yaml"], ["a.yaml", "--run", "x"], ["a.yaml", "b.yaml", "c.yaml"]])
def test_two_sides_must_be_named(words):
    done = CliRunner().invoke(command, words)
    assert done.exit_code == 2
    assert "name two campaign files" in done.output
