"""The table of what is relied on in Rubin's pipelines: our own files keep to it, and differences are told."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from apcampaign.apdb import butler_records
from apcampaign.bps import CampaignConfig, read_config_overrides
from apcampaign.bps.data import read_mapping
from apcampaign.bps.lint.rules.association import WRITERS
from apcampaign.common.errors import PipelineError
from apcampaign.monitor.outcomes import DIFFERENCE_IMAGE, TEMPLATE
from apcampaign.ordering.associations import READER, WRITER
from apcampaign.pipelines.reference import (
    Dataset,
    PipelineFacts,
    TaskFacts,
    Weight,
    compare_pipelines,
    dump_table,
    load_table,
    parse_table,
    read_pipeline,
)
from apcampaign.sandbox.create import PACKAGES
from apcampaign.submit.preflight import check_stack
from apcampaign.submit.preflight.release import check_release
from apcampaign.submit.preflight.run_spec import RunSpec

ROOT = Path(__file__).resolve().parents[2]
TABLE = load_table()
PIPELINES = TABLE.pipelines
STEPS = {
    "templates": "QuickTemplate",
    "diffim-edges": "ApPipe",
    "diffim-groups": "ApPipe",
    "diffim": "ApPipe",
}
IVD = ("instrument", "detector", "visit")


def known(step: str) -> dict[str, TaskFacts]:
    """Give the tasks of a step's pipeline; that of templates calibrates as the other does."""
    return {**PIPELINES["ApPipe"].tasks, **PIPELINES[STEPS[step]].tasks}


# ---- our own files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", STEPS)
def test_labels_of_a_steps_clusters_and_requests_are_rubins(step):
    data = read_mapping(ROOT / "bps" / "steps" / f"{step}.yaml")
    labels = [cluster["pipetasks"] for cluster in data.get("cluster", {}).values()]
    named = {label.strip() for text in labels for label in text.split(",")} | set(data.get("pipetask", {}))
    assert named
    assert named <= set(known(step))
    ordered = {label for group in data.get("ordering", {}).values() for label in group["labels"].split(",")}
    assert ordered <= set(data.get("cluster", {})) | named


@pytest.mark.parametrize("step", STEPS)
def test_the_dimensions_of_a_cluster_are_those_of_its_tasks(step):
    for name, cluster in read_mapping(ROOT / "bps" / "steps" / f"{step}.yaml").get("cluster", {}).items():
        pairs = [pair.split(":") for pair in cluster.get("equalDimensions", "").split(",") if pair]
        for label in cluster["pipetasks"].split(","):
            if (dimensions := known(step)[label.strip()].dimensions) is None:
                continue
            equal = {one: other for pair in pairs for one, other in (pair, pair[::-1])}
            have = {*dimensions, *(equal.get(dimension, "") for dimension in dimensions)}
            assert set(cluster["dimensions"].split(",")) <= have, (name, label)


@pytest.mark.parametrize("path", sorted((ROOT / "pipelines").glob("*.yaml")), ids=lambda path: path.name)
def test_what_a_pipeline_of_ours_includes_is_in_the_pipeline_that_it_names(path):
    by_location = {facts.location: facts for facts in PIPELINES.values()}
    for entry in read_mapping(path)["imports"]:
        # That with injection is made from the plain one when ap_pipe is built; it is in no checkout.
        facts = by_location[entry["location"].replace("ApPipeWithFakes", "ApPipe")]
        assert set(entry.get("include", ())) <= set(facts.tasks)


def test_labels_of_the_forecast_are_rubins():
    costs = read_mapping(ROOT / "submit" / "forecast" / "default_costs.yaml")
    assert set(costs) - {"other"} <= {label for facts in PIPELINES.values() for label in facts.tasks}


def test_the_tasks_and_dataset_types_that_the_code_names_are_rubins():
    tasks = {**PIPELINES["ApPipe"].tasks, **PIPELINES["QuickTemplate"].tasks}
    made = {name: dataset for task in tasks.values() for name, dataset in (task.outputs or {}).items()}
    assert {READER, WRITER} <= set(PIPELINES["ApPipe"].required)
    assert WRITER in WRITERS
    assert set(made[TEMPLATE].dimensions) == {"skymap", "tract", "patch", "band"}
    for name in (DIFFERENCE_IMAGE, butler_records._MARKER, butler_records._CATALOG):
        assert made[name].dimensions == IVD
    assert made[DIFFERENCE_IMAGE].storage_class == "ExposureF"


def test_what_is_done_without_is_in_the_table():
    for facts in PIPELINES.values():
        assert set(facts.optional) <= set(facts.tasks)
        assert {label for label, task in facts.tasks.items() if task.class_name is None} <= set(
            facts.optional
        )
        for labels in facts.subsets.values():
            assert set(labels) <= set(facts.tasks)


