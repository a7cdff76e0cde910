"""The report: one page that opens without a network, shows what there is, and is safe whatever that is."""

import base64
import gzip
import hashlib
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from apcampaign.bps import Step
from apcampaign.bps.campaign import CampaignConfig
from apcampaign.monitor import Attempt, AttemptOutcome, Job, JobState
from apcampaign.report import ReportData, campaign_state, headline, log_axis, render_report, write_report
from apcampaign.report.cutouts import cut, draw_pictures
from apcampaign.report.figure import interval
from apcampaign.report.figures_timeline import MOST_BARS, draw_timeline
from apcampaign.report.job_usage import measure_usage, suggest_settings
from apcampaign.report.quality import spread_out
from apcampaign.report.render import draw_figures
from apcampaign.report.timeline import Span, pack, running_counts
from html_reading import Page
from PIL import Image
from report_data import DIA_SOURCE, HOSTILE, START, make_data, make_jobs


@pytest.fixture(scope="module")
def data() -> ReportData:
    return make_data(make_jobs(200, bad=0.1))


@pytest.fixture(scope="module")
def page(data) -> Page:
    return Page(render_report(data))


def test_the_page_is_whole_and_its_links_lead_somewhere(page):
    assert page.unclosed == []
    ids = page.ids()
    assert len(ids) == len(set(ids))
    links = [each["href"] for each in page.all("a")]
    assert len(links) > 8
    assert {link.removeprefix("#") for link in links} <= set(ids)
    for name in ("aria-labelledby", "data-table", "data-plot", "data-source"):
        named = {each[name] for _, each in page.elements if name in each}
        assert named <= set(ids), name


def test_the_page_asks_for_nothing_from_anywhere(page):
    (policy,) = [each["content"] for each in page.all("meta") if each.get("http-equiv")]
    assert "default-src 'none'" in policy
    for tag, attributes in page.elements:
        for name in ("src", "href", "action", "data", "poster", "srcset"):
            value = attributes.get(name)
            assert value is None or value.startswith(("#", "data:,", "data:image/png;base64,")), (tag, name)
    assert not re.search(r"url\(|@import", page.texts["style"])
    library = gzip.decompress(base64.b64decode(page.texts["library"])).decode()
    assert "Licensed under the MIT license" in library[:300]


def test_everything_in_the_data_is_text_and_nothing_of_it_is_markup(page):
    assert len(page.all("script")) == 3
    assert not page.all("b")
    for name in ("failures", "provenance"):
        assert HOSTILE in page.texts[name]
    assert any(HOSTILE in text for text in page.texts.values())


def test_only_the_pages_own_scripts_may_run(page):
    (policy,) = [
        each["content"] for each in page.all("meta") if each.get("http-equiv") == "Content-Security-Policy"
    ]
    rules = {rule.split()[0]: rule.split()[1:] for rule in policy.split(";")}
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == ["'none'"]
    own = page.texts["script"].removeprefix(page.texts["drawings"] + page.texts["library"])
    library = gzip.decompress(base64.b64decode(page.texts["library"])).decode()
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (own, library)]
    assert rules["script-src"] == [*(f"'sha256-{each}'" for each in hashes), "blob:"]


def test_no_text_of_a_task_commands_a_terminal_or_turns_the_page_around(data):
    group = replace(data.jobs[0], name="\x1b[2J\u202ekcatta")
    page = Page(render_report(replace(data, campaign="\x1b]0;x\x07\u202eevil", jobs=(group, *data.jobs[1:]))))
    shown = page.texts["html"]
    assert "\\x1b]0;x\\x07\\u202eevil" in shown
    json.loads(page.texts["drawings"])
    assert not set("\x1b\x07\u202e") & set(shown)


def test_every_figure_has_a_caption_and_a_table_to_sort_and_to_download(page, data):
    figures = draw_figures(data)
    drawings = json.loads(page.texts["drawings"])
    ids = set(page.ids())
    assert len(page.all("figcaption")) == len(figures) == 14
    for figure in figures.values():
        assert figure.panels or figure.id == "cutouts"
        assert f"table-{figure.id}" in ids
        assert all(len(row) == len(figure.table.columns) for row in figure.table.rows)
        assert {panel.id for panel in figure.panels} <= set(drawings)
        assert {panel.id for panel in figure.panels} <= {each.get("data-plot") for each in page.all("button")}
        assert all(panel.traces for panel in figure.panels)
        assert f"table-{figure.id}" in {each.get("data-table") for each in page.all("button")}
    labels = [each["aria-label"] for each in page.all("div") if each.get("role") == "img"]
    assert len(labels) == len(drawings)
    assert all(labels)


