"""Campaigns on miniatures of other cameras: both steps are prepared as BPS would be asked to run them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from apcampaign.apdb import ApdbTarget, init_apdb, plan_init
from apcampaign.bps import Step, load_campaign, plan_campaign
from apcampaign.ledger import RunPaths, RunRecord, Workspace
from apcampaign.sandbox.create import Sandbox, create_sandbox
from apcampaign.sandbox.survey import SandboxSize
from apcampaign.submit.bps_process import prepare_run
from apcampaign.submit.work import Work
from operators import Operator, make_operator, write_campaign

pytestmark = pytest.mark.slow(minutes=0.8)

CAMERAS = {
    "LSSTCam": SandboxSize(instrument="LSSTCam", visits=2, detectors=(94,), bands=("r",), pixels=32),
    # A band that the APDB does not know, filters with spaces in their names, and groups that are no times.
    "DECam": SandboxSize(instrument="DECam", visits=2, detectors=(28,), bands=("g", "VR"), pixels=32),
}
_MAKE_TEMPLATES = """
import sys
from lsst.daf.butler import Butler, DatasetType
with Butler.from_config(sys.argv[1], writeable=True) as butler:
    names = ("skymap", "tract", "patch", "band")
    coadd = DatasetType("template_coadd", names, "ExposureF", universe=butler.dimensions)
    butler.registry.registerDatasetType(coadd)
    butler.collections.register(sys.argv[2])
    image = butler.get(butler.query_datasets("bias", "*", find_first=False, limit=1)[0])
    for data_id in butler.query_data_ids(["patch"], skymap=sys.argv[3], limit=None):
        butler.put(image, "template_coadd", data_id, band=sys.argv[4], run=sys.argv[2])
"""


@pytest.fixture(scope="module", params=list(CAMERAS))
def sandbox(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    return create_sandbox(tmp_path_factory.mktemp("camera") / "sandbox", CAMERAS[request.param])


@pytest.fixture
def workspace(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    for name, value in sandbox.environment.items():
        monkeypatch.setenv(name, value)
    workspace = Workspace(load_campaign(sandbox.folder / "campaign.yaml", environment={}), tmp_path / "runs")
    init_apdb(
        plan_init(
            ApdbTarget.from_url(f"sqlite:///{tmp_path}/apdb.db"),
            instrument=sandbox.size.instrument,
            config=workspace.paths.apdb_config,
        )
    )
    return workspace


@pytest.fixture
def prepared(sandbox: Sandbox, workspace: Workspace, tmp_path: Path) -> dict[Step, RunRecord]:
    """Both steps, the second on templates that were there before; their pixels do not matter for graphs."""
    campaign = workspace.campaign
    words = [str(sandbox.butler), f"standing/{tmp_path.name}", campaign.skymap, sandbox.size.bands[0]]
    subprocess.run(
        [sys.executable, "-c", _MAKE_TEMPLATES, *words],
        env=os.environ | sandbox.environment,
        check=True,
        timeout=120,
    )
    plan = plan_campaign(campaign, templates=words[1])
    work = Work(workspace=workspace, plan=plan, apdb_config=workspace.planned_apdb_config)
    return {run.step: prepare_run(work, run, files=RunPaths(tmp_path / run.step)) for run in plan}


def findings(operator: Operator) -> list[dict[str, Any]]:
    """What the preflight finds, but for the pool that there is not and the password of the shell."""
    found = json.loads(operator.apcampaign("check", "--json", good=None))["findings"]
    return [finding for finding in found if finding["rule"] not in ("wms", "environment")]


def test_the_preflight_finds_only_that_the_apdb_does_not_take_a_band(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    operator, unknown = make_operator(tmp_path, sandbox), "VR" in sandbox.size.bands
    operator.apcampaign("apdb", "init", "--db", f"sqlite:///{operator.folder}/apdb.db")
    # The sandbox's campaign leaves the visits of that band out of difference imaging.
    told = [finding["what"] for finding in findings(operator)]
    assert told == ["no raw image is selected of band 'VR'"] * unknown
    if unknown:
        write_campaign(operator.folder, sandbox, diffim=sandbox.campaign()["diffim"] | {"where": "visit > 0"})
        (finding,) = findings(operator)
        assert (finding["rule"], finding["severity"]) == ("band", "error")
        assert "visits in VR are selected" in finding["what"]


def test_both_steps_of_another_camera_are_prepared(sandbox: Sandbox, prepared: dict[Step, RunRecord]) -> None:
    templates, diffim = prepared[Step.TEMPLATES], prepared[Step.DIFFIM]
    visits = sandbox.size.visits
    assert templates.quanta["isr"] == templates.quanta["calibrateImage"] == visits
    assert templates.quanta["assembleTemplateCoadd"] >= len(sandbox.size.bands)
    in_apdb = visits if sandbox.size.instrument == "LSSTCam" else visits // 2
    # Each is calibrated again, since templates are made of visits that are calibrated in another way.
    assert diffim.quanta["calibrateImage"] == diffim.quanta["associateApdb"] == in_apdb
    assert diffim.jobs["association"] == in_apdb
    for record in prepared.values():
        for path in Path(record.submit_dir).rglob("*"):
            assert " " not in path.name, path
        for file in Path(record.submit_dir).glob("*.dag"):
            assert "DECam SDSS" not in file.read_text()
