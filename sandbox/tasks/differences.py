"""From an exposure and templates to the sources of the difference.

Stands in for ``GetTemplateTask``, ``AlardLuptonSubtractTask``, ``DetectAndMeasureTask`` and
``SpatiallySampledMetricsTask`` of ``lsst.ip.diffim``.
"""

__all__ = [
    "AlardLuptonSubtractTask",
    "DetectAndMeasureTask",
    "GetTemplateTask",
    "SpatiallySampledMetricsTask",
]

from itertools import pairwise
from typing import Any, ClassVar

import lsst.pipe.base as pipe_base
import numpy as np
from apcampaign.sandbox.exposure import Exposure
from apcampaign.sandbox.geometry import Box, TangentWcs
from apcampaign.sandbox.tasks import measure
from apcampaign.sandbox.tasks.calibrate import IVD, IdGeneratorConfig, first_id
from astropy.table import Table
from lsst.pex.config import ConfigField, Field
from lsst.pipe.base.connectionTypes import InitOutput, Input, Output

_TEMPLATES = {"coaddName": "deep", "warpTypeSuffix": "", "fakesType": ""}

DIA_COLUMNS = (
    ("id", int),
    ("x", float),
    ("y", float),
    ("ra", float),
    ("dec", float),
    ("flux", float),
    ("flux_err", float),
    ("science_flux", float),
    ("science_flux_err", float),
    ("template_flux", float),
    ("snr", float),
    ("psf_sigma", float),
    ("n_pixels", int),
    ("negative", bool),
    ("sky_source", bool),
)


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
    """Bring the coadds of the patches under a detector onto its pixels."""

    ConfigClass = GetTemplateConfig
    _DefaultName: ClassVar[str] = "getTemplate"

    def run(self, bbox: Box, wcs: TangentWcs, coaddExposures: list[Any], **_unused: Any) -> pipe_base.Struct:  # noqa: N803
        """Return the template; where patches overlap, the average."""
        shape = bbox.height, bbox.width
        image, variance, number = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        sigmas = []
        for handle in coaddExposures:
            part = measure.resample(handle.get(), wcs, bbox)
            if part.good.any():
                image += np.where(part.good, part.image, 0)
                variance += np.where(part.good, part.variance, 0)
                number += part.good
                sigmas.append(part.psf_sigma)
        if not sigmas:
            raise pipe_base.NoWorkFound("no template overlaps this detector")
        count = np.maximum(number, 1)
        blank = Exposure.blank(bbox.width, bbox.height, wcs=wcs, psf_sigma=float(np.mean(sigmas)))
        template = blank.with_pixels(
            image / count,
            # The overlapping patches are made of the same exposures.
            np.where(number > 0, variance / count, np.inf),
            mask=np.where(number > 0, 0, blank.mask),
        )
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
        doc="There is no work if less of the template has data.", default=0.1
    )