def test_the_colours_that_figures_name_are_the_pages_in_light_and_dark(page, data):
    text = json.dumps([panel.traces for figure in draw_figures(data).values() for panel in figure.panels])
    used = set(re.findall(r'"\$([a-z0-9-]+)"', text))
    light, _, dark = page.texts["style"].partition("@media (prefers-color-scheme: dark)")
    chosen = dark.split(':root[data-theme="dark"]')[1]
    for sheet in (light, dark, chosen):
        assert used <= set(re.findall(r"--([a-z0-9-]+):", sheet))


def test_the_tables_hold_what_is_drawn(data):
    figures = draw_figures(data)
    jobs = sum(len(job.attempts) for job in data.jobs)
    assert len(figures["timeline"].table.rows) == jobs
    assert sum(len(trace["y"]) for trace in figures["timeline"].panels[0].traces) == jobs
    curves = figures["light-curves"]
    drawn = sum(len(panel_y) for panel in curves.panels for panel_y in _ys(panel))
    assert len(curves.table.rows) == drawn - len(data.catalog.light_curves[0].truth)
    completeness = figures["completeness"]
    drawn = sum(len(panel_y) for panel in completeness.panels[:2] for panel_y in _ys(panel))
    assert drawn == sum(bool(row[3]) for row in completeness.table.rows) < len(completeness.table.rows)
    assert "50% at 22.40 ± 0.03, 90% unknown (only 88% of the bright ones are found)" in completeness.caption
    shown = {trace["view"] for trace in figures["sky"].panels[0].traces}
    assert shown == set(figures["sky"].views) == {"g", "r", "i"}


def _ys(panel):
    return [trace["y"] for trace in panel.traces]


def test_a_sky_across_the_meridian_is_drawn_in_one_piece(data):
    x = [
        value
        for trace in draw_figures(data)["sky"].panels[0].traces
        for value in trace["x"]
        if value is not None
    ]
    assert max(x) - min(x) < 5
    labels = draw_figures(data)["sky"].panels[0].layout["xaxis"]["ticktext"]
    assert {"359", "0", "1"} <= set(labels)


def test_thousands_of_jobs_become_a_count_over_time():
    jobs = make_jobs(5 * MOST_BARS)
    figure = draw_timeline(make_data(jobs))
    labels = {job.label for job in jobs}
    assert {trace["name"] for trace in figure.panels[0].traces} == labels
    assert len(figure.table.rows) == 400
    (makes,) = [trace for trace in figure.panels[0].traces if trace["name"] == "makeWarp"]
    step = (makes["x"][1] - makes["x"][0]) / 1000
    busy = sum(a.ended - a.started for job in jobs if job.label == "makeWarp" for a in job.attempts)
    assert sum(makes["y"]) * step == pytest.approx(busy, rel=0.01)


def test_executions_of_parts_tell_their_part():
    jobs = [replace(job, run=f"templates-visits-{n}") for n, job in enumerate(make_jobs(3), 1)]
    figure = draw_timeline(make_data(jobs))
    runs = [cells[3] for trace in figure.panels[0].traces for cells in trace["customdata"]]
    assert {*runs} == {row[0] for row in figure.table.rows} == {job.run for job in jobs}


def test_counts_of_running_jobs_are_exact():
    spans = [
        Span("a", "x", 0, 10, None, ""),
        Span("b", "x", 5, 15, None, ""),
        Span("c", "x", 12, 13, None, ""),
    ]
    counts = running_counts(spans, np.array([0.0, 5.0, 10.0, 20.0]))
    assert counts.tolist() == pytest.approx([1.0, 2.0, 0.6])
    assert pack(spans) == [0, 1, 0]


