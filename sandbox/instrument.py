"""Instruments for Butler and the pipelines: one class for each camera of which there are miniatures."""

__all__ = ["ONE_TO_ONE", "DarkEnergyCamera", "LsstCam", "LsstCamImSim", "MiniatureInstrument"]

from typing import Any, ClassVar

from lsst.daf.butler import Registry
from lsst.pipe.base import Instrument

from .cameras import CAMERAS, IMSIM, Camera
from .formatters import ExposureFormatter

ONE_TO_ONE = 0
"""The visit system in which each exposure is a visit."""

_MOST = 10**13
"""Larger than every ID of a visit."""


class MiniatureInstrument(Instrument):
    """Writes what a camera is into a registry."""

    camera: ClassVar[Camera]

    @classmethod
    def getName(cls) -> str:  # noqa: N802
        """Return its name in the dimension ``instrument``."""
        return cls.camera.name

    def getRawFormatter(self, dataId: Any) -> type[ExposureFormatter]:  # noqa: N802, N803
        """Return the formatter of raw images."""
        return ExposureFormatter

    def register(self, registry: Registry, *, update: bool = False) -> None:
        """Write instrument, detectors and filters into a registry."""
        name = self.getName()
        with registry.transaction():
            registry.syncDimensionData(
                "instrument",
                {
                    "name": name,
                    "detector_max": 1000,
                    "visit_max": _MOST,
                    "exposure_max": _MOST,
                    "visit_system": ONE_TO_ONE,
                    "class_name": f"{__name__}.{type(self).__name__}",
                },
                update=update,
            )
            for detector in self.camera.detectors:
                registry.syncDimensionData(
                    "detector",
                    {
                        "instrument": name,
                        "id": detector.id,
                        "full_name": detector.full_name,
                        "name_in_raft": detector.sensor,
                        "raft": detector.raft,
                        "purpose": detector.purpose,
                    },
                    update=update,
                )
            for band, physical_filter in self.camera.filters.items():
                registry.syncDimensionData(
                    "physical_filter",
                    {"instrument": name, "name": physical_filter, "band": band},
                    update=update,
                )


class LsstCamImSim(MiniatureInstrument):
    """Stands in for ``lsst.obs.lsst.LsstCamImSim``."""

    camera = CAMERAS[IMSIM]


class LsstCam(MiniatureInstrument):
    """Stands in for ``lsst.obs.lsst.LsstCam``."""

    camera = CAMERAS["LSSTCam"]


class DarkEnergyCamera(MiniatureInstrument):
    """Stands in for ``lsst.obs.decam.DarkEnergyCamera``."""

    camera = CAMERAS["DECam"]
