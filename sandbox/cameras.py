"""Cameras of which there are miniatures: names, filters, detectors, collections, as in the public sources.

Everything that depends on the camera is a value here: `CAMERAS` by the name of the instrument. Sources: DC2's data
release and ``obs_lsst`` for LSSTCam-imSim; ``obs_lsst`` of 2026-04-10 and the scripts of ``ap_pipe`` of 2026-08-19
for LSSTCam; ``obs_decam`` of 2025-07-07 for DECam.
"""

__all__ = ["APDB_BANDS", "CAMERAS", "IMSIM", "Camera"]

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from .focalplane import DECAM, DECAM_SIZE, LSST, LSST_CORNERS, LSST_SIZE, Detector
from .skymap import RingsSkyMap

APDB_BANDS = "ugrizy"
"""The bands that the APDB has columns for."""
IMSIM = "LSSTCam-imSim"
"""The camera of the miniature DC2."""


@dataclass(frozen=True, kw_only=True)
class Camera:
    """A camera, and how its data are organised.

    Parameters
    ----------
    name
        The instrument's name in Butler.
    instrument_class
        The class in `apcampaign.sandbox.instrument` that stands in for its own.
    filters
        Physical filter by band, from blue to red.
    detectors
        All detectors; the first of them are those that see the sky, by their place.
    detector_size
        Width and height of a detector on the sky, arcseconds.
    skymap_name, skymap
        The skymap with which its data are processed.
    refcat
        The dataset type of its reference catalogue.
    raws, calibs, defaults
        The collections of raws and of calibrations, and those that chain everything.
    first_visit
        The ID of the first visit, if visits are numbered one after another; `None` if a visit is named by its
        night and its number in that night.
    groups_by_time
        Whether a group is named by the time of its exposure; otherwise by the exposure.
    science_program
        The program of its exposures.
    pipelines
        The pipelines of the two steps of a campaign.
    shares_calibration
        Whether both calibrate alike.
    middle
        Two neighbours near the middle of the focal plane.
    calibrations
        Dataset types and storage classes of the calibrations that its ``isr`` needs besides bias, dark and flat.
    """

    name: str
    instrument_class: str
    filters: Mapping[str, str]
    detectors: tuple[Detector, ...]
    detector_size: tuple[float, float]
    skymap_name: str
    skymap: RingsSkyMap
    refcat: str
    raws: str
    calibs: str
    defaults: tuple[str, ...]
    first_visit: int | None
    groups_by_time: bool
    science_program: str
    pipelines: tuple[str, str]
    shares_calibration: bool = False
    middle: tuple[int, int] = (93, 94)
    calibrations: Mapping[str, str]

    @cached_property
    def science_detectors(self) -> Mapping[int, Detector]:
        """The detectors that see the sky, by ID."""
        return {detector.id: detector for detector in self.detectors if detector.purpose == "SCIENCE"}

    @property
    def bands(self) -> tuple[str, ...]:
        """The bands, from blue to red."""
        return tuple(self.filters)


_LSST_ISR = {
    "ptc": "PhotonTransferCurveDataset",
    "linearizer": "Linearizer",
    "defects": "Defects",
    "bfk": "BrighterFatterKernel",
}

CAMERAS: Mapping[str, Camera] = {
    camera.name: camera
    for camera in (
        Camera(
            name=IMSIM,
            instrument_class="LsstCamImSim",
            filters={band: f"{band}_sim_1.4" for band in "ugrizy"},
            detectors=LSST,
            detector_size=LSST_SIZE,
            skymap_name="DC2",
            skymap=RingsSkyMap(),
            refcat="cal_ref_cat_2_2",
            raws="2.2i/raw/all",
            calibs="2.2i/calib",
            defaults=("2.2i/defaults/test-med-1", "2.2i/defaults"),
            first_visit=731_000,  # the simulated survey numbers its visits; any large number will do
            groups_by_time=True,
            science_program="DC2",
            pipelines=("ApTemplate-DC2.yaml", "ApPipe-DC2.yaml"),
            shares_calibration=True,
            calibrations={},
        ),
        Camera(
            name="LSSTCam",
            instrument_class="LsstCam",
            filters={"u": "u_24", "g": "g_6", "r": "r_57", "i": "i_39", "z": "z_20", "y": "y_10"},
            detectors=(*LSST, *LSST_CORNERS),
            detector_size=LSST_SIZE,
            skymap_name="lsst_cells_v2",
            # Twenty cells of 150 pixels to a patch, and one around them.
            skymap=RingsSkyMap(patch_pixels=3000, patch_border=150, patches=10),
            refcat="the_monster_20250219",
            raws="LSSTCam/raw/all",
            calibs="LSSTCam/calib",
            defaults=("LSSTCam/defaults",),
            first_visit=None,
            groups_by_time=True,
            science_program="BLOCK-365",
            pipelines=(
                "$AP_PIPE_DIR/pipelines/LSSTCam/QuickTemplate.yaml#singleFrame,makeTemplate",
                "$AP_PIPE_DIR/pipelines/LSSTCam/ApPipe.yaml",
            ),
            calibrations=_LSST_ISR,
        ),
        Camera(
            name="DECam",
            instrument_class="DarkEnergyCamera",
            filters={
                "u": "u DECam c0006 3500.0 1000.0",
                "g": "g DECam SDSS c0001 4720.0 1520.0",
                "VR": "VR DECam c0007 6300.0 2600.0",
                "r": "r DECam SDSS c0002 6415.0 1480.0",
                "N708": "N708 DECam c0012 7080.0 400.0",
                "i": "i DECam SDSS c0003 7835.0 1470.0",
                "z": "z DECam SDSS c0004 9260.0 1520.0",
                "y": "Y DECam c0005 10095.0 1130.0",
            },
            detectors=DECAM,
            detector_size=DECAM_SIZE,
            skymap_name="decam_rings_v1",
            skymap=RingsSkyMap(pixel_scale=0.262, patches=6),
            refcat="ps1_pv3_3pi_20170110",
            raws="DECam/raw/all",
            calibs="DECam/calib",
            defaults=("DECam/defaults",),
            first_visit=410_900,
            groups_by_time=False,
            science_program="2015A-0608",
            pipelines=(
                "$AP_PIPE_DIR/pipelines/DECam/QuickTemplate.yaml#singleFrame,makeTemplate",
                "$AP_PIPE_DIR/pipelines/DECam/ApPipe.yaml",
            ),
            middle=(28, 35),
            calibrations={},
        ),
    )
}
"""The cameras, by the name of the instrument."""
