"""Stand-ins for difference imaging: from an exposure and templates to the sources of the difference.

Labels and classes: ``buildTemplate`` (``GetTemplateTask``), ``subtractImages`` (``AlardLuptonSubtractTask``) and
``detectAndMeasureDiaSource`` (``DetectAndMeasureTask``), all of ``lsst.ip.diffim``.
"""

__all__ = [
    "AlardLuptonSubtractTask",
    "DetectAndMeasureTask",
    "GetTemplateTask",
]

from typing import Any, ClassVar

import lsst.pipe.base as pipe_base
import numpy as np
from astropy.table import Table
from lsst.pex.config import ConfigField, Field
from lsst.pipe.base.connectionTypes import InitOutput, Input, Output

from ..exposure import Exposure
from ..geometry import Box, TangentWcs
from ..science.coaddition import mosaic
from ..science.detection import COLUMNS, calibrated_variance, detect, measure_at
from ..science.psf import width
from ..science.subtraction import subtract
from .calibrate import IVD, IdGeneratorConfig, first_id
from .errors import SandboxAlgorithmError

_TEMPLATES = {"coaddName": "deep", "warpTypeSuffix": "", "fakesType": ""}

DIA_COLUMNS = (("id", int), ("ra", float), ("dec", float), *COLUMNS, ("sky_source", bool))


class GetTemplateConnections(pipe_base.PipelineTaskConnections, dimensions=IVD, defaultTemplates=_TEMPLATES):
    """As the real task's."""

    bbox = Input(name="{fakesType}calexp.bbox", storageClass="Box2I", dimensions=IVD)
    wcs = Input(name="{fakesType}calexp.wcs", storageClass="Wcs", dimensions=IVD)
    skyMap = Input(name="skyMap", storageClass="SkyMap", dimensions=("skymap",))  # noqa: N815
    coaddExposures = Input(  # noqa: N815
        name="{fakesType}{coaddName}Coadd{warpTypeSuffix}",
        storageClass="ExposureF",
        dimensions=("tract", "patch", "skymap", "band"),
        multiple=True,
        deferLoad=True,
        deferGraphConstraint=True,
    )
    template = Output(
        name="{fakesType}{coaddName}Diff_templateExp{warpTypeSuffix}",
        storageClass="ExposureF",
        dimensions=IVD,
    )


class GetTemplateConfig(pipe_base.PipelineTaskConfig, pipelineConnections=GetTemplateConnections):
    """No options."""


class GetTemplateTask(pipe_base.PipelineTask):
    """Resample the coadds of the patches under a detector to its pixels."""

    ConfigClass = GetTemplateConfig
    _DefaultName: ClassVar[str] = "getTemplate"

    def run(
        self,
        bbox: Box,
        wcs: TangentWcs | None,
        coaddExposures: list[Any],  # noqa: N803
        **_unused: Any,
    ) -> pipe_base.Struct:
        """Return the template: the average where patches overlap."""
        if wcs is None:
            raise pipe_base.NoWorkFound("the exposure has no projection")
        coadds = [handle.get() for handle in coaddExposures]
        template = mosaic(coadds, wcs, bbox)
        if template is None:
            raise pipe_base.NoWorkFound("no template overlaps this detector")
        self.metadata["templateCoveragePercent"] = float(100 * template.good.mean())
        return pipe_base.Struct(template=template)


class AlardLuptonSubtractConnections(
    pipe_base.PipelineTaskConnections, dimensions=IVD, defaultTemplates=_TEMPLATES
):
    """As the real task's."""

    template = Input(name="{fakesType}{coaddName}Diff_templateExp", storageClass="ExposureF", dimensions=IVD)
    science = Input(name="{fakesType}calexp", storageClass="ExposureF", dimensions=IVD)
    sources = Input(name="{fakesType}src", storageClass="SourceCatalog", dimensions=IVD)
    difference = Output(
        name="{fakesType}{coaddName}Diff_differenceTempExp", storageClass="ExposureF", dimensions=IVD
    )
    matchedTemplate = Output(  # noqa: N815
        name="{fakesType}{coaddName}Diff_matchedExp", storageClass="ExposureF", dimensions=IVD
    )
    psfMatchingKernel = Output(  # noqa: N815
        name="{fakesType}{coaddName}Diff_psfMatchKernel", storageClass="MatchingKernel", dimensions=IVD
    )
    kernelSources = Output(  # noqa: N815
        name="{fakesType}{coaddName}Diff_psfMatchSources", storageClass="SourceCatalog", dimensions=IVD
    )


