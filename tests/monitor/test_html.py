"""What a notebook shows of a campaign's progress, failures and results."""

from dataclasses import replace
from pathlib import Path

import pytest
from apcampaign.apdb import ApdbTarget, Verification
from apcampaign.apdb.findings import ApdbFinding, ApdbFindingKind
from apcampaign.bps import Step
from apcampaign.monitor import CampaignStatus, Failures, JobState
from apcampaign.monitor.campaign_summary import CampaignSummary, RunSummary, StepSummary
from apcampaign.monitor.failures import Group
from apcampaign.monitor.failures.causes import Cause, FailureKind
from apcampaign.monitor.outcomes import QuantaCount
from apcampaign.monitor.outcomes.provenance import QuantaTrouble
from apcampaign.monitor.progress import Estimate, LabelProgress
from apcampaign.monitor.status import RunState, RunStatus, StepStatus
from html_reading import read_html
from report_data import HOSTILE


@pytest.fixture
def status() -> CampaignStatus:
    label = LabelProgress(
        label="makeWarp", counts={JobState.DONE: 3, JobState.FAILED: 1}, retried=1, seconds=61.0
    )
    step = StepStatus(
        step=Step.TEMPLATES,
        runs=(RunStatus(name="templates", output_run="u/me/t", folder=Path("/r"), state=RunState.RUNNING),),
        state=RunState.RUNNING,
        labels=(label,),
        estimate=Estimate(jobs_per_hour=60, concurrency=2, seconds=120, uncertainty=10),
        began=1.0,
        ended=None,
        earlier_runs=0,
    )
    return CampaignStatus(
        campaign="dc2",
        time=9.0,
        active=True,
        dag=(),
        steps=(step,),
        waiting=("2 jobs for a slot",),
        unknown=(),
    )


@pytest.fixture
def group() -> Group:
    """Jobs whose task raised an exception with a hostile message."""
    return Group(
        step=Step.DIFFIM,
        label="diffim",
        cause=Cause(kind=FailureKind.EXCEPTION, message=HOSTILE),
        jobs={JobState.FAILED: ["a", "b"]},
        hosts={},
        exit_codes={},
        signals={},
        memory=None,
        memory_request=None,
        example="a",
        log=None,
        data_ids=(),
        pruned={},
        waiting=0,
        remedies=("look at its log", "apcampaign resume"),
    )


def test_progress_is_a_table_of_each_step_with_the_states_that_occur(status):
    shown = read_html(status._repr_html_())
    assert shown.tables == [
        [["job", "done", "failed", "retried", "each"], ["makeWarp", "3", "1", "1", "1 min 01 s"]]
    ]
    assert shown.lines == [
        "campaign dc2: active",
        "templates: running; 60 jobs an hour, 2.0 at a time; ends in about 2 min 00 s ± 10 s",
        "waits: 2 jobs for a slot",
    ]


def test_a_step_without_jobs_shows_its_state(status):
    (step,) = status.steps
    bare = replace(step, labels=(), estimate=None, state=RunState.UNSUBMITTED)
    shown = read_html(replace(status, steps=(bare,))._repr_html_())
    assert not shown.tables
    assert "templates: never submitted" in shown.lines


def test_the_message_of_a_task_is_shown_as_it_is_and_escaped(group):
    quanta = {Step.DIFFIM: (QuantaTrouble(label="isr", failed=[{"visit": 1}]),)}
    failures = Failures(groups=(group,), retried=(group,), pruned={Step.DIFFIM: 3}, quanta=quanta)
    shown = read_html(failures._repr_html_())
    failed, retried, troubled = shown.tables
    assert failed == retried
    remedies = "look at its log\napcampaign resume"
    assert failed[1] == ["diffim", "diffim", "2 failed", "exception", HOSTILE, remedies]
    assert troubled[1] == ["diffim", "isr", "1", "0", "0"]
    assert "3 jobs of diffim will not run because of these" in shown.lines


def test_no_failures_are_said_in_a_line():
    shown = read_html(Failures(groups=(), retried=(), pruned={})._repr_html_())
    assert (shown.tables, shown.lines) == ([], ["no job has failed or is held"])


def test_results_are_the_quanta_of_each_step_and_the_rows_of_the_apdb():
    count = QuantaCount(expected=4, successful=1, failed=1, blocked=1, unknown=1)
    run = RunSummary(output_run="u/me/d", submit_dir="/s", state="FAILED", quanta={"associateApdb": count})
    step = StepSummary(step=Step.DIFFIM, runs=(run,), product="dia_source_apdb", products=1)
    finding = ApdbFinding(ApdbFindingKind.MISSING, "visit 2 is missing")
    target = ApdbTarget.from_url("sqlite:////tmp/apdb.db")
    verification = Verification(target, "apdb_marker", 2, 1, 9, 9, (finding,), (), {"missing": 1}, 0.1)
    summary = CampaignSummary(
        campaign="dc2",
        steps=(step,),
        apdb_config="/apdb.yaml",
        apdb_rows={"DiaSource": 9},
        verification=verification,
    )
    shown = read_html(summary._repr_html_())
    quanta, rows, findings = shown.tables
    assert quanta[1] == ["associateApdb", "4", "1", "1", "1", "1"]
    assert rows == [["table", "rows"], ["DiaSource", "9"]]
    assert findings[1] == ["missing", "visit 2 is missing"]
    assert shown.lines[-1].startswith("campaign dc2: NOT complete; see `apcampaign status`")
