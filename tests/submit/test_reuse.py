"""A run takes over what others have made only if they have made it as it would itself."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from apcampaign.bps import Step, build_config, dump_config, plan_campaign
from apcampaign.common.errors import PreconditionError
from apcampaign.ledger import Workspace
from apcampaign.sandbox.create import Sandbox, create_sandbox
from apcampaign.sandbox.survey import SandboxSize, Survey
from apcampaign.submit.forecast import make_forecast
from apcampaign.submit.preconditions import look_at_reuse
from apcampaign.submit.preflight import check_campaign, check_file
from apcampaign.submit.preflight.reuse import find_differences
from apcampaign.submit.repair import Repair
from lsst.daf.butler import Butler, CollectionType, DatasetType
from lsst.pex.config import Config, ConfigurableField, Field, ListField
from lsst.pipe.base import PipelineTaskConfig, PipelineTaskConnections, Task, TaskMetadata
from lsst.pipe.base.connectionTypes import Input
from operators import write_campaign

pytestmark = pytest.mark.slow

SIZE = SandboxSize(visits=3, detectors=(94,))
FIRST, SECOND, THIRD = (visit.id for visit in Survey(SIZE).visits)
NEW, OLD, OWN = "made/2", "made/1", "mine/diffim/1"


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


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox, and runs of which some have another isr: of somebody else, and of the campaign itself."""
    with pytest.MonkeyPatch.context() as patch:
        made = create_sandbox(tmp_path_factory.mktemp("reuse") / "sandbox", SIZE)
        for name, value in made.environment.items():
            patch.setenv(name, value)
        from apcampaign.sandbox.tasks.isr import IsrTask

        with Butler.from_config(str(made.butler), writeable=True) as butler:
            names = ("instrument", "exposure", "detector")
            for kind in (
                DatasetType("isr_config", (), "Config", universe=butler.dimensions),
                DatasetType("isr_metadata", names, "TaskMetadata", universe=butler.dimensions),
            ):
                butler.registry.registerDatasetType(kind)
            for run, visit, brighter_fatter in ((OLD, FIRST, True), (NEW, SECOND, False), (OWN, THIRD, True)):
                butler.collections.register(run)
                config = IsrTask.ConfigClass()
                config.connections.outputExposure = "post_isr_image"
                config.doBrighterFatter = brighter_fatter
                butler.put(config, "isr_config", run=run)
                data_id = {"instrument": "LSSTCam-imSim", "exposure": visit, "detector": 94}
                butler.put(TaskMetadata(), "isr_metadata", data_id, run=run)
            butler.collections.register("made", CollectionType.CHAINED)
            butler.collections.redefine_chain("made", [NEW, OLD])
        yield made


@pytest.fixture
def describe(tmp_path: Path, sandbox: Sandbox) -> Callable[..., Workspace]:
    def describe(where: str, **changes: Any) -> Workspace:
        content = {"site": "parsl-local", "where": where, "outCollection": "mine", **changes}
        write_campaign(tmp_path, sandbox, **content)
        return Workspace.open(tmp_path / "campaign.yaml", tmp_path / "runs", environment={})

    return describe


def refusals(workspace: Workspace) -> list[str]:
    findings = check_campaign(workspace).findings
    return [finding.what for finding in findings if finding.rule in ("reuse", "unchecked")]


def test_what_somebody_has_made_otherwise_is_not_taken_over(describe: Callable[..., Workspace]) -> None:
    standing = {"steps": ["diffim"], "diffim": {"templates": "made", "skipExistingIn": ["made"]}}
    workspace = describe(f"visit <= {SECOND}", **standing)
    (what,) = refusals(workspace)
    assert f"what 'isr' has made in {OLD}, and configures it otherwise" in what
    assert "doBrighterFatter is True there and False here" in what
    (note,) = (note for note in make_forecast(workspace, slots=2).notes if "refused" in note)
    assert what in note
    assert refusals(describe(f"visit = {SECOND}", **standing)) == []


def test_what_is_made_again_may_have_been_made_in_any_way(describe: Callable[..., Workspace]) -> None:
    assert refusals(describe(f"visit = {FIRST}", steps=["diffim"], diffim={"templates": "made"})) == []


def test_steps_that_calibrate_the_same_images_must_do_so_alike(describe: Callable[..., Workspace]) -> None:
    diffim = {"parameters": {"release_id": 3}}
    (what,) = refusals(describe(f"visit = {FIRST}", diffim=diffim))
    assert "'calibrateImage' has made in templates" in what
    assert "id_generator.release_id is 0 there and 3 here" in what
    assert refusals(describe(f"visit = {FIRST}", diffim={**diffim, "skipExistingIn": []})) == []
    others = {"templates": {"where": f"visit = {FIRST}"}, "diffim": {**diffim, "where": f"visit = {SECOND}"}}
    assert refusals(describe("detector = 94", **others)) == []


def test_what_is_left_of_a_step_is_made_as_it_began(describe: Callable[..., Workspace]) -> None:
    workspace = describe(f"visit = {THIRD}", diffim={})
    plan = plan_campaign(workspace.campaign, steps=[Step.DIFFIM], skip_done={Step.DIFFIM: [OWN]})
    (refusal,) = look_at_reuse(workspace, plan, Repair())
    assert isinstance(refusal, PreconditionError)
    assert f"made in {OWN}" in refusal.what
    assert "resume --new-graph" in refusal.remedy
    assert list(look_at_reuse(workspace, plan, Repair(), own=False)) == []


def test_a_submit_file_of_somebody_else_is_compared_too(
    tmp_path: Path, sandbox: Sandbox, describe: Callable[..., Workspace]
) -> None:
    workspace = describe(
        f"visit = {FIRST}", steps=["diffim"], diffim={"templates": "made", "skipExistingIn": ["made"]}
    )
    (run,) = plan_campaign(workspace.campaign)
    config = build_config(
        workspace.campaign, run, workspace.site, submit_path=tmp_path, apdb_config="label:x", environment={}
    )
    (tmp_path / "bps.yaml").write_text(dump_config(config))
    (finding,) = (finding for finding in check_file(tmp_path / "bps.yaml") if finding.rule == "reuse")
    assert "--skip-existing-in" in finding.remedy
