"""Quantum graphs of difference imaging, made in memory by the real graph builder."""

__all__ = ["AP_TASKS", "WITH_FAKES", "cluster", "insert_visits", "make_graph", "make_workflow"]

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from apcampaign.bps import load_campaign, load_site, plan_campaign
from apcampaign.bps.config import build_config
from apcampaign.pipelines.reference import load_table
from apcampaign.sandbox.instrument import ONE_TO_ONE, LsstCamImSim
from astropy.time import Time
from lsst.ctrl.bps import BpsConfig, ClusteredQuantumGraph, GenericWorkflow, GenericWorkflowJob
from lsst.ctrl.bps.pre_transform import cluster_quanta
from lsst.daf.butler import Timespan
from lsst.pipe.base.quantum_graph import PredictedQuantumGraph
from lsst.pipe.base.tests.mocks import DynamicConnectionConfig, InMemoryRepo

ROOT = Path(__file__).resolve().parents[2]
INSTRUMENT = "LSSTCam-imSim"

IVD, IGD = ("instrument", "visit", "detector"), ("instrument", "group", "detector")
type Tasks = Mapping[
    str, tuple[tuple[str, ...], Mapping[str, tuple[str, ...]], Mapping[str, tuple[str, ...]]]
]


def _read_tasks() -> Tasks:
    """Take the tasks of ApPipe from the table, with what they read and write of visits, groups and exposures."""
    facts = load_table().pipelines["ApPipe"]
    return {
        label: (
            task.dimensions,
            {
                name.partition(".")[0]: dataset.dimensions
                for name, dataset in (task.inputs or {}).items()
                if not dataset.prerequisite and "skymap" not in dataset.dimensions
            },
            {name: dataset.dimensions for name, dataset in (task.outputs or {}).items()},
        )
        for label, task in facts.tasks.items()
        if task.dimensions is not None
    }


#: The tasks of ApPipe: dimensions, inputs, outputs; of those of quality assessment one of each kind.
AP_TASKS: Tasks = {
    **_read_tasks(),
    "analyzeLoadDiaCatalogsMetrics": (IGD, {"preloaded_dia_object": IGD}, {"load_metrics": IGD}),
    "analyzeAssociatedDiaSourceTable": (IVD, {"dia_source_apdb": IVD}, {"dia_metrics": IVD}),
}


def _inject(tasks: Tasks, label: str, into: str, prefix: str) -> Tasks:
    """Add a task that injects sources into an image, and let all others read the image with them.

    So does ``make_injection_pipeline`` of ``lsst.source_injection``, with which ``ap_pipe`` is built.
    """
    injected = f"{prefix}{into}"
    return {
        **{
            name: (
                dimensions,
                {injected if read == into else read: of for read, of in inputs.items()},
                outputs,
            )
            for name, (dimensions, inputs, outputs) in tasks.items()
        },
        label: (IVD, {into: IVD}, {injected: IVD, f"{injected}_catalog": IVD}),
    }


#: Those of ApPipeWithFakes; quality assessment of the calibrated image reads it with the sources, too.
WITH_FAKES: Tasks = _inject(
    _inject(
        {
            **AP_TASKS,
            "analyzePreliminarySummaryStats": (IVD, {"preliminary_visit_image": IVD}, {"pvi_metrics": IVD}),
        },
        "injectTemplate",
        "template_detector",
        "injectedTemplate_",
    ),
    "injectVisit",
    "preliminary_visit_image",
    "fakes_",
)


def make_graph(
    visits: Mapping[int, str], detectors: Sequence[int] = (93, 94), tasks: Tasks = AP_TASKS
) -> PredictedQuantumGraph:
    """Make a quantum graph of some visits, each with its group and one exposure of the same number."""
    with InMemoryRepo() as repo:
        registry = repo.butler.registry
        LsstCamImSim().register(registry)
        insert_visits(registry.insertDimensionData, visits, detectors)
        for label, (dimensions, inputs, outputs) in tasks.items():
            repo.add_task(
                label,
                dimensions=dimensions,
                inputs=_connections(inputs, dimensions),
                outputs=_connections(outputs, dimensions),
            )
        repo.insert_datasets(
            "raw", where=f"instrument = '{INSTRUMENT}' AND detector IN ({', '.join(map(str, detectors))})"
        )
        return repo.make_quantum_graph(insert_mocked_inputs=False)


