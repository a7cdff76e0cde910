"""What the doctor makes again of outputs: CHAINED collections, and what depends on lost associations."""

import json
from pathlib import Path

import pytest
from apcampaign.bps import Step
from apcampaign.common.errors import LedgerError, PipelineError
from apcampaign.doctor import CampaignHealth
from apcampaign.doctor.downstream import Reach, TaskShape, find_downstream, read_shapes
from apcampaign.doctor.losses import forget
from apcampaign.doctor.outputs import find_broken_chains, restore_chain
from apcampaign.ledger import (
    Ledger,
    RunRecord,
)
from apcampaign.pipelines import find_pipeline
from apcampaign.sandbox.create import PACKAGES


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> str:
    from lsst.daf.butler import Butler

    root = str(tmp_path_factory.mktemp("outputs") / "repo")
    Butler.makeRepo(root)
    return root


def test_an_output_collection_is_made_again_wherever_the_one_before_was_killed(
    repository: str, health: CampaignHealth
) -> None:
    """It holds runs, of which the older one does not count any more, and inputs, which may have grown since."""
    from lsst.daf.butler import Butler, CollectionType

    old, new = (
        health.ledger.current(Step.DIFFIM)[0].model_copy(
            update={
                "timestamp": timestamp,
                "butler": repository,
                "output": "u/me/diffim",
                "output_run": f"u/me/diffim/{timestamp}",
                "inputs": ("T", "raws", "absent", "u/me/diffim"),
            }
        )
        for timestamp in ("20260101T000000Z", "20260102T000000Z")
    )
    ledger = Ledger(paths=health.workspace.paths, runs=(old, new))
    whole = [new.output_run, old.output_run, "T/1", "raws"]
    with Butler.from_config(repository, writeable=True) as butler:
        for name in (*whole, "T/2"):
            butler.collections.register(name)
        butler.collections.register("T", CollectionType.CHAINED)
        butler.collections.redefine_chain("T", ["T/1"])
    for there in (None, [], whole[2:], whole[:2]):
        with Butler.from_config(repository, writeable=True) as butler:
            if "u/me/diffim" in butler.collections.query("*"):
                butler.collections.x_remove("u/me/diffim")
            if there is not None:
                butler.collections.register("u/me/diffim", CollectionType.CHAINED)
                butler.collections.redefine_chain("u/me/diffim", there)
        (broken,) = find_broken_chains(ledger)
        restore_chain(ledger, broken)
        with Butler.from_config(repository) as butler:
            assert list(butler.collections.get_info("u/me/diffim").children) == whole, there
        assert find_broken_chains(ledger) == ()
    with Butler.from_config(repository, writeable=True) as butler:
        butler.collections.prepend_chain("T", ["T/2"])
    assert find_broken_chains(ledger) == ()


def test_what_depends_on_associations_is_told_by_the_pipeline() -> None:
    image, group, no_group = {"visit", "detector"}, {"group", "detector"}, {"tract"}
    tasks = {
        label: TaskShape(frozenset(dimensions), frozenset(inputs), frozenset(outputs))
        for label, dimensions, inputs, outputs in (
            ("analyze", image, {"of_tract", "raw"}, {"late"}),  # not in the order of the pipeline
            ("isr", image, {"raw"}, {"image"}),
            ("loadDiaCatalogs", group, {"image"}, {"preloaded"}),
            ("associateApdb", image, {"preloaded", "image"}, {"associated"}),
            ("consolidate", {"visit"}, {"associated"}, {"of_visit"}),
            ("measure", image, {"of_visit"}, {"measured"}),
            ("collect", no_group, {"measured"}, {"of_tract"}),
        )
    }
    assert find_downstream(tasks) == {
        "preloaded": Reach.DETECTOR,
        "associated": Reach.DETECTOR,
        "of_visit": Reach.VISIT,
        "measured": Reach.VISIT,
        "of_tract": Reach.ALL,
        "late": Reach.ALL,
    }


