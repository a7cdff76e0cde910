"""What a notebook shows of what is checked, foretold and planned."""

from dataclasses import replace
from pathlib import Path

import pytest
from apcampaign.bps import CampaignConfig, PlannedRun, Step, plan_campaign
from apcampaign.bps.lint import Finding, Severity
from apcampaign.common.errors import PreconditionError
from apcampaign.ledger import Ledger, Workspace
from apcampaign.monitor.outcomes import QuantaCount
from apcampaign.submit.forecast import Forecast, JobForecast, RunForecast
from apcampaign.submit.outputs.remaining import Remaining
from apcampaign.submit.preflight import CollectionNode, Inspection, Preflight
from apcampaign.submit.preflight.inspection import Coverage
from apcampaign.submit.preflight.selection import Estimate
from apcampaign.submit.resume import ResumePlan
from apcampaign.submit.submission import SubmissionPlan
from html_reading import read_html
from report_data import HOSTILE


@pytest.fixture
def plan(tmp_path: Path) -> SubmissionPlan:
    content = {
        "name": "camp",
        "butler": "/repo/dc2",
        "tracts": [3828],
        "inCollection": "raws",
        "operator": "me",
    }
    workspace = Workspace(CampaignConfig.model_validate(content), tmp_path)
    return SubmissionPlan(
        workspace=workspace,
        ledger=Ledger(paths=workspace.paths, runs=()),
        plan=plan_campaign(workspace.campaign, timestamp="20251012T010203Z"),
        executor=None,
    )


def test_a_preflight_shows_its_findings_and_what_would_be_processed():
    finding = Finding(severity=Severity.ERROR, rule="no-input", what=HOSTILE, why="b", remedy="c", key="k")
    preflight = Preflight(
        findings=(finding,),
        selections={"templates": {"visit": 1200, "detector": 2}},
        estimates={"templates": (Estimate(label="isr", quanta=4), Estimate(label="warp", quanta=2000))},
        seconds=1.25,
    )
    shown = read_html(preflight._repr_html_())
    findings, runs = shown.tables
    assert findings[1] == ["error", "k", HOSTILE, "b", "c", "no-input"]
    assert runs[1] == ["templates", "1,200 visit, 2 detector", "2,004"]
    assert shown.lines == ["preflight: errors, with which nothing can be submitted; checked in 1.2 s"]


def test_a_clean_preflight_says_so():
    shown = read_html(Preflight(findings=())._repr_html_())
    assert (shown.tables, shown.lines) == ([], ["preflight: no errors; checked in 0.0 s"])


def test_a_forecast_shows_the_jobs_of_each_run_and_the_sum():
    job = JobForecast(
        label="isr",
        quanta={"isr": 1000},
        jobs=1000,
        seconds=36.0,
        cores=1,
        memory=4096,
        disk=2048.0,
        depth=1,
        sources=("guess",),
        parents=(),
    )
    run = PlannedRun(
        step=Step.TEMPLATES, timestamp="T", pipeline="p", query="q", inputs=("raw",), output="u/me/t"
    )
    runs = (RunForecast(run=run, selection={}, jobs=(job,)),)
    shown = read_html(Forecast(campaign="dc2", slots=10, runs=runs, notes=("10 is assumed",))._repr_html_())
    ((_, row),) = shown.tables
    assert row == ["isr", "1,000", "1,000", "36", "10.00", "2.00", "4,096 MiB", "guess"]
    assert shown.lines == [
        "templates: 1,000 quanta in 1,000 jobs at most; 1 h 00 min to 1 h 00 min on 10 slots",
        "campaign dc2: 10.0 core-hours, 2.0 GiB; 1 h 00 min to 1 h 00 min, besides the building of the "
        "quantum graphs",
        "10 is assumed",
    ]


def test_a_submission_that_is_planned_shows_its_runs_and_why_it_would_be_refused(plan):
    refused = replace(plan, notes=("careful",), obstacles=(PreconditionError(HOSTILE),))
    shown = read_html(refused._repr_html_())
    ((_, templates, diffim),) = shown.tables
    assert templates[:2] == ["templates", ""]
    assert diffim[:2] == ["diffim", "templates"]
    assert diffim[3] == "u/me/camp/diffim/20251012T010203Z"
    assert shown.lines == ["careful", f"it would be refused: {HOSTILE}"]


def test_a_resume_that_is_planned_shows_what_is_not_done_and_what_is_built(plan):
    counts = {
        "isr": QuantaCount(expected=4, successful=4, failed=0, blocked=0, unknown=0),
        "warp": QuantaCount(expected=4, successful=1, failed=1, blocked=2, unknown=0),
    }
    resume = ResumePlan(
        workspace=plan.workspace,
        ledger=plan.ledger,
        remaining=(Remaining(Step.TEMPLATES, begun=True, counts=counts),),
        reason="as asked for",
        rebuild=plan,
    )
    shown = read_html(resume._repr_html_())
    assert shown.tables == [
        [
            ["step", "task", "quanta", "failed", "blocked", "unknown"],
            ["templates", "warp", "4", "1", "2", "0"],
        ]
    ]
    assert "as asked for: building new graphs, which leave out what is done" in shown.lines


def test_an_inspection_shows_its_collections_and_the_coverage():
    inspection = Inspection(
        butler="/repo",
        instrument="LSSTCam-imSim",
        skymap="DC2",
        instruments=(),
        skymaps=(),
        collections=(CollectionNode(name="2.2i/raw/all", kind="RUN", dataset_types=("raw",), children=()),),
        coverage=(
            Coverage(
                tract=3828, band="r", visits=4, raws=8, patches=6, depth=(1, 2, 4), templates=0, differences=0
            ),
        ),
    )
    shown = read_html(inspection._repr_html_())
    ((_, row),) = shown.tables
    assert row == ["3828", "r", "4", "8", "6", "1 to 4, median 2", "0", "0"]
    assert shown.lines == ["LSSTCam-imSim on the skymap DC2", "/repo: 2.2i/raw/all (RUN)"]