def test_the_page_of_an_active_campaign_reloads_itself_and_that_of_one_that_has_ended_does_not(data):
    active = replace(data, final=False, good=None)
    refresh = [each.get("data-refresh") for each in Page(render_report(active, refresh=20)).all("html")]
    assert refresh == ["20"]
    assert "pause" in Page(render_report(active, refresh=20)).ids()
    assert "data-refresh" not in Page(render_report(active)).all("html")[0]
    assert "data-refresh" not in Page(render_report(data, refresh=20)).all("html")[0]
    assert campaign_state(data) == ("not complete", "bad")
    assert campaign_state(active) == ("running, with failed or held jobs", "bad")


def test_a_report_of_nothing_is_a_page_too():
    page = Page(render_report(ReportData(campaign="new", made=START, final=False, good=None)))
    assert page.unclosed == []
    assert "Nothing to draw yet" in page.texts["timeline"]
    assert "None so far" in page.texts["failures"]


def test_the_headline_counts_good_and_bad(data):
    tiles = {tile.title: tile for tile in headline(data)}
    assert tiles["Quanta done"].value == "45"
    bad = sum(job.state is JobState.FAILED for job in data.jobs)
    assert tiles["Jobs done"].value == str(len(data.jobs) - bad)
    assert float(tiles["Goodput"].value.removesuffix(" %")) < 100
    assert tiles["Verification"].value == "good"


def make_job(label: str, *, memory: float, request: float, seconds: float = 3600, held: bool = False) -> Job:
    outcome = AttemptOutcome.HELD if held else AttemptOutcome.DONE
    attempt = Attempt(
        cluster=1,
        started=START,
        ended=START + seconds,
        outcome=outcome,
        hold_code=34 if held else None,
        hold_subcode=0 if held else None,
        memory=memory,
        memory_request=request,
    )
    return Job(
        name=f"{label}_1",
        label=label,
        step=Step.TEMPLATES,
        state=JobState.HELD if held else JobState.DONE,
        request_memory=request,
        attempts=(attempt,),
        folder="/",
    )


def test_the_suggestion_is_what_a_campaign_file_takes():
    jobs = [
        make_job("makeWarp", memory=1000, request=8192),
        make_job("consolidateVisitSummary", memory=3000, request=4096),
        make_job("selectAndAssemble", memory=3000, request=3000, held=True),
        make_job("finalJob", memory=500, request=2048),
        make_job("isr", memory=5, request=4096, seconds=10),  # HTCondor had not looked when it ended
    ]
    usage = measure_usage(jobs, START)
    settings = suggest_settings(usage, {Step.TEMPLATES: ["makeWarp"]})
    assert settings == {
        "templates": {
            "bps": {
                "cluster": {"makeWarp": {"requestMemory": 1280}},
                "finalJob": {"requestMemory": 768},
                "pipetask": {"selectAndAssemble": {"requestMemory": 6144}},
            }
        }
    }
    campaign = {"name": "x", "butler": "/repo", "tracts": [1], "inCollection": "raw"}
    campaign["templates"] = {"pipeline": "p.yaml", **yaml.safe_load(yaml.safe_dump(settings))["templates"]}
    assert CampaignConfig.model_validate(campaign).templates.bps == settings["templates"]["bps"]


def test_what_tasks_note_of_their_memory_counts_more_than_what_htcondor_saw(data):
    figure = draw_figures(data)["memory"]
    titles = [column.title for column in figure.table.columns]
    rows = {row[1]: dict(zip(titles, row, strict=True)) for row in figure.table.rows}
    assert rows["makeWarp"]["noted by"] == "tasks"
    assert rows["makeWarp"]["most (MiB)"] == 7300
    assert rows["diffim"]["noted by"] == "HTCondor"


def test_cells_hold_their_unrounded_values_for_sorting_and_for_csv(page):
    values = {attributes.get("data-v") for tag, attributes in page.elements if tag == "td"}
    assert {"60960.2", "0.045"} <= values
    assert "1\u202f000" in page.texts["table-significance"]


