"""The table of what is relied on in Rubin's pipelines: our own files keep to it."""

import re
import shlex
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from apcampaign.apdb import butler_records
from apcampaign.bps import CampaignConfig, read_config_overrides
from apcampaign.bps.data import read_mapping
from apcampaign.bps.lint.rules.association import WRITERS
from apcampaign.monitor.outcomes import DIFFERENCE_IMAGE, TEMPLATE
from apcampaign.ordering.associations import READER, WRITER
from apcampaign.ordering.parts import MADE
from apcampaign.pipelines.reference import (
    TaskFacts,
    dump_table,
    load_table,
    parse_table,
)
from apcampaign.sandbox.create import PACKAGES
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
    assert set(MADE) <= set(tasks[WRITER].inputs or {})
    assert {made[name].dimensions for name in MADE} == {IVD}


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