def test_the_table_is_written_as_it_is_read():
    assert parse_table(dump_table(TABLE)) == TABLE
    assert dump_table(TABLE) == (ROOT / "pipelines/reference/table.yaml").read_text()


def section_for_earlier_releases() -> dict[str, Any]:
    text = (ROOT / "docs/campaign.md").read_text()
    (block,) = [part for part in re.findall(r"```yaml\n(.*?)```", text, re.S) if "DC2-base.yaml" in part]
    content: dict[str, Any] = yaml.safe_load(block)
    return content


def test_for_an_earlier_release_the_documents_configure_coadds_as_the_general_template_pipeline_does():
    said = section_for_earlier_releases()["templates"]["config"]
    base, general = PIPELINES["base-v2"].tasks, PIPELINES["QuickTemplate"].tasks
    changed = {
        f"{label}:{field}": value
        for label in base
        for field, value in general[label].config.items()
        if base[label].config.get(field, ...) != value
    }
    assert said == changed


def test_with_the_documented_configuration_the_coadds_are_the_same(monkeypatch):
    from lsst.pipe.base import Pipeline

    for name, folder in PACKAGES.items():
        monkeypatch.setenv(name, folder)
    base = Pipeline.from_uri(str(ROOT / "pipelines/ApTemplate-DC2-base.yaml"))
    campaign = {"name": "x", "butler": "/repo", "inCollection": "y", **section_for_earlier_releases()}
    settings = CampaignConfig.model_validate(campaign).templates
    for label, field, value in read_config_overrides(shlex.join(settings.overrides)):
        base.addConfigOverride(label, field, value)
    usual = Pipeline.from_uri(str(ROOT / "pipelines/ApTemplate-DC2.yaml")).to_graph().tasks
    tasks = base.to_graph().tasks
    assert set(tasks) == set(usual)
    for label in PIPELINES["base-v2"].tasks:
        assert tasks[label].get_config_str() == usual[label].get_config_str()


def test_the_documented_pipeline_without_scores_needs_no_model(monkeypatch, tmp_path):
    from lsst.pipe.base import Pipeline

    for name, folder in PACKAGES.items():
        monkeypatch.setenv(name, folder)
    text = (ROOT / "docs/campaign.md").read_text()
    file, settings = re.findall(r"```yaml\n(.*?)```", text.partition("### Tasks to leave out")[2], re.S)[:2]
    (tmp_path / "without-scores.yaml").write_text(file)
    pipeline = Pipeline.from_uri(str(tmp_path / "without-scores.yaml"))
    pipeline.addConfigOverride("parameters", "apdb_config", "/an/apdb.yaml")
    for name, value in yaml.safe_load(settings)["diffim"]["config"].items():
        pipeline.addConfigOverride(*name.split(":"), value)
    graph = pipeline.to_graph()
    assert {"standardizeDiaSource", "associateApdb"} <= set(graph.tasks)
    assert set(PIPELINES["ApPipe"].subsets) == set(graph.task_subsets)
    read = {edge.dataset_type_name for task in graph.tasks.values() for edge in task.iter_all_inputs()}
    made = {edge.dataset_type_name for task in graph.tasks.values() for edge in task.outputs.values()}
    assert not {"pretrainedModelPackage", "dia_source_high_reliability", "dia_source_reliability"} & (
        read | made
    )


def test_an_earlier_release_is_told_from_its_labels(monkeypatch, tmp_path):
    for name, folder in PACKAGES.items():
        monkeypatch.setenv(name, str(shutil.copytree(folder, tmp_path / name)))
    spec = RunSpec(
        name="templates",
        butler="/repo",
        inputs=("x",),
        output="y",
        output_run="y/z",
        query="",
        pipeline=str(ROOT / "pipelines/ApTemplate-DC2.yaml"),
    )
    diffim = replace(spec, name="diffim", pipeline=str(ROOT / "pipelines/ApPipe-DC2.yaml#prompt"))
    assert list(check_release(spec)) == list(check_release(diffim)) == []

    def rename(file: str, label: str) -> None:
        path = tmp_path / file
        path.write_text(path.read_text().replace(label, f"former{label}"))

    rename("AP_PIPE_DIR/pipelines/_ingredients/QuickTemplate.yaml", "selectTemplateCoaddVisits")
    rename("AP_PIPE_DIR/pipelines/_ingredients/ApPipe.yaml", "buildTemplate")
    (found,) = check_release(spec)
    assert found.severity == "error"
    assert "no 'selectTemplateCoaddVisits' in $AP_PIPE_DIR" in found.what
    assert "from w_2026_34 on" in found.remedy
    assert "pipeline: ApTemplate-DC2-base.yaml" in found.remedy
    (found,) = check_release(diffim)
    assert (found.severity, found.rule) == ("warning", "release")
    assert "from w_2025_43 on" in found.remedy


