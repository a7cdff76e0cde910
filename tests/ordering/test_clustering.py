"""Jobs of difference imaging: the quanta of a visit belong together, whatever its group is called."""

from pathlib import Path

import pytest
import yaml
from apcampaign.bps import build_config, load_campaign, load_site, plan_campaign
from quantum_graphs import ROOT, WITH_FAKES, cluster, make_graph

pytestmark = pytest.mark.slow

VISITS = {731000: "2025-10-12T04:48:00.000", 731100: "2025-10-15T04:48:00.000"}


def jobs_of(clustered):
    """Give for each job its tags and how many quanta of each task it has."""
    return {each.name: (each.tags, dict(each.quanta_counts)) for each in clustered.clusters()}


def test_reader_and_writer_share_a_job_though_the_group_is_named_by_time(tmp_path):
    jobs = jobs_of(cluster(make_graph(VISITS), tmp_path))
    for visit in VISITS:
        for detector in (93, 94):
            tags, quanta = jobs[f"association_{visit}_{detector}"]
            assert tags == {"visit": visit, "detector": detector}
            assert quanta == {"loadDiaCatalogs": 1, "associateApdb": 1}
            assert f"associationMetrics_{visit}_{detector}" in jobs
    assert not [name for name in jobs if "2025" in name]


@pytest.mark.parametrize("dimensions", ["visit,detector", "group,detector"])
def test_a_user_may_cluster_by_visit_or_by_group(tmp_path, dimensions):
    changes = {"cluster": {"association": {"dimensions": dimensions}}}
    jobs = jobs_of(cluster(make_graph(VISITS), tmp_path, bps=changes))
    together = [quanta for _, quanta in jobs.values() if "associateApdb" in quanta]
    assert together == [{"loadDiaCatalogs": 1, "associateApdb": 1}] * 4


def test_quanta_in_no_cluster_are_named_by_their_visit_too(tmp_path):
    changes = {"cluster": {"preload": {"pipetasks": "mpSkyEphemerisQuery"}}}
    jobs = jobs_of(cluster(make_graph(VISITS), tmp_path, bps=changes))
    assert "getRegionTimeFromVisit_731000_93" in jobs


def with_fakes(folder: Path) -> Path:
    """Write a pipeline with the labels of ApPipeWithFakes."""
    pipeline = folder / "ApPipeWithFakes.yaml"
    tasks = {label: {"class": "lsst.pipe.base.tests.mocks.DynamicTestPipelineTask"} for label in WITH_FAKES}
    pipeline.write_text(yaml.safe_dump({"description": "Fakes.", "tasks": tasks}))
    return pipeline


def test_what_a_pipeline_adds_between_the_tasks_of_a_cluster_joins_it_whether_or_not_it_can_be_read(tmp_path):
    without = jobs_of(cluster(make_graph(VISITS), tmp_path))["diffim_731000_93"][1]
    assert {"buildTemplate", "subtractImages"} <= set(without)
    graph = make_graph(VISITS, tasks=WITH_FAKES)
    for changes in ({"pipeline": with_fakes(tmp_path)}, {}):
        jobs = jobs_of(cluster(graph, tmp_path, **changes))
        assert jobs["diffim_731000_93"][1] == {**without, "injectTemplate": 1}
        # What reads the image with the sources is in the cluster of calibration too: elsewhere they would wait for
        # each other.
        assert {"calibrateImage", "injectVisit"} <= set(jobs["singleFrame_731000_93"][1])


def test_a_task_that_a_pipeline_adds_stays_in_the_cluster_of_the_user(tmp_path):
    changes = {"bps": {"cluster": {"fakes": {"pipetasks": "injectVisit", "dimensions": "visit"}}}}
    campaign = load_campaign(ROOT / "campaign.yaml", environment={}).model_copy(update=changes)
    diffim = campaign.diffim.model_copy(update={"pipeline": str(with_fakes(tmp_path))})
    campaign = campaign.model_copy(update={"diffim": diffim})
    _, run = plan_campaign(campaign)
    config = build_config(
        campaign,
        run,
        load_site("local"),
        submit_path=tmp_path,
        apdb_config="/apdb.yaml",
        environment={},
        edges_added=True,
    )
    places = [name for name, each in config["cluster"].items() if "injectVisit" in each["pipetasks"]]
    assert places == ["fakes"]
    assert "injectTemplate" in config["cluster"]["diffim"]["pipetasks"]


def test_with_bps_own_order_the_fakes_pipeline_has_valid_clusters(tmp_path):
    graph = make_graph(VISITS, tasks=WITH_FAKES)
    jobs = jobs_of(cluster(graph, tmp_path, edges_added=False, pipeline=with_fakes(tmp_path)))
    assert jobs["diffim_731000_93"][1]["injectTemplate"] == 1
    assert jobs["singleFrame_731000_93"][1]["injectVisit"] == 1
    assert jobs["preloadApdb_2025-10-12T04:48:00.000_93"][1]["loadDiaCatalogs"] == 1
