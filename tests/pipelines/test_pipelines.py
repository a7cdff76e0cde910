"""The pipelines of the two steps, on the stand-in for ``$AP_PIPE_DIR`` that has Rubin's file names."""

from pathlib import Path

import pytest
from apcampaign.bps.data import read_mapping
from apcampaign.common.errors import PipelineError
from apcampaign.pipelines import find_pipeline
from apcampaign.sandbox.create import AP_PIPE_DIR, PACKAGES

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES, DIFFIM = ROOT / "pipelines" / "ApTemplate-DC2.yaml", ROOT / "pipelines" / "ApPipe-DC2.yaml"


@pytest.fixture
def load(monkeypatch):
    from lsst.pipe.base.pipelineIR import PipelineIR

    for name, folder in PACKAGES.items():
        monkeypatch.setenv(name, folder)
    return lambda path: PipelineIR.from_uri(str(path))


def settings(pipeline, label):
    task = pipeline.tasks[label]
    return task.klass, [config.rest for config in task.config or []]


def test_the_template_pipeline_has_the_guides_two_subsets(load):
    pipeline = load(TEMPLATES)
    subsets = {name: subset.subset for name, subset in pipeline.labeled_subsets.items()}
    assert subsets == {
        "singleFrame": {"isr", "calibrateImage"},
        "makeTemplate": {
            "consolidateVisitSummary",
            "selectTemplateCoaddVisits",
            "makeDirectWarp",
            "makePsfMatchedWarp",
            "assembleTemplateCoadd",
        },
    }
    assert set(pipeline.tasks) == set.union(*subsets.values())


def test_the_diffim_pipeline_is_ap_pipes_own(load):
    pipeline = load(DIFFIM)
    assert {"apPipe", "preload", "prompt", "afterburner"} <= set(pipeline.labeled_subsets)
    assert {"coaddName", "apdb_config", "release_id"} <= set(pipeline.parameters.mapping)
    assert {"loadDiaCatalogs", "associateApdb", "subtractImages"} <= set(pipeline.tasks)


@pytest.mark.parametrize("label", ["isr", "calibrateImage"])
def test_both_steps_calibrate_alike_so_that_the_second_can_use_what_the_first_has_made(load, label):
    assert settings(load(TEMPLATES), label) == settings(load(DIFFIM), label)


def test_the_instrument_is_ap_pipes_and_no_task_class_is_named_here(load):
    for path in (TEMPLATES, DIFFIM):
        assert load(path).instrument == load(AP_PIPE_DIR / "pipelines/LSSTCam-imSim/ApPipe.yaml").instrument
        assert not {"tasks", "instrument"} & set(read_mapping(path))


@pytest.mark.parametrize(("step", "path"), [("templates", TEMPLATES), ("diffim", DIFFIM)])
def test_clusters_orders_and_requests_name_labels_that_the_pipeline_has(load, step, path):
    data = read_mapping(ROOT / "bps" / "steps" / f"{step}.yaml")
    groups = [group["pipetasks"] for group in data["cluster"].values()]
    groups += [group["labels"] for group in data.get("ordering", {}).values()]
    named = {label for group in groups for label in group.split(",")} | set(data["pipetask"])
    assert named <= set(load(path).tasks)


def test_a_pipeline_is_found_by_name_by_path_and_by_variable(tmp_path, monkeypatch):
    assert find_pipeline("ApPipe-DC2.yaml#apPipe") == f"{DIFFIM}#apPipe"
    assert find_pipeline("$AP_PIPE_DIR/pipelines/x.yaml") == "$AP_PIPE_DIR/pipelines/x.yaml"
    (tmp_path / "mine.yaml").touch()
    monkeypatch.chdir(tmp_path)
    assert find_pipeline("mine.yaml") == find_pipeline("./mine.yaml") == str(tmp_path / "mine.yaml")
    with pytest.raises(PipelineError, match=r"no file 'no\.yaml'"):
        find_pipeline("no.yaml")