# ---- differences -----------------------------------------------------------------------------------------

ONE = PipelineFacts(
    location="one.yaml",
    parameters={"apdb_config": None, "release_id": 0},
    subsets={"prompt": ("isr", "subtract")},
    contracts=("isr.doFlat == True",),
    tasks={
        "isr": TaskFacts(
            class_name="lsst.ip.isr.IsrTask",
            config={"doFlat": True, "connections.outputExposure": "post_isr_image"},
            dimensions=("instrument", "detector", "exposure"),
            inputs={
                "raw": Dataset(storage_class="Exposure", dimensions=("instrument", "detector", "exposure")),
                "flat": Dataset(
                    storage_class="ExposureF", dimensions=("instrument", "detector"), optional=True
                ),
            },
            outputs={"post_isr_image": Dataset(storage_class="Exposure", dimensions=IVD)},
        ),
        "subtract": TaskFacts(class_name="lsst.S", dimensions=IVD, inputs={}, outputs={}),
        "plot": TaskFacts(),
    },
    optional=("plot",),
)


def change(label: str, **changes: object) -> PipelineFacts:
    return replace(ONE, tasks={**ONE.tasks, label: replace(ONE.tasks[label], **changes)})


def without(label: str) -> PipelineFacts:
    return replace(ONE, tasks={name: task for name, task in ONE.tasks.items() if name != label})


ISR = ONE.tasks["isr"]
MODEL = Dataset(storage_class="Payload", dimensions=(), prerequisite=True)
CHANGED = {
    "a task is gone": (without("subtract"), Weight.BREAKS, "no task 'subtract'"),
    "a task that is not needed is gone": (without("plot"), Weight.NOTE, "can do without"),
    "a new task": (replace(ONE, tasks={**ONE.tasks, "new": TaskFacts()}), Weight.NOTE, "new task 'new'"),
    "another class": (
        change("isr", class_name="lsst.ip.isr.IsrTaskLSST"),
        Weight.CHANGES,
        "IsrTaskLSST, not",
    ),
    "another module": (change("isr", class_name="lsst.elsewhere.IsrTask"), None, ""),
    "other dimensions": (
        change("subtract", dimensions=("instrument", "visit")),
        Weight.BREAKS,
        "a quantum is",
    ),
    "an override is gone": (
        change("isr", config={**ISR.config, "doFlat": False}),
        Weight.CHANGES,
        "doFlat is False, not True",
    ),
    "another dataset type": (
        change("isr", config={**ISR.config, "connections.outputExposure": "postISRCCD"}),
        Weight.BREAKS,
        "'postISRCCD'",
    ),
    "an input is gone": (
        change("isr", inputs={"flat": ISR.inputs["flat"]}),
        Weight.BREAKS,
        "isr does not read 'raw'",
    ),
    "an input that is not needed is gone": (
        change("isr", inputs={"raw": ISR.inputs["raw"]}),
        Weight.NOTE,
        "does not read 'flat'",
    ),
    "a new prerequisite": (
        change("subtract", inputs={"model": MODEL}),
        Weight.CHANGES,
        "subtract also reads prerequisite 'model' (Payload; no dimensions)",
    ),
    "another storage class": (
        change("isr", outputs={"post_isr_image": replace(ISR.outputs["post_isr_image"], storage_class="X")}),
        Weight.BREAKS,
        "isr writes 'post_isr_image' (X; instrument, detector, visit), not",
    ),
    "dimensions that are not known": (
        change("isr", dimensions=None, inputs=None, outputs=None),
        None,
        "",
    ),
    "a parameter is gone": (replace(ONE, parameters={"release_id": 0}), Weight.BREAKS, "'apdb_config'"),
    "another default": (
        replace(ONE, parameters={**ONE.parameters, "release_id": 1}),
        Weight.CHANGES,
        "is 1, not 0",
    ),
    "a parameter that must be given": (
        replace(ONE, parameters={**ONE.parameters, "model": None}),
        Weight.BREAKS,
        "must be given",
    ),
    "a subset is gone": (replace(ONE, subsets={}), Weight.CHANGES, "no subset 'prompt'"),
    "a smaller subset": (replace(ONE, subsets={"prompt": ("isr",)}), Weight.CHANGES, "lacks 'subtract'"),
    "another contract": (
        replace(ONE, contracts=(*ONE.contracts, "a == b")),
        Weight.NOTE,
        "a new contract: a == b",
    ),
}