def test_identifiers_are_written_as_they_are_and_are_no_numbers_to_the_page(page, data):
    assert str(DIA_SOURCE) in page.texts["table-light-curves"]
    assert str(DIA_SOURCE + 1) in page.texts["cutouts"]
    assert "731000" in page.texts["table-visits"]
    assert not re.search(r"\de\+1[0-9]|7\u202f?31\u202f000", page.texts["html"])

    def numbers(value):
        if isinstance(value, dict):
            value = list(value.values())
        if isinstance(value, list):
            return [each for item in value for each in numbers(item)]
        return [value] if isinstance(value, int | float) else []

    # JavaScript's numbers are exact up to 2⁵³; dates are milliseconds.
    assert max(map(abs, numbers(json.loads(page.texts["drawings"])))) < 1e13
    kinds = {attributes.get("class") for tag, attributes in page.elements if tag in ("td", "th")}
    assert "id" in kinds


def test_pictures_of_a_source_have_one_scale_and_the_source_in_their_middle():
    image = np.zeros((100, 60), np.float32)
    image[::2] = 10  # some noise
    image[70:73, 11:14], image[75:78, 11:14] = 500, -40
    image[71, 12] += 1
    stamp = cut(image, 12 - 20, 71 - 20)
    assert np.isnan(stamp[:, :8]).all()
    assert not np.isnan(stamp[:, 8:]).any()
    assert cut(image, 60, 0) is None
    pictures = draw_pictures({"science": stamp, "difference": stamp / 4})
    science, difference = (np.asarray(Image.open(io.BytesIO(png))).astype(int) for png in pictures.values())
    assert science.shape == (41, 41)
    # The first row of a picture is the highest of the image.
    assert science[20, 20] == science.max()
    assert science[15, 20] == science[:, 8:].min() < difference[15, 20]
    assert science.max() == 255 > difference.max()
    assert set(science[:, :8].ravel()) == {127}
    assert draw_pictures({}) == {}


def test_any_beginning_of_a_sample_is_spread_over_all_of_it():
    for count in (0, 1, 2, 7, 100):
        assert sorted(spread_out(range(count))) == list(range(count))
    assert spread_out(range(8)) == [0, 4, 2, 6, 1, 5, 3, 7]


def test_the_quality_of_visits_is_the_median_of_their_detectors(data):
    figure = draw_figures(data)["quality"]
    assert "a sample of 12 of 24" in figure.caption
    zero_points = [image.zero_point for image in data.quality.images if image.visit == 731_005]
    row = next(row for row in figure.table.rows if row[0] == 731_005)
    assert row[4] == pytest.approx(np.median([each for each in zero_points if each is not None]))
    plane = draw_figures(data)["focal-plane"]
    by_detector = {row[0]: row for row in plane.table.rows}
    assert by_detector[4][2] == data.catalog.by_detector[4].sources / 12
    assert by_detector[4][4] is None  # it has no zero point


class Given:
    """What a reader of reports returns, one after another."""

    def __init__(self, *contents: ReportData) -> None:
        self.contents = iter(contents)

    def read(self, *, summary=None) -> ReportData:
        return next(self.contents)


def test_a_report_that_shows_more_is_kept_and_named(data, tmp_path, caplog):
    file, kept = tmp_path / "report.html", tmp_path / "report.fuller.html"
    full = replace(data, good=True, notes=())
    poor = replace(full, catalog=None, cutouts=(), unread=frozenset({"the APDB"}), made=data.made + 60)
    reader = Given(full, poor, poor, full)
    write_report(None, file, reader=reader)
    whole = file.read_text()
    assert not kept.exists()
    for _ in range(2):
        write_report(None, file, reader=reader)
        page = Page(file.read_text())
        assert kept.read_text() == whole
        assert "has the APDB, the cutouts, and is kept as report.fuller.html" in page.texts["main"]
        assert page.texts["state"] == "complete, but not all of it could be read"
    (said,) = caplog.messages
    assert "the report lacks the APDB, the cutouts" in said
    write_report(None, file, reader=reader)
    assert file.read_text() == whole
    assert not kept.exists()


def test_what_an_active_campaign_does_not_show_yet_replaces_an_earlier_report(data, tmp_path):
    file = tmp_path / "report.html"
    again = replace(data, final=False, good=None, verification=None, catalog=None)
    reader = Given(data, again, replace(again, unread=frozenset({"the APDB"})), data)
    for _ in range(2):
        write_report(None, file, reader=reader)
    assert [each.name for each in tmp_path.iterdir()] == ["report.html"]
    # What could not be read is another matter; here the report before had none of it either.
    write_report(None, file, reader=reader)
    assert [each.name for each in tmp_path.iterdir()] == ["report.html"]
    file.write_text("<html>a page of an earlier version</html>")
    write_report(None, file, reader=reader)
    assert [each.name for each in tmp_path.iterdir()] == ["report.html"]