def test_the_pipeline_of_a_run_whose_graph_is_gone_is_that_of_its_submit_file(
    run: RunRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, folder in PACKAGES.items():
        monkeypatch.setenv(name, folder)
    config = {
        "pipelineYaml": find_pipeline("ApPipe-DC2.yaml"),
        "extraQgraphOptions": "-c parameters:apdb_config=/an/apdb.yaml",
    }
    (tmp_path / "bps.yaml").write_text(json.dumps(config))
    paths = {"graph": str(tmp_path / "gone.qg"), "config": str(tmp_path / "bps.yaml")}
    gone = run.model_copy(update={**paths, "quanta": {"isr": 2, "associateApdb": 2}})
    reaches = find_downstream(read_shapes([gone]))
    assert reaches["dia_source_apdb"] is reaches["associateApdb_metadata"] is Reach.DETECTOR
    assert reaches["loadDiaCatalogs_log"] is Reach.DETECTOR
    assert not {"difference_image", "isr_log"} & reaches.keys()
    with pytest.raises(PipelineError, match=r"ApPipe-DC2\.yaml has no renamed any more"):
        read_shapes([gone.model_copy(update={"quanta": {"isr": 1, "renamed": 1}})])
    (tmp_path / "bps.yaml").unlink()
    with pytest.raises(LedgerError, match=r"has no graph .* any more, and .*bps\.yaml cannot be read"):
        read_shapes([gone])


def test_what_a_run_without_a_graph_has_made_in_associations_is_forgotten(
    repository: str, health: CampaignHealth, run: RunRecord
) -> None:
    from lsst.daf.butler import Butler, DatasetType

    types = {
        "associated": ("visit", "detector"),
        "preloaded": ("group", "detector"),
        "of_visit": ("visit",),
        "of_all": (),
        "difference": ("visit", "detector"),
    }
    output_run = "u/me/gone/diffim"
    with Butler.from_config(repository, writeable=True) as butler:
        insert, camera = butler.registry.insertDimensionData, {"instrument": "LSSTCam-imSim"}
        insert("instrument", {"name": "LSSTCam-imSim", "class_name": "X", "detector_max": 2, "visit_max": 9})
        insert("physical_filter", {**camera, "name": "r", "band": "r"})
        insert("day_obs", {**camera, "id": 20250101})
        for detector in (0, 1):
            insert("detector", {**camera, "id": detector, "full_name": str(detector)})
        for visit in (1, 2):
            known = {**camera, "id": visit, "physical_filter": "r", "day_obs": 20250101}
            insert("visit", {**known, "name": str(visit)})
            insert("group", {**camera, "name": f"g{visit}"})
            insert("exposure", {**known, "obs_id": str(visit), "group": f"g{visit}"})
            insert("visit_definition", {**camera, "exposure": visit, "visit": visit})
        butler.collections.register(output_run)
        for name, dimensions in types.items():
            group = butler.dimensions.conform(("instrument", *dimensions) if dimensions else ())
            butler.registry.registerDatasetType(DatasetType(name, group, "StructuredDataDict"))
            ids = [
                {**camera, "visit": visit, "group": f"g{visit}", "detector": detector}
                for visit in (1, 2)
                for detector in (0, 1)
            ]
            for each in {tuple((key, one[key]) for key in group.required): None for one in ids}:
                butler.put({}, name, dict(each), run=output_run)
    gone = run.model_copy(update={"butler": repository, "output_run": output_run, "graph": "/gone.qg"})
    reaches = {
        "associated": Reach.DETECTOR,
        "preloaded": Reach.DETECTOR,
        "of_visit": Reach.VISIT,
        "of_all": Reach.ALL,
    }
    ledger = Ledger(paths=health.workspace.paths, runs=(gone,))
    assert forget(ledger, {(1, 0)}, reaches) == 4
    with Butler.from_config(repository) as butler:
        left = {name: butler.query_datasets(name, output_run, explain=False) for name in types}
    assert {name: len(refs) for name, refs in left.items()} == {
        "associated": 3,
        "preloaded": 3,
        "of_visit": 1,
        "of_all": 0,
        "difference": 4,
    }
    assert {str(ref.dataId["group"]) for ref in left["preloaded"] if ref.dataId["detector"] == 0} == {"g2"}