def cluster(graph: PredictedQuantumGraph, folder: Path, **changes: Any) -> ClusteredQuantumGraph:
    """Let BPS cluster a graph as `apcampaign submit` has it do, or with changed settings."""
    campaign = load_campaign(ROOT / "campaign.yaml", environment={})
    campaign = campaign.model_copy(update={"bps": {**campaign.bps, **changes.pop("bps", {})}})
    if pipeline := changes.pop("pipeline", None):
        diffim = campaign.diffim.model_copy(update={"pipeline": str(pipeline)})
        campaign = campaign.model_copy(update={"diffim": diffim})
    (run,) = [run for run in plan_campaign(campaign) if run.fills_apdb]
    arguments = {"edges_added": True, "apdb_config": "/apdb.yaml", "environment": {}, **changes}
    config = BpsConfig(build_config(campaign, run, load_site("local"), submit_path=folder, **arguments))
    config[".bps_defined.runQgraphFile"] = str(folder / "run.qg")
    return cluster_quanta(config, graph, "test")


def make_workflow(clustered: ClusteredQuantumGraph) -> GenericWorkflow:
    """Make a workflow of clustered quanta: jobs and edges, and nothing that could be run."""
    workflow = GenericWorkflow("test")
    for each in clustered.clusters():
        workflow.add_job(
            GenericWorkflowJob(each.name, each.label, tags=each.tags, quanta_counts=each.quanta_counts)
        )
    for each in clustered.clusters():
        for child in clustered.successors(each.name):
            workflow.add_job_relationships(each.name, child.name)
    return workflow


def _connections(
    types: Mapping[str, tuple[str, ...]], of_task: tuple[str, ...]
) -> dict[str, DynamicConnectionConfig]:
    return {
        name: DynamicConnectionConfig(
            dataset_type_name=name, dimensions=list(dimensions), multiple=not set(dimensions) <= set(of_task)
        )
        for name, dimensions in types.items()
    }


def insert_visits(insert: Any, visits: Mapping[int, str], detectors: Sequence[int]) -> None:
    """Insert visits in r, each with its group and one exposure; all of their detectors see the same sky."""
    from lsst.sphgeom import ConvexPolygon, LonLat, UnitVector3d

    corners = [(56.0, -36.0), (57.0, -36.0), (57.0, -37.0), (56.0, -37.0)]
    region = ConvexPolygon([UnitVector3d(LonLat.fromDegrees(*corner)) for corner in corners])
    insert("day_obs", {"instrument": INSTRUMENT, "id": 20251012})
    insert("visit_system", {"instrument": INSTRUMENT, "id": ONE_TO_ONE, "name": "one-to-one"})
    for number, (visit, group) in enumerate(visits.items()):
        begin = Time(60960.0 + number / 100, format="mjd", scale="tai")
        common = {
            "instrument": INSTRUMENT,
            "id": visit,
            "physical_filter": "r_sim_1.4",
            "day_obs": 20251012,
            "timespan": Timespan(begin, Time(begin.mjd + 30 / 86400, format="mjd", scale="tai")),
        }
        insert("group", {"instrument": INSTRUMENT, "name": group})
        insert("exposure", {**common, "group": group, "obs_id": str(visit)})
        insert("visit", {**common, "name": str(visit), "region": region})
        keys = {"instrument": INSTRUMENT, "visit": visit}
        insert("visit_definition", {**keys, "exposure": visit})
        insert("visit_system_membership", {**keys, "visit_system": ONE_TO_ONE})
        insert("visit_detector_region", *({**keys, "detector": n, "region": region} for n in detectors))
