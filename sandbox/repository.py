"""Butler repository of a miniature: dimension records, raws, calibrations, reference catalogue.

The collections have the names of the real ones. `build_repository` fills an empty folder; that it
appears complete or not at all is ensured by `apcampaign.sandbox.create`.
"""

__all__ = ["camera"]

import json
import sqlite3
import sys
from dataclasses import asdict
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import Any

from astropy.time import Time
from lsst.daf.butler import Butler, CollectionType, Config, DatasetRef, DatasetType, Timespan
from lsst.sphgeom import ConvexPolygon

from . import instrument
from .camera import CalibrationFrames, Electronics, take_raw
from .geometry import sky_polygon
from .injection import put_catalogue
from .instrument import ONE_TO_ONE, MiniatureInstrument
from .refcat import shard_catalogue
from .sky import Sky
from .survey import SandboxSize, Survey
from .truth import TRUTH_FILE, make_truth
from .visit import Visit

_REFCATS = "refcats"
_SKYMAPS = "skymaps"
_MODELS = "pretrained_models"

# Name: dimensions, storage class, calibration or not.
_DATASET_TYPES: dict[str, tuple[tuple[str, ...], str, bool]] = {
    "raw": (("instrument", "exposure", "detector"), "Exposure", False),
    "camera": (("instrument",), "Camera", True),
    "bias": (("instrument", "detector"), "ExposureF", True),
    "dark": (("instrument", "detector"), "ExposureF", True),
    "flat": (("instrument", "physical_filter", "detector"), "ExposureF", True),
    "skyMap": (("skymap",), "SkyMap", False),
    "pretrainedModelPackage": ((), "NNModelPackagePayload", False),
}


def build_repository(root: Path, survey: Survey) -> None:
    """Create and fill a repository in an empty or missing folder.

    Parameters
    ----------
    root
        The repository's folder; nothing in it depends on its place, so it may be moved afterwards.
    survey
        What to simulate.
    """
    config = Config(str(files("apcampaign.sandbox").joinpath("config/butler.yaml")))
    with Butler.from_config(Butler.makeRepo(str(root), config=config), writeable=True) as butler:
        _register(butler, survey)
        put_catalogue(butler, survey)
        with butler.transaction():
            _put_raws_and_calibrations(butler, survey)
            for shard, stars in shard_catalogue(survey):
                butler.put(stars, survey.camera.refcat, htm7=shard, run=_REFCATS)
            butler.put(survey.skymap, "skyMap", skymap=survey.camera.skymap_name, run=_SKYMAPS)
            butler.put({"model": "brightness"}, "pretrainedModelPackage", run=_MODELS)
        _chain(butler, survey)
    _analyze(root / "gen3.sqlite3")


def _register(butler: Butler, survey: Survey) -> None:
    registry, camera = butler.registry, survey.camera
    types = _DATASET_TYPES | {camera.refcat: (("htm7",), "SimpleCatalog", False)}
    for name, storage_class in camera.calibrations.items():
        types[name] = ("instrument", "detector"), storage_class, True
    for name, (dimensions, storage_class, calibration) in types.items():
        registry.registerDatasetType(
            DatasetType(
                name,
                dimensions,
                storage_class,
                universe=butler.dimensions,
                isCalibration=calibration,
            )
        )
    for run in (camera.raws, _calib_run(survey), _REFCATS, _SKYMAPS, _MODELS):
        butler.collections.register(run)
    butler.collections.register(_certified(survey), CollectionType.CALIBRATION)
    miniature: type[MiniatureInstrument] = getattr(instrument, camera.instrument_class)
    miniature().register(registry)
    _register_skymap(butler, survey)
    _register_visits(butler, survey)


def _register_skymap(butler: Butler, survey: Survey) -> None:
    skymap, name = survey.skymap, survey.camera.skymap_name
    insert = butler.registry.insertDimensionData
    insert(
        "skymap",
        {
            "name": name,
            "hash": skymap.sha1,
            "tract_max": len(skymap),
            "patch_nx_max": skymap.patches,
            "patch_ny_max": skymap.patches,
        },
    )
    for tract in map(skymap.tract, survey.tracts):
        insert("tract", {"skymap": name, "id": tract.id, "region": tract.region})
        insert(
            "patch",
            *(
                {
                    "skymap": name,
                    "tract": tract.id,
                    "id": patch.id,
                    "cell_x": patch.column,
                    "cell_y": patch.row,
                    "region": patch.region,
                }
                for patch in tract.patches
            ),
        )


def _register_visits(butler: Butler, survey: Survey) -> None:
    name = survey.camera.name
    system = {"instrument": name, "visit_system": ONE_TO_ONE}
    insert = butler.registry.insertDimensionData
    insert("visit_system", {"instrument": name, "id": ONE_TO_ONE, "name": "one-to-one"})
    insert(
        "day_obs",
        *(
            {"instrument": name, **_on_night(day)}
            for day in sorted({visit.day_obs for visit in survey.visits})
        ),
    )
    for visit in survey.visits:
        regions = {
            detector: sky_polygon(survey.detector_wcs(visit, detector), survey.detector_box)
            for detector in survey.size.detectors
        }
        corners = [corner for region in regions.values() for corner in region.getVertices()]
        keys = {"instrument": name, "visit": visit.id}
        insert("group", {"instrument": name, "name": visit.group})
        insert("exposure", _exposure_record(survey, visit))
        insert("visit", _visit_record(survey, visit) | {"region": ConvexPolygon.convexHull(corners)})
        insert("visit_definition", keys | {"exposure": visit.id})
        insert("visit_system_membership", keys | system)
        insert(
            "visit_detector_region",
            *(keys | {"detector": detector, "region": region} for detector, region in regions.items()),
        )


