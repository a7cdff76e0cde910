"""The recorded campaign of tests of the doctor."""

import shutil
from pathlib import Path

import pytest
from apcampaign.bps import CampaignConfig, Step
from apcampaign.doctor import CampaignHealth
from apcampaign.ledger import (
    CampaignPaths,
    RunRecord,
    Workspace,
    read_ledger,
)
from older_runs import unpack_older_runs


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> CampaignPaths:
    folder = unpack_older_runs(tmp_path_factory.mktemp("older"), Path("/nowhere"))
    return CampaignPaths(folder / "complete" / "runs", "complete")


@pytest.fixture
def copied(tmp_path: Path, complete: CampaignPaths) -> CampaignPaths:
    shutil.copytree(complete.runs, tmp_path / "runs")
    return CampaignPaths(tmp_path / "runs", "complete")


@pytest.fixture
def run(copied: CampaignPaths) -> RunRecord:
    return next(run for run in read_ledger(copied).runs if run.step is Step.DIFFIM)


@pytest.fixture
def health(copied: CampaignPaths) -> CampaignHealth:
    content = {"name": "complete", "butler": "/repo/dc2", "tracts": [3828], "inCollection": "2.2i/defaults"}
    workspace = Workspace(CampaignConfig.model_validate(content), copied.runs)
    return CampaignHealth(workspace=workspace, ledger=read_ledger(copied))
