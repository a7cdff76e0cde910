"""Stand-in for ``isr``, instrument signature removal: ``IsrTask`` and ``IsrTaskLSST`` of ``lsst.ip.isr``."""

__all__ = ["IsrTask", "IsrTaskLSST"]

from typing import Any, ClassVar

import lsst.pipe.base as pipe_base
import numpy as np
from lsst.pex.config import Field
from lsst.pipe.base.connectionTypes import Input, Output, PrerequisiteInput

from ..exposure import Exposure
from ..science.signature import remove_signature


def _calibration(name: str, storage_class: str, *dimensions: str, minimum: int = 1) -> Any:
    return PrerequisiteInput(
        name=name,
        storageClass=storage_class,
        dimensions=("instrument", *dimensions),
        isCalibration=True,
        minimum=minimum,
    )


class IsrConnections(pipe_base.PipelineTaskConnections, dimensions=("instrument", "exposure", "detector")):
    """The inputs of the real task in imSim's configuration."""

    ccdExposure = Input(  # noqa: N815
        name="raw", storageClass="Exposure", dimensions=("instrument", "exposure", "detector")
    )
    camera = _calibration("camera", "Camera")
    crosstalk = _calibration("crosstalk", "CrosstalkCalib", "detector", minimum=0)
    bias = _calibration("bias", "ExposureF", "detector")
    dark = _calibration("dark", "ExposureF", "detector")
    flat = _calibration("flat", "ExposureF", "physical_filter", "detector")
    fringes = _calibration("fringe", "ExposureF", "physical_filter", "detector", minimum=0)
    newBFKernel = _calibration("bfk", "BrighterFatterKernel", "detector")  # noqa: N815
    outputExposure = Output(  # noqa: N815
        name="postISRCCD", storageClass="Exposure", dimensions=("instrument", "exposure", "detector")
    )

    def __init__(self, *, config: Any = None) -> None:
        if not config.doBrighterFatter:
            del self.newBFKernel


class IsrConfig(pipe_base.PipelineTaskConfig, pipelineConnections=IsrConnections):
    """The options of the real task that the pipelines set."""

    doBrighterFatter = Field[bool](doc="Need the brighter-fatter kernel?", default=True)  # noqa: N815


class IsrTask(pipe_base.PipelineTask):
    """Subtract bias and dark current, divide by the flat field, mask bad and saturated pixels."""

    ConfigClass = IsrConfig
    _DefaultName: ClassVar[str] = "isr"

    def run(
        self,
        ccdExposure: Exposure,  # noqa: N803
        camera: dict[str, Any],
        bias: Exposure,
        dark: Exposure,
        flat: Exposure,
        **_unused: Any,
    ) -> pipe_base.Struct:
        """Return the exposure without the instrument's signature, in electrons."""
        electronics = camera["electronics"][str(ccdExposure.circumstances.detector)]
        exposure = remove_signature(ccdExposure, bias, dark, flat, **electronics)
        level = float(np.median(exposure.image))
        self.metadata["medianLevel"] = level
        self.log.info("Median level after the removal of the instrument's signature: %.1f electrons.", level)
        return pipe_base.Struct(outputExposure=exposure)


class IsrLSSTConnections(IsrConnections, dimensions=("instrument", "exposure", "detector")):
    """The newer task needs calibrations that DC2 does not have, and LSSTCam has."""

    ptc = _calibration("ptc", "PhotonTransferCurveDataset", "detector")
    linearizer = _calibration("linearizer", "Linearizer", "detector")
    defects = _calibration("defects", "Defects", "detector")


class IsrLSSTConfig(IsrConfig, pipelineConnections=IsrLSSTConnections):
    """As that of the older task."""


class IsrTaskLSST(IsrTask):
    """Does the same; on DC2, which has no photon transfer curves, linearizers and defects, it has no quanta."""

    ConfigClass = IsrLSSTConfig