class AlardLuptonSubtractConfig(
    pipe_base.PipelineTaskConfig, pipelineConnections=AlardLuptonSubtractConnections
):
    """The options of the real task that the pipelines set."""

    doApplyExternalCalibrations = Field[bool](doc="Without effect here.", default=False)  # noqa: N815
    requiredTemplateFraction = Field[float](  # noqa: N815
        doc="Least fraction of the template with data.", default=0.1
    )
    kernelSnr = Field[float](doc="Least significance of a star for the kernel.", default=25.0)  # noqa: N815


class AlardLuptonSubtractTask(pipe_base.PipelineTask):
    """Convolve the sharper image to match the other, subtract, and decorrelate the noise."""

    ConfigClass = AlardLuptonSubtractConfig
    _DefaultName: ClassVar[str] = "subtractImages"

    def runQuantum(self, butlerQC: Any, inputRefs: Any, outputRefs: Any) -> None:  # noqa: N802, N803
        """Read, run and write; there are no partial outputs."""
        inputs = butlerQC.get(inputRefs)
        try:
            result = self.run(**inputs)
        except pipe_base.AlgorithmError as error:
            raise pipe_base.AnnotatedPartialOutputsError.annotate(error, self, log=self.log) from error
        butlerQC.put(result, outputRefs)

    def run(self, template: Exposure, science: Exposure, sources: Table) -> pipe_base.Struct:
        """Return the difference, the subtracted template and the matching kernel."""
        if template.good.mean() < self.config.requiredTemplateFraction:
            raise pipe_base.NoWorkFound(f"only {template.good.mean():.0%} of the template has data")
        bright = sources[sources["pointlike"] & (sources["snr"] > self.config.kernelSnr)]
        places = np.array([bright["x"], bright["y"]], float).T
        result = subtract(science, template, places)
        if result is None:
            raise SandboxAlgorithmError(f"{len(bright)} stars are too few for a kernel", n_stars=len(bright))
        matching = result.matching
        self.metadata["spatialKernelSum"] = matching.scale
        self.metadata["kernelChi2"] = matching.chi2
        self.metadata["convolved"] = result.convolved
        self.metadata["templatePsfSize"], self.metadata["sciencePsfSize"] = (
            width(image.star) for image in (template, science)
        )
        self.log.info(
            "Convolved the %s; kernel sum %.3f, chi squared %.2f from %d stars.",
            result.convolved,
            matching.scale,
            matching.chi2,
            int(matching.used.sum()),
        )
        return pipe_base.Struct(
            difference=result.difference,
            matchedTemplate=result.template,
            psfMatchingKernel={
                "sum": matching.scale,
                "convolved": result.convolved,
                "kernel": matching.kernel.tolist(),
                "background": matching.background.tolist(),
            },
            kernelSources=bright[matching.used],
        )


class DetectAndMeasureConnections(
    pipe_base.PipelineTaskConnections, dimensions=IVD, defaultTemplates=_TEMPLATES
):
    """As the real task's with its default options."""

    science = Input(name="{fakesType}calexp", storageClass="ExposureF", dimensions=IVD)
    matchedTemplate = Input(  # noqa: N815
        name="{fakesType}{coaddName}Diff_matchedExp", storageClass="ExposureF", dimensions=IVD
    )
    difference = Input(
        name="{fakesType}{coaddName}Diff_differenceTempExp", storageClass="ExposureF", dimensions=IVD
    )
    kernelSources = Input(  # noqa: N815
        name="{fakesType}{coaddName}Diff_psfMatchSources", storageClass="SourceCatalog", dimensions=IVD
    )
    outputSchema = InitOutput(  # noqa: N815
        name="{fakesType}{coaddName}Diff_diaSrc_schema", storageClass="SourceCatalog"
    )
    diaSources = Output(  # noqa: N815
        name="{fakesType}{coaddName}Diff_diaSrc", storageClass="SourceCatalog", dimensions=IVD
    )
    subtractedMeasuredExposure = Output(  # noqa: N815
        name="{fakesType}{coaddName}Diff_differenceExp", storageClass="ExposureF", dimensions=IVD
    )
    maskedStreaks = Output(  # noqa: N815
        name="{fakesType}{coaddName}Diff_streaks", storageClass="ArrowNumpyDict", dimensions=IVD
    )
    glintTrailInfo = Output(  # noqa: N815
        name="trailed_glints", storageClass="ArrowNumpyDict", dimensions=IVD
    )

    def __init__(self, *, config: Any = None) -> None:
        if not config.writeStreakInfo:
            del self.maskedStreaks


