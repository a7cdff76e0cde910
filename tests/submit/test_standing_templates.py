"""Templates of a standing collection, and of all tracts that a detector touches."""

import json
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from apcampaign.bps import Step, plan_campaign
from apcampaign.ledger import RunPaths, Workspace
from apcampaign.sandbox.create import Sandbox, create_sandbox
from apcampaign.sandbox.geometry import sky_polygon
from apcampaign.sandbox.survey import SandboxSize, Survey
from apcampaign.submit.bps_process import prepare_run
from apcampaign.submit.parts.shapes import read_shapes
from apcampaign.submit.work import Work
from operators import Operator, make_operator, write_campaign

pytestmark = pytest.mark.slow

# Each of the two visits has a detector on the border of the two tracts.
SIZE = SandboxSize(tracts=(3828, 3829), visits=1, detectors=(75, 94))
STANDING = "standing/templates"
_MAKE_STANDING = f"""
import sys
from lsst.daf.butler import Butler, DatasetType
with Butler.from_config(sys.argv[1], writeable=True) as butler:
    names = ("skymap", "tract", "patch", "band")
    coadd = DatasetType("template_coadd", names, "ExposureF", universe=butler.dimensions)
    butler.registry.registerDatasetType(coadd)
    butler.collections.register("{STANDING}")
    image = butler.get(butler.query_datasets("bias", "2.2i/calib/gen", limit=1)[0])
    for data_id in butler.query_data_ids(["patch"], skymap="DC2", limit=None):
        butler.put(image, "template_coadd", data_id, band="r", run="{STANDING}")
"""


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    """A sandbox with templates of both tracts; their pixels do not matter for graphs."""
    sandbox = create_sandbox(tmp_path_factory.mktemp("standing") / "sandbox", SIZE)
    subprocess.run(
        [sys.executable, "-c", _MAKE_STANDING, str(sandbox.butler)],
        env=os.environ | sandbox.environment,
        check=True,
        timeout=120,
    )
    return sandbox


@pytest.fixture
def nightly(tmp_path: Path, standing: Sandbox) -> Operator:
    operator = make_operator(tmp_path, standing)
    describe(operator, standing)
    operator.apcampaign("apdb", "init", "--db", f"sqlite:///{operator.folder}/apdb.db")
    return operator


def describe(operator: Operator, sandbox: Sandbox, **changes: object) -> None:
    diffim = {"templates": STANDING}
    write_campaign(
        operator.folder, sandbox, site="parsl-local", steps=["diffim"], **{"diffim": diffim, **changes}
    )


def touched() -> dict[tuple[int, int], set[int]]:
    """Which tracts each (visit, detector) touches."""
    survey, found = Survey(SIZE), defaultdict(set)
    for visit in survey.visits:
        for detector in SIZE.detectors:
            region = sky_polygon(survey.detector_wcs(visit, detector), survey.detector_box)
            found[visit.id, detector] = {
                tract for tract in SIZE.tracts if survey.skymap.tract(tract).region.overlaps(region)
            }
    return found


def tracts_of_templates(operator: Operator) -> dict[tuple[int, int], set[int]]:
    """Build the graph of the campaign's run, and tell of which tracts each (visit, detector) reads templates."""
    from lsst.pipe.base import QuantumGraph

    workspace = Workspace.open(operator.folder / "campaign.yaml", operator.folder / "runs", environment={})
    plan = plan_campaign(workspace.campaign)
    work = Work(workspace=workspace, plan=plan, apdb_config=workspace.planned_apdb_config)
    record = prepare_run(work, plan.find("diffim"), files=RunPaths(operator.folder / "prepared"))
    found = {}
    graph = QuantumGraph.loadUri(record.graph)
    (task,) = (task for task in graph.iterTaskGraph() if task.label == "buildTemplate")
    for quantum in graph.getQuantaForTask(task):
        refs = quantum.inputs["template_coadd"]
        key = int(quantum.dataId["visit"]), int(quantum.dataId["detector"])
        found[key] = {int(ref.dataId["tract"]) for ref in refs}
    return found


def test_a_campaign_without_a_templates_step_is_planned_and_checked(nightly: Operator) -> None:
    plan: dict[str, Any] = json.loads(nightly.apcampaign("submit", "--dry-run", "--json", good=None))
    assert [run["step"] for run in plan["runs"]] == ["diffim"]
    assert plan["runs"][0]["inputs"][0] == STANDING
    assert plan["runs"][0]["skip_existing"] == []
    assert not plan["obstacles"]
    assert any("all" in note and "are there" in note for note in plan["notes"])
    assert "has no step templates" in nightly.apcampaign("submit", "templates", good=False)


def test_tracts_choose_the_visits_and_templates_come_from_all_tracts_that_they_touch(
    nightly: Operator, standing: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in standing.environment.items():
        monkeypatch.setenv(name, value)
    expected = {key: tracts for key, tracts in touched().items() if 3828 in tracts}
    assert {3828, 3829} in expected.values()
    assert len(expected) < len(touched())
    describe(nightly, standing, tracts=[3828])
    assert tracts_of_templates(nightly) == expected
    # Parts of the step wait for each other where their images overlap, also beyond the campaign's tracts.
    workspace = Workspace.open(nightly.folder / "campaign.yaml", nightly.folder / "runs", environment={})
    shape = read_shapes(workspace, plan_campaign(workspace.campaign), [Step.DIFFIM])[Step.DIFFIM]
    seen = {visit.id: {tract for tract, _ in visit.patches} for visit in shape.visits}
    assert seen == {
        visit: {tract for key, tracts in expected.items() if key[0] == visit for tract in tracts}
        for visit, _ in expected
    }


def test_a_campaign_needs_no_tracts(
    nightly: Operator, standing: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in standing.environment.items():
        monkeypatch.setenv(name, value)
    describe(nightly, standing, tracts=None)
    assert tracts_of_templates(nightly) == touched()


def test_a_night_is_prepared_with_the_options_of_rubins_nightly_campaign(
    nightly: Operator, standing: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in standing.environment.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "kept.yaml").write_text('["*_metadata", "*_log"]')
    monkeypatch.setenv("KEPT", str(tmp_path / "kept.yaml"))
    options = "--retained-dataset-types $KEPT --dataset-query-constraint off"
    options += " --prune-unanchored-quanta getRegionTimeFromVisit:associateApdb"
    diffim = {"templates": STANDING, "skipExistingIn": STANDING, "qgraphOptions": options}
    night = Survey(SIZE).visits[0].day_obs
    describe(nightly, standing, tracts=None, dayObs=night, diffim=diffim)
    visits = {visit.id for visit in Survey(SIZE).visits if visit.day_obs == night}
    assert tracts_of_templates(nightly) == {
        key: found for key, found in touched().items() if key[0] in visits
    }
