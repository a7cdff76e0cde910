"""Stand-ins for ``getRegionTimeFromVisit`` and ``mpSkyEphemerisQuery``: region, time, Solar System objects.

They replace ``lsst.pipe.tasks.getRegionTimeFromVisit.GetRegionTimeFromVisitTask`` and
``lsst.ap.association.MPSkyEphemerisQueryTask``, which prepare the input of association.
"""

__all__ = ["IGD", "GetRegionTimeFromVisitTask", "MPSkyEphemerisQueryTask"]

from typing import Any, ClassVar

import lsst.pipe.base as pipe_base
import numpy as np
from astropy.table import Table
from lsst.pipe.base.connectionTypes import Input, Output
from lsst.pipe.base.utils import RegionTimeInfo

IGD = ("instrument", "group", "detector")


class GetRegionTimeFromVisitConnections(
    pipe_base.PipelineTaskConnections,
    dimensions=IGD,
    defaultTemplates={"coaddName": "goodSeeing", "fakesType": ""},
):
    """As the real task's.

    Only the exposure relates a group to a visit: hence an output with that dimension, which is never written.
    """

    dummy_visit = Input(
        name="initial_stars_footprints_detector",
        storageClass="SourceCatalog",
        dimensions=("instrument", "visit", "detector"),
    )
    dummy_exposure = Output(
        name="getRegionTimeFromVisit_dummy2",
        storageClass="int",
        dimensions=("instrument", "exposure", "detector"),
        multiple=True,
    )
    output = Output(name="regionTimeInfo", storageClass="RegionTimeInfo", dimensions=IGD)


class GetRegionTimeFromVisitConfig(
    pipe_base.PipelineTaskConfig, pipelineConnections=GetRegionTimeFromVisitConnections
):
    """No options."""


class GetRegionTimeFromVisitTask(pipe_base.PipelineTask):
    """Read region and time from the dimension records of a visit."""

    ConfigClass = GetRegionTimeFromVisitConfig
    _DefaultName: ClassVar[str] = "getRegionTimeFromVisit"

    def runQuantum(self, butlerQC: Any, inputRefs: Any, outputRefs: Any) -> None:  # noqa: N802, N803
        """Write region and time of the input's data ID."""
        records = inputRefs.dummy_visit.dataId.records
        info = RegionTimeInfo(
            region=records["visit_detector_region"].region, timespan=records["visit"].timespan
        )
        butlerQC.put(pipe_base.Struct(output=info, dummy_exposure=None), outputRefs)


class MPSkyEphemerisQueryConnections(pipe_base.PipelineTaskConnections, dimensions=IGD):
    """As the real task's."""

    predictedRegionTime = Input(  # noqa: N815
        name="regionTimeInfo", storageClass="RegionTimeInfo", dimensions=IGD
    )
    ssObjects = Output(name="preloaded_SsObjects", storageClass="ArrowAstropy", dimensions=IGD)  # noqa: N815


class MPSkyEphemerisQueryConfig(
    pipe_base.PipelineTaskConfig, pipelineConnections=MPSkyEphemerisQueryConnections
):
    """No options."""


class MPSkyEphemerisQueryTask(pipe_base.PipelineTask):
    """Find no solar system objects: DC2 has none."""

    ConfigClass = MPSkyEphemerisQueryConfig
    _DefaultName: ClassVar[str] = "mpSkyEphemerisQuery"

    def run(self, predictedRegionTime: RegionTimeInfo) -> pipe_base.Struct:  # noqa: N803
        """Return a table without rows."""
        table = Table({"ObjID": np.zeros(0, "U16"), "ra": np.zeros(0), "dec": np.zeros(0)})
        return pipe_base.Struct(ssObjects=table)