class AlardLuptonSubtractTask(pipe_base.PipelineTask):
    """Blur the sharper image until the stars are equally wide, and subtract."""

    ConfigClass = AlardLuptonSubtractConfig
    _DefaultName: ClassVar[str] = "subtractImages"

    def run(self, template: Exposure, science: Exposure, sources: Table) -> pipe_base.Struct:
        """Return the difference, the template as it was subtracted and the matching kernel."""
        if template.good.mean() < self.config.requiredTemplateFraction:
            raise pipe_base.NoWorkFound(f"only {template.good.mean():.0%} of the template has data")
        widths = {
            "template": self._width(template, sources),
            "science": self._width(science, sources),
        }
        target = max(widths.values())
        blurs = {name: float(np.sqrt(target**2 - width**2)) for name, width in widths.items()}
        matched = measure.smooth(template.image, blurs["template"])
        image = measure.smooth(science.image, blurs["science"])
        scale, used = self._flux_scale(sources, image, matched, template, target)
        good = template.good & science.good
        # An imperfect match leaves a part of each star behind; it must not look significant.
        variance = (
            science.variance + template.variance * scale**2 + (0.05 * measure.smooth(matched, 1.0)) ** 2
        )
        common = {"mask": np.where(good, 0, science.mask | template.mask).astype(np.uint8)}
        difference = science.with_pixels(
            np.where(good, image - scale * matched, 0.0),
            np.where(good, variance, np.inf),
            psf_sigma=target,
            **common,
        )
        self.metadata["spatialKernelSum"] = scale
        for name, width in widths.items():
            self.metadata[f"{name}PsfSize"] = width
        return pipe_base.Struct(
            difference=difference,
            matchedTemplate=template.with_pixels(scale * matched, template.variance, psf_sigma=target),
            psfMatchingKernel={"sum": scale, **{f"blur_{name}": blur for name, blur in blurs.items()}},
            kernelSources=used,
        )

    def _width(self, exposure: Exposure, sources: Table) -> float:
        """Return the width of the brightest stars as they are on this image."""
        brightest = sources[np.argsort(sources["flux"])[::-1][:20]]
        guess = exposure.psf_sigma
        places = [measure.centroid(exposure.image, star["x"], star["y"], guess) for star in brightest]
        widths = [measure.psf_width(exposure.image, x, y, guess) for x, y in places]
        return float(np.nanmedian(widths)) if np.isfinite(widths).any() else guess

    def _flux_scale(
        self, sources: Table, science: Any, matched: Any, template: Exposure, sigma: float
    ) -> tuple[float, Table]:
        """Return how much brighter the science image is: the median over the brighter stars."""
        ratios, rows = [], []
        for index, star in enumerate(sources):
            flux = measure.psf_flux(science, template.variance, star["x"], star["y"], sigma)[0]
            reference = measure.psf_flux(matched, template.variance, star["x"], star["y"], sigma)[0]
            if flux > 20_000 and reference > 20_000:
                ratios.append(flux / reference)
                rows.append(index)
        return (float(np.median(ratios)) if len(ratios) >= 3 else 1.0), sources[rows]


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
    threshold = Field[float](doc="Detection threshold, sigma.", default=8.0)
    nSkySources = Field[int](doc="Measurements of empty sky.", default=5)  # noqa: N815


class DetectAndMeasureTask(pipe_base.PipelineTask):
    """Find what is brighter or fainter than the template, and measure it."""

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
        """Return the catalogue, in the order of y, and the difference less its remaining background."""
        good = difference.good
        level, noise = measure.background(difference.image[good])
        image = np.where(good, difference.image - level, 0.0)
        sigma = difference.psf_sigma
        variance = np.where(good, np.maximum(difference.variance, noise**2), np.inf)
        # Of a star of this width, the error of the flux is that of a pixel times its effective number.
        error = np.sqrt(variance * 4 * np.pi) * sigma
        smoothed = measure.smooth(image, sigma)
        significance = smoothed * 4 * np.pi * sigma**2 / error
        significance[~good] = 0.0
        measured = difference.with_pixels(image, variance)
        places = [
            (x, y, sign)
            for sign in (1, -1)
            # Of a star in the template, the rim may be more significant than the middle.
            for x, y in measure.peaks(
                np.where(sign * significance > self.config.threshold, sign * smoothed, 0.0), 0.0, 3
            )
        ]
        rows = [self._measure(measured, science, matchedTemplate, *place) for place in places]
        if self.config.doSkySources:
            rows += self._sky_sources(measured, science, matchedTemplate, places)
        info = science.circumstances
        start = first_id(self.config.idGenerator.release_id, info.visit, info.detector)
        catalogue = self.outputSchema.copy()
        for index, row in enumerate(sorted(rows, key=lambda row: (row["y"], row["x"]))):
            catalogue.add_row({"id": start + index, **row})
        self.metadata["nMergedDiaSources"] = len(places)
        self.metadata["nGoodPixels"] = int(good.sum())
        self.log.info("%d sources in the difference.", len(places))
        glints = {"visit": np.zeros(0, np.int64), "length": np.zeros(0)}
        return pipe_base.Struct(
            diaSources=catalogue,
            subtractedMeasuredExposure=measured,
            glintTrailInfo=glints,
            maskedStreaks=glints,
        )

    def _measure(
        self, difference: Exposure, science: Exposure, template: Exposure, x: float, y: float, sign: int
    ) -> dict[str, Any]:
        sigma = difference.psf_sigma
        x, y = measure.centroid(sign * difference.image, x, y, sigma)
        ra, dec = difference.sky.to_sky(x, y)
        flux, error = measure.psf_flux(difference.image, difference.variance, x, y, sigma)
        science_flux, science_error = measure.psf_flux(
            science.image, science.variance, x, y, science.psf_sigma
        )
        template_flux, _ = measure.psf_flux(template.image, template.variance, x, y, template.psf_sigma)
        return {
            "x": x,
            "y": y,
            "ra": float(ra),
            "dec": float(dec),
            "flux": flux,
            "flux_err": error,
            "science_flux": science_flux,
            "science_flux_err": science_error,
            "template_flux": template_flux,
            "snr": abs(flux) / error,
            "psf_sigma": sigma,
            "n_pixels": round(4 * np.pi * sigma**2),
            "negative": sign < 0,
            "sky_source": False,
        }

    def _sky_sources(self, *images: Any) -> list[dict[str, Any]]:
        *exposures, places = images
        info, box = exposures[1].circumstances, exposures[0].box
        rng = np.random.default_rng([info.visit, info.detector])
        rows: list[dict[str, Any]] = []
        while len(rows) < self.config.nSkySources:
            x, y = rng.uniform(10, box.width - 10), rng.uniform(10, box.height - 10)
            if all(abs(x - x0) + abs(y - y0) > 8 for x0, y0, _ in places):
                rows.append(self._measure(*exposures, x, y, 1) | {"sky_source": True})
        return rows


