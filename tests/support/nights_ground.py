"""A small repository of a camera that sees the same sky night after night, and APDBs of the first nights."""

__all__ = [
    "DETECTORS",
    "NIGHTS",
    "make_apdb",
    "make_repository",
    "open_workspace",
    "record_images",
    "visits_of",
]

import json
from collections.abc import Collection, Sequence
from pathlib import Path

from apcampaign.apdb import ApdbTarget, init_apdb, open_apdb, plan_init
from apcampaign.bps import CampaignConfig, Step, plan_campaign
from apcampaign.ledger import RunRecord, Workspace, write_run
from apcampaign.ordering import WRITER, VisitDetector, read_data_ids, write_data_ids
from apdb_content import Survey, region_of, run
from astropy.time import Time
from run_records import record_of

NIGHTS = (20260910, 20260911, 20260912)
DETECTORS = (0, 1)
_SURVEY = Survey(detectors=len(DETECTORS), objects=3)


def visits_of(night: int) -> tuple[int, int]:
    """The two visits of a night."""
    first = 10 * (NIGHTS.index(night) + 1)
    return first, first + 1


def make_repository(root: Path) -> Path:
    """Make a repository with the raw images of all nights."""
    from lsst.daf.butler import Butler, DatasetType, Timespan

    Butler.makeRepo(str(root))
    with Butler.from_config(str(root), run="raw", writeable=True) as butler:
        insert = butler.registry.insertDimensionData
        x = {"instrument": "X"}
        insert(
            "instrument",
            {"name": "X", "class_name": "X", "detector_max": 2, "visit_max": 99, "exposure_max": 99},
        )
        insert("physical_filter", {**x, "name": "r", "band": "r"})
        insert("detector", *({**x, "id": number, "full_name": str(number)} for number in DETECTORS))
        insert("skymap", {"name": "S", "hash": b"0", "tract_max": 1, "patch_nx_max": 1, "patch_ny_max": 1})
        insert("visit_system", {**x, "id": 0, "name": "one-to-one"})
        raw = DatasetType("raw", ("instrument", "exposure", "detector"), "Config", universe=butler.dimensions)
        butler.registry.registerDatasetType(raw)
        for night in NIGHTS:
            insert("day_obs", {**x, "id": night})
            for visit in visits_of(night):
                begin = Time(_SURVEY.mjd(visit), format="mjd", scale="tai")
                record = {**x, "id": visit, "physical_filter": "r", "day_obs": night}
                record["timespan"] = Timespan(begin, Time(begin.mjd + 30 / 86400, format="mjd", scale="tai"))
                insert("group", {**x, "name": str(visit)})
                insert("exposure", {**record, "group": str(visit), "obs_id": str(visit)})
                insert("visit", {**record, "name": str(visit)})
                insert("visit_definition", {**x, "visit": visit, "exposure": visit})
                for detector in DETECTORS:
                    region = region_of(_SURVEY, visit, detector)
                    insert(
                        "visit_detector_region", {**x, "visit": visit, "detector": detector, "region": region}
                    )
                data_ids = [{**x, "exposure": visit, "detector": detector} for detector in DETECTORS]
                butler.registry.insertDatasets(raw, data_ids, run="raw")
    return root


def open_workspace(folder: Path, repository: Path, **changes: object) -> Workspace:
    """Open a campaign of difference imaging in a folder."""
    content = {
        "name": "camp",
        "operator": "me",
        "butler": str(repository),
        "instrument": "X",
        "skymap": "S",
        "steps": ["diffim"],
        "inCollection": "raw",
        "diffim": {"pipeline": "p.yaml", "templates": "standing"},
        **changes,
    }
    return Workspace(CampaignConfig.model_validate(content), folder / "runs")


def make_apdb(workspace: Workspace, nights: Sequence[int]) -> str:
    """Make the APDB of a campaign, in which some nights are associated."""
    config = workspace.paths.apdb_config
    config.parent.mkdir(parents=True)
    target = ApdbTarget.from_url(f"sqlite:///{config.parent}/apdb.db")
    init_apdb(plan_init(target, instrument="X", config=config))
    run(open_apdb(str(config)), _SURVEY, [visit for night in nights for visit in visits_of(night)])
    return str(config)


def record_images(
    workspace: Workspace, night: int, *, hour: int = 12, without_work: Collection[VisitDetector] = ()
) -> RunRecord:
    """Record a run that was to associate the images of a night, and left neither graph nor outputs."""
    campaign = workspace.campaign.model_copy(update={"day_obs": (night,)})
    (planned,) = plan_campaign(campaign, steps=[Step.DIFFIM], timestamp=f"{night}T{hour:02}0000Z")
    files = workspace.paths.run(planned)
    write_data_ids(campaign.butler, planned, files.data_ids)
    jobs = [
        {
            "name": f"association-{visit}-{detector}",
            "label": "association",
            "tags": {"visit": visit, "detector": detector},
            "quanta": {WRITER: 1},
            "memory": None,
            "cpus": 1,
            "parents": [],
            "folder": ".",
        }
        for visit, detector in sorted(read_data_ids(files.data_ids) - set(without_work))
    ]
    files.jobs.write_text(json.dumps(jobs))
    service = "lsst.ctrl.bps.parsl.ParslService"
    record = record_of(workspace, planned, service=service).model_copy(
        update={"apdb_config": workspace.planned_apdb_config}
    )
    write_run(files, record)
    return record