def _on_night(day: int) -> dict[str, Any]:
    text = str(day)
    noon = Time(f"{text[:4]}-{text[4:6]}-{text[6:]}T12:00:00", scale="tai")
    return {
        "id": day,
        "timespan": Timespan(noon, Time(noon.mjd + 1, format="mjd", scale="tai")),
    }


def _common_record(survey: Survey, visit: Visit) -> dict[str, Any]:
    begin, end = (
        Time(visit.mjd + length / 86400, format="mjd", scale="tai") for length in (0, visit.exposure_time)
    )
    return {
        "instrument": survey.camera.name,
        "id": visit.id,
        "physical_filter": visit.physical_filter,
        "day_obs": visit.day_obs,
        "exposure_time": visit.exposure_time,
        "observation_reason": "science",
        "science_program": survey.camera.science_program,
        "target_name": f"tract {visit.tract}",
        "seq_num": visit.seq_num,
        "azimuth": 0.0,
        "zenith_angle": 20.0,
        "timespan": Timespan(begin, end),
    }


def _exposure_record(survey: Survey, visit: Visit) -> dict[str, Any]:
    return _common_record(survey, visit) | {
        "group": visit.group,
        "obs_id": str(visit.id),
        "dark_time": visit.exposure_time,
        "observation_type": "science",
        "seq_start": visit.seq_num,
        "seq_end": visit.seq_num,
        "tracking_ra": visit.ra,
        "tracking_dec": visit.dec,
        "sky_angle": 0.0,
        "has_simulated": True,
        "can_see_sky": True,
    }


def _visit_record(survey: Survey, visit: Visit) -> dict[str, Any]:
    return _common_record(survey, visit) | {"name": str(visit.id)}


def _put_raws_and_calibrations(butler: Butler, survey: Survey) -> None:
    sky, name = Sky(survey), survey.camera.name
    frames = {detector: CalibrationFrames.of(survey, detector) for detector in survey.size.detectors}
    for visit, (detector, frame) in product(survey.visits, frames.items()):
        raw = take_raw(sky, visit, detector, frame)
        butler.put(raw, "raw", instrument=name, exposure=visit.id, detector=detector, run=survey.camera.raws)

    refs: list[DatasetRef] = []

    def put(dataset: Any, dataset_type: str, **data_id: Any) -> None:
        refs.append(butler.put(dataset, dataset_type, instrument=name, run=_calib_run(survey), **data_id))

    put(camera(survey), "camera")
    for detector, frame in frames.items():
        put(frame.bias, "bias", detector=detector)
        put(frame.dark, "dark", detector=detector)
        for band in survey.size.bands:
            put(frame.flat, "flat", detector=detector, physical_filter=survey.camera.filters[band])
        for dataset_type in survey.camera.calibrations:  # whose content no stand-in reads
            put({"detector": detector}, dataset_type, detector=detector)
    butler.registry.certify(_certified(survey), refs, Timespan(None, None))


def camera(survey: Survey) -> dict[str, Any]:
    """Return the camera's properties: names of all detectors, electronics of those in use."""
    return {
        "name": survey.camera.name,
        "detectors": [detector.full_name for detector in survey.camera.detectors],
        "electronics": {
            str(number): asdict(Electronics.of(survey, number)) for number in survey.size.detectors
        },
    }


def _calib_run(survey: Survey) -> str:
    return f"{survey.camera.calibs}/gen"


def _certified(survey: Survey) -> str:
    return f"{survey.camera.calibs}/certified"


def _chain(butler: Butler, survey: Survey) -> None:
    camera = survey.camera
    everything = [camera.raws, camera.calibs, _REFCATS, _SKYMAPS, _MODELS]
    chains = {camera.calibs: [_certified(survey), _calib_run(survey)]} | dict.fromkeys(
        camera.defaults, everything
    )
    for name, children in chains.items():
        butler.collections.register(name, CollectionType.CHAINED)
        butler.collections.redefine_chain(name, children)


def _analyze(database: Path) -> None:
    # Without statistics SQLite joins the spatial tables in the wrong order: graph building takes thrice as long.
    connection = sqlite3.connect(database)
    try:
        connection.execute("ANALYZE")
        connection.commit()
    finally:
        connection.close()


if __name__ == "__main__":
    # The root is an argument, the options come as JSON on standard input.
    observed = Survey(SandboxSize.from_mapping(json.load(sys.stdin)))
    build_repository(Path(sys.argv[1]), observed)
    make_truth(Sky(observed)).to_parquet(Path(sys.argv[1]).parent / TRUTH_FILE)