def test_a_step_names_all_its_runs(page):
    for part in ("-a", "-b"):
        assert f"u/me/dc2-test/diffim/20260101T000000Z{part}" in page.texts["steps"]


@pytest.mark.slow
@pytest.mark.htcondor
@pytest.mark.postgres
def test_a_campaign_dag_leaves_a_report_of_itself(undisturbed):
    operator, _ = undisturbed
    (file,) = operator.folder.glob("runs/*/report.html")
    (said,) = operator.folder.glob("runs/*/dag/*/summary.out")
    assert f"report: {file.resolve()}" in said.read_text()
    page = Page(file.read_text())
    assert page.texts["state"] == "complete"
    assert page.unclosed == []
    drawings = json.loads(page.texts["drawings"])
    names = ["timeline", "runtime", "memory", "hours", "sky", "density", "visits", "light-curve-0"]
    for name in [*names, "quality-seeing", "quality-zero-point", "focal-plane", "snr", "reliability"]:
        assert drawings[f"plot-{name}"]["data"], name
    pictures = [each["src"] for each in page.all("img")]
    assert len(pictures) >= 3 * 3
    assert all(each.startswith("data:image/png;base64,") for each in pictures)
    assert page.texts["cutouts"].count("difference") > page.texts["cutouts"].count("none")
    assert "Missing from this report" not in page.texts["main"]
    assert "hunter2" not in file.read_text()
    # The same from a shell, where it goes wherever one likes; for machines in JSON.
    content = json.loads(operator.apcampaign("report", "--output", "mine.html", "--json"))
    assert content["state"] == "complete"
    assert content["notes"] == []
    assert content["headline"]["Verification"]["value"] == "good"
    # DiaObjects are counted alike wherever they are counted.
    summary, info = (
        json.loads(operator.apcampaign(*words, "--json")) for words in (["summary"], ["apdb", "info"])
    )
    assert summary["dia_objects"] == info["dia_objects"] <= info["tables"]["DiaObject"]
    assert content["headline"]["DiaObjects"]["value"] == str(info["dia_objects"])
    assert (operator.folder / "mine.html").exists()


def test_the_nights_of_a_campaign_add_up_to_what_its_apdb_holds(data, page):
    visits = data.visits
    figure = draw_figures(data)["nights"]
    rows = figure.table.rows
    assert [row[0] for row in rows] == sorted({str(visit.night) for visit in visits})
    assert sum(row[1] for row in rows) == len(visits)
    assert sum(row[3] for row in rows) == sum(visit.dia_sources for visit in visits)
    assert all(row[3] == row[4] + row[5] for row in rows)
    assert rows[-1][-1] == sum(visit.new_sources for visit in visits)
    assert "Night by night" in page.texts["nights"]
    assert figure.panels[0].layout["yaxis"]["dtick"] == 1  # there are no fractions of a visit


def test_a_campaign_of_one_night_shows_no_nights(data):
    one = replace(data, visits=tuple(replace(visit, night=20_251_012) for visit in data.visits))
    page = Page(render_report(one))
    assert "nights" not in page.ids()
    links = {each["href"] for each in page.all("a")}
    assert "#nights" not in links


def test_every_logarithmic_axis_has_labels_of_one_size():
    root = Path(__file__).parents[2]
    files = [*(root / "report").rglob("*.py"), *(root / "scripts" / "display").glob("*.py")]
    assert [file.name for file in files if '"type": "log"' in file.read_text()] == ["figure.py"]
    axis = log_axis("S/N")
    assert dict(zip(axis["tickvals"], axis["ticktext"], strict=True))[3000] == "3,000"


def test_the_ends_of_an_interval_differ_however_narrow_it_is():
    assert interval(1000, 2000) == "1,000–2,000"
    assert interval(0.84, 0.86, 1) == "0.84–0.86"
    assert interval(0.8412, 0.8413) == "0.8412–0.8413"
    assert interval(3, 3, 1) == "3.0–3.0"