@pytest.mark.parametrize("name", CHANGED)
def test_a_difference_is_told_with_its_weight(name):
    found, weight, word = CHANGED[name]
    differences = compare_pipelines(ONE, found)
    assert [difference.weight for difference in differences] == ([] if weight is None else [weight])
    assert word in " ".join(difference.what for difference in differences)


def test_of_a_part_only_its_tasks_are_compared():
    part = replace(ONE, part=True, parameters={}, subsets={}, contracts=(), tasks={"isr": ISR})
    assert compare_pipelines(part, ONE) == []


@pytest.mark.slow
def test_the_stack_that_is_set_up_is_compared_by_instrument(monkeypatch):
    for name, folder in PACKAGES.items():
        monkeypatch.setenv(name, folder)
    found = check_stack("LSSTCam-imSim")
    assert {finding.rule for finding in found} == {"stack"}
    assert "error" not in {finding.severity for finding in found}
    assert any("functorFile is left at its default" in finding.what for finding in found)
    (unknown,) = check_stack("MegaPrime")
    assert (unknown.severity, unknown.rule) == ("warning", "unchecked")
    monkeypatch.delenv("AP_PIPE_DIR")
    errors = [finding for finding in check_stack("LSSTCam-imSim") if finding.severity == "error"]
    assert {finding.key for finding in errors} == {"ApPipe", "QuickTemplate"}


# ---- reading ---------------------------------------------------------------------------------------------

CHECKOUT = """
description: A pipeline whose classes cannot be imported here.
instrument: lsst.obs.elsewhere.Cam
parameters: {coaddName: goodSeeing, unused: 3}
tasks:
  isr:
    class: lsst.elsewhere.IsrTask
    config:
      connections.outputExposure: post_isr_image
      doFlat: true
      doFlat: false
  subtract:
    class: lsst.elsewhere.SubtractTask
    config: {connections.coaddName: parameters.coaddName}
subsets: {prompt: {subset: [subtract, isr], description: All.}}
contracts:
  - contract: isr.connections.ConnectionsClass(config=isr).outputExposure.name ==
              subtract.connections.science
    msg: They differ.
"""


def write_checkouts(folder: Path, text: str = CHECKOUT) -> Path:
    path = folder / "ap_pipe/pipelines/x.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return path


def test_of_a_plain_checkout_everything_is_read_that_the_yaml_says(tmp_path):
    facts, gap = read_pipeline(str(write_checkouts(tmp_path, CHECKOUT.replace("      doFlat: true\n", ""))))
    assert "elsewhere" in gap
    assert {label: task.class_name for label, task in facts.tasks.items()} == {
        "isr": "lsst.elsewhere.IsrTask",
        "subtract": "lsst.elsewhere.SubtractTask",
    }
    assert facts.tasks["isr"].config == {"connections.outputExposure": "post_isr_image", "doFlat": False}
    assert facts.tasks["isr"].dimensions is None
    assert facts.subsets == {"prompt": ("isr", "subtract")}
    assert facts.parameters == {"coaddName": "goodSeeing"}
    assert facts.contracts == ("isr.outputExposure == subtract.science",)


def test_a_pipeline_that_cannot_be_read_is_told(tmp_path):
    with pytest.raises(PipelineError, match=r"nowhere\.yaml cannot be read"):
        read_pipeline(str(tmp_path / "nowhere.yaml"))


@pytest.mark.slow
def test_the_tool_compares_and_renews_the_table(tmp_path):
    tool = [sys.executable, str(ROOT / "tools/renew_table.py"), "--table", str(tmp_path / "table.yaml")]
    (tmp_path / "table.yaml").write_text(
        dump_table(replace(TABLE, pipelines={"ApPipe": PIPELINES["ApPipe"]}))
    )
    (tmp_path / "stack").mkdir()
    for name, folder in PACKAGES.items():
        (tmp_path / "stack" / name.removesuffix("_DIR").lower()).symlink_to(folder)

    def run(*options: str) -> subprocess.CompletedProcess[str]:
        words = [*tool, "--checkouts", str(tmp_path / "stack"), *options]
        return subprocess.run(words, capture_output=True, text=True, timeout=120, check=False, env=os.environ)

    compared = run()
    assert compared.returncode == 1, compared.stderr
    assert "useAveragePsf is left at its default" in compared.stdout
    assert run("--write", "--weekly", "w_2026_50").returncode == 0
    renewed = parse_table((tmp_path / "table.yaml").read_text())
    assert renewed.packages["ap_pipe"].weekly == "w_2026_50"
    facts = renewed.pipelines["ApPipe"]
    assert (facts.instrument, facts.optional) == ("LSSTCam-imSim", PIPELINES["ApPipe"].optional)
    assert facts.tasks["isr"].inputs.keys() == PIPELINES["ApPipe"].tasks["isr"].inputs.keys() - {
        "isrOverscanCorrected"
    }
