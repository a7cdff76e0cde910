"""What is said of the memory and the cores of jobs is what BPS requests for them."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from apcampaign.bps import build_config, load_campaign, load_site, plan_campaign
from apcampaign.bps.data import merge
from apcampaign.submit.preflight.requests import JobRequests
from apcampaign.submit.preflight.run_spec import RunSpec
from lsst.ctrl.bps import BPS_DEFAULTS, BPS_SEARCH_ORDER, BpsConfig
from lsst.ctrl.bps.pre_transform import cluster_quanta
from lsst.ctrl.bps.transform import create_generic_workflow
from quantum_graphs import ROOT, make_graph

pytestmark = pytest.mark.slow

LITTLE = {"requestMemory": 768}
#: Settings that a campaign may have, each in another place.
SETTINGS: list[dict[str, Any]] = [
    {},
    {"pipetask": {"isr": LITTLE, "calibrateImage": LITTLE}},  # all that a cluster has of this pipeline
    {"pipetask": {"isr": LITTLE}},
    {"cluster": {"diffim": {"requestMemory": 6000, "requestCpus": 2}}},
    {
        "cluster": {
            "singleFrame": {"pipetasks": "calibrateImage"},
            "ours": {"pipetasks": "isr", "dimensions": "exposure,detector"},
        },
        "pipetask": {"isr": LITTLE},
    },
    {"cluster": {"preload": {"computeSite": "large"}}, "site": {"large": {"requestMemory": 50_000}}},
    {"site": {"local": {"requestMemory": 3000, "requestCpus": 3}}, "finalJob": {"requestCpus": 4}},
    {"payload": {"requestMemory": 1500}},
    {"includeConfigs": ["more.yaml"]},
]


def read_settings(folder: Path, settings: dict[str, Any]) -> dict[str, Any]:
    (folder / "more.yaml").write_text(yaml.safe_dump({"pipetask": {"pipetaskInit": LITTLE, "isr": LITTLE}}))
    campaign = load_campaign(ROOT / "campaign.yaml", environment={})
    (_, run) = plan_campaign(campaign)
    config = build_config(
        campaign,
        run,
        load_site("local"),
        submit_path=folder,
        apdb_config="/apdb.yaml",
        environment={},
        edges_added=True,
    )
    settings = {
        key: [str(folder / name) for name in value] if isinstance(value, list) else value
        for key, value in settings.items()
    }
    return merge(config, settings)


def requested_by_bps(config: dict[str, Any], graph: Any, folder: Path) -> dict[str, tuple[int, int]]:
    file = folder / "config.yaml"
    file.write_text(yaml.safe_dump(config))
    read = BpsConfig(str(file), search_order=BPS_SEARCH_ORDER, defaults=BPS_DEFAULTS)
    read[".bps_defined.runQgraphFile"] = str(folder / "run.qg")
    workflow = create_generic_workflow(read, cluster_quanta(read, graph, "run"), "run", str(folder))
    jobs = [*map(workflow.get_job, workflow), workflow.get_final()]
    return {job.label: (job.request_memory, job.request_cpus) for job in jobs}


def test_requests_are_those_of_the_jobs_that_bps_makes_wherever_they_are_set(tmp_path: Path) -> None:
    graph = make_graph({731000: "2025-10-12T04:48:00.000"}, detectors=(93,))
    for settings in SETTINGS:
        config = read_settings(tmp_path, settings)
        made = requested_by_bps(config, graph, tmp_path)
        spec = RunSpec(
            name="diffim",
            butler="",
            inputs=(),
            output="",
            output_run="",
            query="",
            pipeline="",
            config=config,
        )
        requests = JobRequests.read(spec, {})
        tasks = {
            name: [task for task in section["pipetasks"].split(",") if task in graph.quanta_by_task]
            for name, section in config["cluster"].items()
        }
        said = {request.label: request for request in (requests.of_init(), requests.of_final())}
        for label in made.keys() - said.keys():
            said[label] = requests.of_job(label, tasks.get(label, [label]))
        assert {label: (each.memory, each.cpus) for label, each in said.items()} == made, settings
