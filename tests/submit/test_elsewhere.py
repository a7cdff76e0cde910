"""Runs of a service that BPS submits to and that goes on by itself, such as PanDA's."""

from pathlib import Path

import pytest
from apcampaign.bps import CampaignConfig, Step, plan_campaign
from apcampaign.common.errors import SchedulerError
from apcampaign.ledger import Workspace, write_run
from apcampaign.submit.cancel import plan_cancel
from apcampaign.submit.executors import ForegroundExecutor, foreground
from elsewhere import STATES, ElsewhereService
from run_records import record_of


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setattr(foreground, "_POLL", 0.001)
    monkeypatch.setattr(ElsewhereService, "asked", [])
    content = {"name": "camp", "butler": "/repo/dc2", "tracts": [3828], "inCollection": "2.2i/defaults"}
    return Workspace(CampaignConfig.model_validate(content), tmp_path / "runs")


def submit(workspace: Workspace, wms_id: str) -> None:
    (run,) = plan_campaign(workspace.campaign, steps=[Step.TEMPLATES])
    record = record_of(workspace, run, service="elsewhere.ElsewhereService", wms_id=wms_id)
    write_run(workspace.paths.run(run), record)


def test_a_run_is_waited_for_by_its_id_while_its_state_is_not_known_for_a_moment(
    workspace: Workspace,
) -> None:
    submit(workspace, "77")
    ForegroundExecutor().wait(workspace)
    assert ElsewhereService.asked == ["77"] * len(STATES)


def test_a_run_that_the_service_never_knows_is_not_waited_for_for_ever(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreground, "_UNKNOWN", 0.01)
    submit(workspace, "78")
    with pytest.raises(SchedulerError, match="has not known the state") as caught:
        ForegroundExecutor().wait(workspace)
    assert "78" in caught.value.remedy


def test_bps_cancels_what_goes_on_without_the_process_that_submitted_it(workspace: Workspace) -> None:
    submit(workspace, "77")
    (obstacle,) = plan_cancel(workspace).obstacles
    assert obstacle.remedy == "`bps cancel --wms-service-class elsewhere.ElsewhereService --id 77`"
