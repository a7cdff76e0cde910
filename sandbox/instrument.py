"""Instrument LSSTCam-imSim for Butler and the pipelines."""

__all__ = ["ONE_TO_ONE", "LsstCamImSim"]

from typing import Any

from lsst.daf.butler import Registry
from lsst.pipe.base import Instrument

from .focalplane import DETECTORS
from .formatters import ExposureFormatter
from .survey import BANDS, physical_filter

ONE_TO_ONE = 0
"""The visit system in which each exposure is a visit."""


class LsstCamImSim(Instrument):
    """Stands in for ``lsst.obs.lsst.LsstCamImSim``."""

    @classmethod
    def getName(cls) -> str:  # noqa: N802
        """Return its name in the dimension ``instrument``."""
        return "LSSTCam-imSim"

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
                    "visit_max": 10**8,
                    "exposure_max": 10**8,
                    "visit_system": ONE_TO_ONE,
                    "class_name": f"{__name__}.{type(self).__name__}",
                },
                update=update,
            )
            for detector in DETECTORS:
                registry.syncDimensionData(
                    "detector",
                    {
                        "instrument": name,
                        "id": detector.id,
                        "full_name": detector.full_name,
                        "name_in_raft": detector.sensor,
                        "raft": detector.raft,
                        "purpose": "SCIENCE",
                    },
                    update=update,
                )
            for band in BANDS:
                registry.syncDimensionData(
                    "physical_filter",
                    {"instrument": name, "name": physical_filter(band), "band": band},
                    update=update,
                )
