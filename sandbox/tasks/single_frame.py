"""Stand-in for ``singleFrameDetectAndMeasure``: fainter sources on the calibrated image.

It replaces ``lsst.drp.tasks.single_frame_detect_and_measure.SingleFrameDetectAndMeasureTask``.
"""

__all__ = ["SingleFrameDetectAndMeasureTask"]

from typing import ClassVar

import lsst.pipe.base as pipe_base
from lsst.pex.config import ConfigField, Field
from lsst.pipe.base.connectionTypes import Input, Output

from ..exposure import Exposure
from ..science.stars import measure_stars
from .calibrate import IVD, IdGeneratorConfig, first_id, star_table


class SingleFrameDetectAndMeasureConnections(pipe_base.PipelineTaskConnections, dimensions=IVD):
    """As the real task's."""

    exposure = Input(name="preliminary_visit_image", storageClass="Exposure", dimensions=IVD)
    input_background = Input(
        name="preliminary_visit_image_background", storageClass="Background", dimensions=IVD
    )
    sources = Output(
        name="single_visit_star_reprocessed_unstandardized", storageClass="ArrowAstropy", dimensions=IVD
    )
    sources_footprints = Output(
        name="single_visit_star_reprocessed_footprints", storageClass="SourceCatalog", dimensions=IVD
    )
    background = Output(
        name="preliminary_visit_image_reprocessed_background", storageClass="Background", dimensions=IVD
    )


class SingleFrameDetectAndMeasureConfig(
    pipe_base.PipelineTaskConfig, pipelineConnections=SingleFrameDetectAndMeasureConnections
):
    """The options of the real task that the pipelines set."""

    id_generator = ConfigField[IdGeneratorConfig](dtype=IdGeneratorConfig, doc="Identifiers.")
    threshold = Field[float](doc="Detection threshold, sigma.", default=5.0)


class SingleFrameDetectAndMeasureTask(pipe_base.PipelineTask):
    """Measure fainter sources on the calibrated image."""

    ConfigClass = SingleFrameDetectAndMeasureConfig
    _DefaultName: ClassVar[str] = "singleFrameDetectAndMeasure"

    def run(self, exposure: Exposure, input_background: dict[str, float]) -> pipe_base.Struct:
        """Return the sources and the background."""
        info = exposure.circumstances
        start = first_id(self.config.id_generator.release_id, info.visit, info.detector)
        found = measure_stars(exposure, self.config.threshold)
        if found is None:
            raise pipe_base.NoWorkFound("too few stars to measure the point-spread function")
        sources = star_table(found, exposure, start)
        sources["detect_isPrimary"] = True
        sources["sky_source"] = False
        return pipe_base.Struct(
            sources=sources, sources_footprints=sources, background=dict(input_background)
        )
