"""Rubin's pipelines, as they are set up or checked out, are compared with what apcampaign relies on."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from apcampaign.common.errors import PipelineError
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

ROOT = Path(__file__).resolve().parents[2]
TABLE = load_table()
PIPELINES = TABLE.pipelines
IVD = ("instrument", "detector", "visit")

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