class DetectAndMeasureConfig(pipe_base.PipelineTaskConfig, pipelineConnections=DetectAndMeasureConnections):
    """The options of the real task that the pipelines set."""

    idGenerator = ConfigField[IdGeneratorConfig](dtype=IdGeneratorConfig, doc="Identifiers.")  # noqa: N815
    doSkySources = Field[bool](doc="Add measurements of empty sky?", default=False)  # noqa: N815
    writeStreakInfo = Field[bool](doc="Write the streaks that were masked?", default=False)  # noqa: N815
    threshold = Field[float](doc="Detection threshold, sigma.", default=5.0)
    nSkySources = Field[int](doc="Measurements of empty sky.", default=5)  # noqa: N815


class DetectAndMeasureTask(pipe_base.PipelineTask):
    """Detect and measure sources that are brighter or fainter than in the template."""

    ConfigClass = DetectAndMeasureConfig
    _DefaultName: ClassVar[str] = "detectAndMeasure"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        names, types = zip(*DIA_COLUMNS, strict=True)
        self.outputSchema = Table(names=names, dtype=types)

    def run(
        self,
        science: Exposure,
        matchedTemplate: Exposure,  # noqa: N803
        difference: Exposure,
        **_unused: Any,
    ) -> pipe_base.Struct:
        """Return the catalogue, in the order of y, and the difference with calibrated variance."""
        measured = calibrated_variance(difference)
        images = measured, science, matchedTemplate
        places = detect(measured, self.config.threshold)
        rows = [measure_at(*images, *place, move=True) | {"sky_source": False} for place in places]
        if self.config.doSkySources:
            rows += self._sky_sources(images, places)
        info = science.circumstances
        start = first_id(self.config.idGenerator.release_id, info.visit, info.detector)
        catalogue = self.outputSchema.copy()
        for index, row in enumerate(row for row in rows if np.isfinite(row["flux"])):
            ra, dec = measured.sky.to_sky(row["x"], row["y"])
            catalogue.add_row({"id": start + index, "ra": float(ra), "dec": float(dec), **row})
        self.metadata["nMergedDiaSources"] = len(places)
        self.metadata["nGoodPixels"] = int(measured.good.sum())
        self.log.info("%d sources in the difference.", len(places))
        glints = {"visit": np.zeros(0, np.int64), "length": np.zeros(0)}
        return pipe_base.Struct(
            diaSources=catalogue,
            subtractedMeasuredExposure=measured,
            glintTrailInfo=glints,
            maskedStreaks=glints,
        )

    def _sky_sources(
        self, images: tuple[Exposure, Exposure, Exposure], places: list[tuple[int, int, bool]]
    ) -> list[dict[str, Any]]:
        info, box = images[1].circumstances, images[0].box
        rng = np.random.default_rng([info.visit, info.detector])
        rows: list[dict[str, Any]] = []
        for _ in range(20 * self.config.nSkySources):
            x, y = rng.uniform(10, box.width - 10), rng.uniform(10, box.height - 10)
            if all(abs(x - x0) + abs(y - y0) > 8 for x0, y0, _ in places):
                rows.append(measure_at(*images, x, y, negative=False, move=False) | {"sky_source": True})
            if len(rows) == self.config.nSkySources:
                break
        return rows