class SpatiallySampledMetricsConnections(
    pipe_base.PipelineTaskConnections, dimensions=IVD, defaultTemplates=_TEMPLATES
):
    """As the real task's."""

    science = Input(name="{fakesType}calexp", storageClass="ExposureF", dimensions=IVD)
    template = Input(name="{fakesType}{coaddName}Diff_templateExp", storageClass="ExposureF", dimensions=IVD)
    difference = Input(
        name="{fakesType}{coaddName}Diff_differenceExp", storageClass="ExposureF", dimensions=IVD
    )
    diaSources = Input(  # noqa: N815
        name="{fakesType}dia_source_detector", storageClass="ArrowAstropy", dimensions=IVD
    )
    psfMatchingKernel = Input(  # noqa: N815
        name="{fakesType}{coaddName}Diff_psfMatchKernel", storageClass="MatchingKernel", dimensions=IVD
    )
    spatiallySampledMetrics = Output(  # noqa: N815
        name="{fakesType}{coaddName}Diff_spatiallySampledMetrics", storageClass="ArrowAstropy", dimensions=IVD
    )


class SpatiallySampledMetricsConfig(
    pipe_base.PipelineTaskConfig, pipelineConnections=SpatiallySampledMetricsConnections
):
    """How finely to sample."""

    cells = Field[int](doc="Cells along each side.", default=4)


class SpatiallySampledMetricsTask(pipe_base.PipelineTask):
    """Measure level and density in the cells of a grid."""

    ConfigClass = SpatiallySampledMetricsConfig
    _DefaultName: ClassVar[str] = "spatiallySampledMetrics"

    def run(
        self,
        science: Exposure,
        template: Exposure,
        difference: Exposure,
        diaSources: Table,  # noqa: N803
        **_unused: Any,
    ) -> pipe_base.Struct:
        """Return a row for each cell."""
        rows, box, cells = [], difference.box, self.config.cells
        x_edges = np.linspace(0, box.width, cells + 1).astype(int)
        y_edges = np.linspace(0, box.height, cells + 1).astype(int)
        for low, high in pairwise(y_edges):
            for left, right in pairwise(x_edges):
                cell = slice(low, high), slice(left, right)
                x, y = np.asarray(diaSources["x"]), np.asarray(diaSources["y"])
                inside = (x >= left) & (x < right) & (y >= low) & (y < high)
                rows.append(
                    {
                        "x": (left + right) / 2,
                        "y": (low + high) / 2,
                        "science_value": float(np.median(science.image[cell])),
                        "template_value": float(np.median(template.image[cell])),
                        "diffim_value": float(np.median(difference.image[cell])),
                        "source_density": float(inside.sum()),
                    }
                )
        return pipe_base.Struct(spatiallySampledMetrics=Table(rows))
