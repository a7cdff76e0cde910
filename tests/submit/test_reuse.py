"""A run takes over what others have made only if they have made it as it would itself."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from apcampaign.bps import CampaignConfig, Step
from apcampaign.ledger import RunRecord, Workspace, write_run
from apcampaign.sandbox.create import create_sandbox
from apcampaign.submit.outputs.completed import find_completed
from apcampaign.submit.outputs.repair import Repair
from apcampaign.submit.preflight.reuse import find_differences
from lsst.daf.butler import Butler
from lsst.pex.config import Config, ConfigurableField, Field, ListField
from lsst.pipe.base import PipelineTaskConfig, PipelineTaskConnections, Task
from lsst.pipe.base.connectionTypes import Input
from reuse_ground import FIRST, OLD, OWN, SECOND, SIZE, THIRD, run_ground

pytestmark = pytest.mark.slow(minutes=0.4)

type Told = dict[str, dict[str, list[str]]]


class _Connections(PipelineTaskConnections, dimensions=("instrument",), defaultTemplates={"coadd": "deep"}):
    image = Input(name="{coadd}Coadd", storageClass="ExposureF", dimensions=("instrument",))


class _FitConfig(Config):
    order = Field[int](doc="Order.", default=2)


class _FitTask(Task):
    ConfigClass = _FitConfig


class _OtherFitTask(Task):
    ConfigClass = _FitConfig


class _Config(PipelineTaskConfig, pipelineConnections=_Connections):
    fit = ConfigurableField(target=_FitTask, doc="Subtask.")
    bands = ListField[str](doc="Bands.", default=["g"])
    limit = Field[float](doc="Limit.", default=0.1)


def test_only_what_changes_outputs_makes_configurations_differ() -> None:
    made, own = _Config(), _Config()
    own.saveLogOutput = False
    own.limit = 0.1 + 1e-17
    own.connections.image, own.connections.coadd = "{coadd}Diff", "any"
    made.connections.image = "anyDiff"
    assert find_differences(made, own) == []


def test_differences_are_told_with_both_values() -> None:
    made, own = _Config(), _Config()
    own.fit.retarget(_OtherFitTask)
    own.fit.order = 3
    own.bands = ["g", "r"]
    own.connections.coadd = "template"
    assert find_differences(made, own) == [
        "fit.order is 2 there and 3 here",
        "bands (len) is 1 there and 2 here",
        "connections.image is 'deepCoadd' there and 'templateCoadd' here",
        f"the class of fit is as by default there and {__name__}._OtherFitTask here",
    ]
    assert "_FitConfig there" in find_differences(_FitConfig(), own)[0]


_STANDING = {"steps": ["diffim"], "diffim": {"templates": "made", "skipExistingIn": ["made"]}}
_RELEASE = {"parameters": {"release_id": 3}}
CASES: dict[str, dict[str, Any]] = {
    "otherwise": {**_STANDING, "where": f"visit <= {SECOND}"},
    "alike": {**_STANDING, "where": f"visit = {SECOND}"},
    "again": {"steps": ["diffim"], "diffim": {"templates": "made"}, "where": f"visit = {FIRST}"},
    "both": {"diffim": _RELEASE, "where": f"visit = {FIRST}"},
    "both-again": {"diffim": {**_RELEASE, "skipExistingIn": []}, "where": f"visit = {FIRST}"},
    "others": {
        "templates": {"where": f"visit = {FIRST}"},
        "diffim": {**_RELEASE, "where": f"visit = {SECOND}"},
    },
    "rest": {"where": f"visit = {THIRD}"},
}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """What campaigns are told on runs of which some have another isr: of somebody else, and of their own."""
    folder = tmp_path_factory.mktemp("reuse")
    sandbox = create_sandbox(folder / "sandbox", SIZE)
    run_ground(sandbox, "make")
    files = []
    for name, changes in CASES.items():
        content = {**sandbox.campaign(), "site": "parsl-local", "outCollection": "mine", **changes}
        files.append(folder / f"{name}.yaml")
        files[-1].write_text(yaml.safe_dump(content))
    found: Told = run_ground(sandbox, "ask", *files)
    return found


def test_what_somebody_has_made_otherwise_is_not_taken_over(told: Told) -> None:
    (what,) = told["otherwise"]["check"]
    assert f"what 'isr' has made in {OLD}, and configures it otherwise" in what
    assert "doBrighterFatter is True there and False here" in what
    (note,) = told["otherwise"]["plan"]
    assert what in note
    (remedy,) = told["otherwise"]["file"]
    assert "--skip-existing-in" in remedy
    assert told["alike"]["check"] == told["alike"]["plan"] == told["alike"]["file"] == []


def test_what_is_made_again_may_have_been_made_in_any_way(told: Told) -> None:
    assert told["again"]["check"] == []


def test_steps_that_calibrate_the_same_images_must_do_so_alike(told: Told) -> None:
    (what,) = told["both"]["check"]
    assert "'calibrateImage' has made in templates" in what
    assert "id_generator.release_id is 0 there and 3 here" in what
    assert told["both-again"]["check"] == told["others"]["check"] == []


def test_what_is_left_of_a_step_is_made_as_it_began(told: Told) -> None:
    (refusal,) = told["rest"]["resume"]
    assert f"made in {OWN}" in refusal
    assert "resume --new-graph" in refusal
    assert told["rest"]["new_graph"] == told["rest"]["check"] == []


def test_what_was_to_be_made_anew_is_not_left_out(tmp_path: Path) -> None:
    repository = str(tmp_path / "repo")
    Butler.makeRepo(repository)
    content: dict[str, Any] = {"name": "camp", "butler": repository, "inCollection": "2.2i/defaults"}
    workspace = Workspace(CampaignConfig.model_validate(content), tmp_path / "runs")
    for number, skipped in enumerate(["", "", "mine/diffim/2,"], start=1):
        run = RunRecord(
            campaign=workspace.campaign.name,
            step=Step.DIFFIM,
            timestamp=str(number),
            butler=repository,
            inputs=("mine/templates",),
            output="mine/diffim",
            output_run=f"mine/diffim/{number}",
            config="",
            submit_dir="",
            graph="",
            wms_service="lsst.ctrl.bps.parsl.ParslService",
            jobs={},
            quanta={},
        )
        files = workspace.paths.run(run)
        write_run(files, run)
        files.config.write_text(f"extraQgraphOptions: --skip-existing-in {skipped}mine/templates\n")
    ledger = workspace.read_ledger()
    # The first run is there, and was to be made anew by the second, which the third continues.
    unregistered = Repair(unregistered=ledger.runs)
    assert find_completed(ledger, unregistered, [Step.DIFFIM]) == {
        Step.DIFFIM: ("mine/diffim/3", "mine/diffim/2")
    }
