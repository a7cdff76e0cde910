"""Style and types: of all our code, beside the other tests, and of a script that uses the Python API."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow(minutes=1)

ROOT = Path(__file__).resolve().parents[1]


def test_style_and_types_are_right():
    done = subprocess.run(
        ["make", f"VENV={sys.prefix}", "lint"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout


#: What somebody writes who checks the types of a script.
SCRIPT = """
from pathlib import Path
from typing import assert_type

import pandas as pd
from apcampaign import Campaign, CampaignApdb
from apcampaign.apdb import ApdbCreated, Verification
from apcampaign.apdb.export import ApdbExported
from apcampaign.ledger import Ledger, RunRecord
from apcampaign.monitor import CampaignStatus, Failures
from apcampaign.monitor.campaign_summary import CampaignSummary
from apcampaign.submit.cancel import CancelPlan
from apcampaign.doctor import DoctorPlan
from apcampaign.submit.executors import Submission
from apcampaign.submit.forecast import Forecast
from apcampaign.submit.preflight import Inspection, Preflight
from apcampaign.submit.resume import ResumePlan
from apcampaign.submit.submission import SubmissionPlan


def run(file: Path) -> bool:
    campaign = assert_type(Campaign.open(file, tracts=[3828], bands="gr"), Campaign)
    assert_type(campaign.check("templates"), Preflight)
    assert_type(campaign.inspect(), Inspection)
    assert_type(campaign.forecast(slots=500).wall_seconds, tuple[float, float])
    assert_type(campaign.forecast(), Forecast)
    assert_type(campaign.create_apdb(readers=["reader"]), ApdbCreated)
    assert_type(campaign.plan_submission(), SubmissionPlan)
    assert_type(campaign.plan_submission().execute(), Submission)
    assert_type(campaign.submit("diffim", continue_apdb=True), Submission)
    for status in campaign.watch():
        assert_type(status, CampaignStatus)
        print([step.state for step in status.steps])
    for group in assert_type(campaign.failures(quanta=True), Failures).groups:
        print(group.place, group.cause.message)
    assert_type(campaign.plan_resume(set={"templates.requestMemory": 4096}), ResumePlan)
    assert_type(campaign.examine(), DoctorPlan)
    assert_type(campaign.plan_cancel(), CancelPlan)
    assert_type(campaign.ledger(), Ledger)
    assert_type(campaign.runs(), list[tuple[RunRecord, str | None]])
    assert_type(campaign.write_report("report.html"), Path)
    assert_type(campaign.apdb, CampaignApdb)
    assert_type(campaign.apdb.verify(), Verification)
    sources = assert_type(campaign.apdb.dia_sources(), pd.DataFrame)
    assert_type(campaign.apdb.light_curve(int(sources["diaObjectId"].iloc[0])), pd.DataFrame)
    assert_type(campaign.apdb.light_curves(at=(56.65, -36.45), radius=2), pd.DataFrame)
    assert_type(campaign.apdb.export("exported", visits=[731500]), ApdbExported)
    return assert_type(campaign.wait(), CampaignSummary).good
"""
MISTAKES = """
from apcampaign import Campain, Campaign

Campaign.open(tract=3828).check("template")
"""


def test_a_script_is_checked_by_type_checkers(tmp_path):
    for name, code in (("script", SCRIPT), ("mistakes", MISTAKES)):
        (tmp_path / f"{name}.py").write_text(code)
    mypy = [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "setup.cfg"), "--no-error-summary"]
    checked = subprocess.run(
        [*mypy, str(tmp_path / "script.py")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (checked.stdout, checked.returncode) == ("", 0)
    checked = subprocess.run(
        [*mypy, str(tmp_path / "mistakes.py")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    codes = [line.rpartition("[")[2] for line in checked.stdout.splitlines() if ": error: " in line]
    assert codes == ["attr-defined]", "call-arg]", "arg-type]"]
