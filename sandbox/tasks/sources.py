"""Stand-ins for the tasks between detection and association: filters, reliability, rows for the APDB.

Labels and classes: ``filterDiaSource`` (``FilterDiaSourceCatalogTask``), ``filterDiaSourcePostReliability``
(``FilterDiaSourceReliabilityTask``) and ``standardizeDiaSource`` (``TransformDiaSourceCatalogTask``), of
``lsst.ap.association``; ``computeReliability`` (``lsst.meas.transiNet.RBTransiNetTask``).
"""

__all__ = [
    "FilterDiaSourceCatalogTask",
    "FilterDiaSourceReliabilityTask",
    "RBTransiNetTask",
    "TransformDiaSourceCatalogTask",
]

from typing import Any, ClassVar

import lsst.pipe.base as pipe_base
import numpy as np
from astropy.table import Table
from astropy.time import Time
from lsst.pex.config import Field
from lsst.pipe.base.connectionTypes import InitInput, Input, Output, PrerequisiteInput

from ..exposure import Exposure, VisitInfo
from ..science.reliability import reliability
from .calibrate import IVD

_TEMPLATES = {"coaddName": "deep", "fakesType": ""}


class FilterDiaSourceCatalogConnections(
    pipe_base.PipelineTaskConnections, dimensions=IVD, defaultTemplates=_TEMPLATES
):
    """As the real task's."""

    diaSourceCat = Input(  # noqa: N815
        name="{fakesType}{coaddName}Diff_diaSrc", storageClass="SourceCatalog", dimensions=IVD
    )
    diffImVisitInfo = Input(  # noqa: N815
        name="{fakesType}{coaddName}Diff_differenceExp.visitInfo", storageClass="VisitInfo", dimensions=IVD
    )
    filteredDiaSourceCat = Output(  # noqa: N815
        name="{fakesType}{coaddName}Diff_candidateDiaSrc", storageClass="SourceCatalog", dimensions=IVD
    )
    rejectedDiaSources = Output(  # noqa: N815
        name="{fakesType}{coaddName}Diff_rejectedDiaSrc", storageClass="SourceCatalog", dimensions=IVD
    )
    longTrailedSources = Output(  # noqa: N815
        name="{fakesType}{coaddName}Diff_longTrailedSrc", storageClass="ArrowAstropy", dimensions=IVD
    )


class FilterDiaSourceCatalogConfig(
    pipe_base.PipelineTaskConfig, pipelineConnections=FilterDiaSourceCatalogConnections
):
    """The options of the real task that the pipelines set."""

    doRemoveSkySources = Field[bool](doc="Drop measurements of empty sky?", default=False)  # noqa: N815


class FilterDiaSourceCatalogTask(pipe_base.PipelineTask):
    """Drop the measurements of empty sky; nothing in this sky moves fast enough to leave a trail."""

    ConfigClass = FilterDiaSourceCatalogConfig
    _DefaultName: ClassVar[str] = "filterDiaSourceCatalog"

    def run(self, diaSourceCat: Table, diffImVisitInfo: VisitInfo) -> pipe_base.Struct:  # noqa: N803
        """Return the sources that are kept, and those that are not."""
        rejected = diaSourceCat["sky_source"] & self.config.doRemoveSkySources
        self.metadata["nRemovedSkySources"] = int(rejected.sum())
        return pipe_base.Struct(
            filteredDiaSourceCat=diaSourceCat[~rejected],
            rejectedDiaSources=diaSourceCat[rejected],
            longTrailedSources=diaSourceCat[:0],
        )


class RBTransiNetConnections(pipe_base.PipelineTaskConnections, dimensions=IVD, defaultTemplates=_TEMPLATES):
    """As the real task's."""

    template = Input(name="{fakesType}{coaddName}Diff_templateExp", storageClass="ExposureF", dimensions=IVD)
    science = Input(name="{fakesType}calexp", storageClass="ExposureF", dimensions=IVD)
    difference = Input(
        name="{fakesType}{coaddName}Diff_differenceExp", storageClass="ExposureF", dimensions=IVD
    )
    diaSources = Input(  # noqa: N815
        name="{fakesType}{coaddName}Diff_candidateDiaSrc", storageClass="SourceCatalog", dimensions=IVD
    )
    pretrainedModel = PrerequisiteInput(  # noqa: N815
        name="pretrainedModelPackage", storageClass="NNModelPackagePayload", dimensions=()
    )
    classifications = Output(
        name="{fakesType}{coaddName}RealBogusSources", storageClass="Catalog", dimensions=IVD
    )

    def __init__(self, *, config: Any = None) -> None:
        if config.modelPackageStorageMode != "butler":
            del self.pretrainedModel


class RBTransiNetConfig(pipe_base.PipelineTaskConfig, pipelineConnections=RBTransiNetConnections):
    """The options of the real task that the pipelines set."""

    modelPackageStorageMode = Field[str](doc="Where the model is.", default="neighbor")  # noqa: N815


class RBTransiNetTask(pipe_base.PipelineTask):
    """Score each source by its shape and surroundings, from 0 to 1; not with a neural network."""

    ConfigClass = RBTransiNetConfig
    _DefaultName: ClassVar[str] = "rbTransiNet"

    def run(self, diaSources: Table, **_unused: Any) -> pipe_base.Struct:  # noqa: N803
        """Return a row for each source, in the same order."""
        score = reliability({name: diaSources[name] for name in diaSources.colnames})
        scores = Table({"id": diaSources["id"], "score": score})
        return pipe_base.Struct(classifications=scores)


class FilterDiaSourceReliabilityConnections(
    pipe_base.PipelineTaskConnections, dimensions=IVD, defaultTemplates=_TEMPLATES
):
    """As the real task's."""

    diaSourceCat = Input(  # noqa: N815
        name="{fakesType}{coaddName}Diff_candidateDiaSrc", storageClass="SourceCatalog", dimensions=IVD
    )
    reliability = Input(name="{fakesType}{coaddName}RealBogusSources", storageClass="Catalog", dimensions=IVD)
    filteredDiaSources = Output(  # noqa: N815
        name="dia_source_high_reliability", storageClass="SourceCatalog", dimensions=IVD
    )
    rejectedDiaSources = Output(  # noqa: N815
        name="dia_source_low_reliability", storageClass="SourceCatalog", dimensions=IVD
    )


class FilterDiaSourceReliabilityConfig(
    pipe_base.PipelineTaskConfig, pipelineConnections=FilterDiaSourceReliabilityConnections
):
    """The options of the real task that the pipelines set."""

    minReliability = Field[float](doc="Lowest score to keep.", default=0.0)  # noqa: N815


class FilterDiaSourceReliabilityTask(pipe_base.PipelineTask):
    """Split the sources by their score."""

    ConfigClass = FilterDiaSourceReliabilityConfig
    _DefaultName: ClassVar[str] = "filterDiaSourceReliability"

    def run(self, diaSourceCat: Table, reliability: Table) -> pipe_base.Struct:  # noqa: N803
        """Return the sources with their score, in those above and those below the threshold."""
        scored = diaSourceCat.copy()
        scored["reliability"] = reliability["score"]
        good = np.asarray(scored["reliability"]) >= self.config.minReliability
        return pipe_base.Struct(filteredDiaSources=scored[good], rejectedDiaSources=scored[~good])


class TransformDiaSourceCatalogConnections(
    pipe_base.PipelineTaskConnections, dimensions=IVD, defaultTemplates=_TEMPLATES
):
    """As the real task's."""

    diaSourceSchema = InitInput(  # noqa: N815
        name="{fakesType}{coaddName}Diff_diaSrc_schema", storageClass="SourceCatalog"
    )
    diaSourceCat = Input(  # noqa: N815
        name="{fakesType}{coaddName}Diff_candidateDiaSrc", storageClass="SourceCatalog", dimensions=IVD
    )
    diffIm = Input(  # noqa: N815
        name="{fakesType}{coaddName}Diff_differenceExp", storageClass="ExposureF", dimensions=IVD
    )
    diaSourceTable = Output(  # noqa: N815
        name="{fakesType}{coaddName}Diff_diaSrcTable", storageClass="ArrowAstropy", dimensions=IVD
    )


class TransformDiaSourceCatalogConfig(
    pipe_base.PipelineTaskConfig, pipelineConnections=TransformDiaSourceCatalogConnections
):
    """The options of the real task that the pipelines set."""

    doRemoveSkySources = Field[bool](doc="Drop measurements of empty sky?", default=False)  # noqa: N815
    doUseSchema = Field[bool](doc="Without effect here.", default=False)  # noqa: N815
    schemaFile = Field[str](doc="Without effect here.", default="apdb.yaml")  # noqa: N815


class TransformDiaSourceCatalogTask(pipe_base.PipelineTask):
    """Convert the sources to the columns of the APDB's table ``DiaSource``."""

    ConfigClass = TransformDiaSourceCatalogConfig
    _DefaultName: ClassVar[str] = "transformDiaSourceCatalog"

    def run(self, diaSourceCat: Table, diffIm: Exposure, **_unused: Any) -> pipe_base.Struct:  # noqa: N803
        """Return the table; ``diaObjectId`` is zero until the association."""
        catalogue = diaSourceCat
        if self.config.doRemoveSkySources:
            catalogue = catalogue[~catalogue["sky_source"]]
        info, number = diffIm.circumstances, len(catalogue)
        # The error of a star's position is its width over its significance.
        pixels = np.asarray(catalogue["psf_sigma"] / np.maximum(catalogue["snr"], 1))
        error = pixels * diffIm.sky.scale / 3600
        moment = (np.asarray(catalogue["psf_sigma"]) ** 2).astype(np.float32)
        columns = {
            "diaSourceId": np.asarray(catalogue["id"], np.int64),
            "visit": np.full(number, info.visit, np.int64),
            "detector": np.full(number, info.detector, np.int16),
            "diaObjectId": np.zeros(number, np.int64),
            "midpointMjdTai": np.full(number, info.mjd),
            "exposureTime": np.full(number, info.exposure_time, np.float32),
            "ra": catalogue["ra"],
            "raErr": np.asarray(error, np.float32),
            "dec": catalogue["dec"],
            "decErr": np.asarray(error, np.float32),
            "x": np.asarray(catalogue["x"], np.float32),
            "y": np.asarray(catalogue["y"], np.float32),
            "xErr": np.asarray(pixels, np.float32),
            "yErr": np.asarray(pixels, np.float32),
            "centroid_flag": ~np.asarray(catalogue["converged"], bool),
            "apFlux": np.asarray(catalogue["ap_flux"], np.float32),
            "apFluxErr": np.asarray(catalogue["ap_flux_err"], np.float32),
            "isNegative": catalogue["negative"],
            "snr": np.asarray(catalogue["snr"], np.float32),
            "psfFlux": np.asarray(catalogue["flux"], np.float32),
            "psfFluxErr": np.asarray(catalogue["flux_err"], np.float32),
            "psfChi2": np.asarray(catalogue["chi2"] * catalogue["n_pixels"], np.float32),
            "psfNdata": np.asarray(catalogue["n_pixels"], np.int32),
            "psfFlux_flag": np.zeros(number, bool),
            "trailNdata": np.zeros(number, np.int32),
            "trailLength": np.zeros(number, np.float32),
            "dipoleNdata": np.zeros(number, np.int32),
            "scienceFlux": np.asarray(catalogue["science_flux"], np.float32),
            "scienceFluxErr": np.asarray(catalogue["science_flux_err"], np.float32),
            "templateFlux": np.asarray(catalogue["template_flux"], np.float32),
            "templateFluxErr": np.asarray(catalogue["template_flux_err"], np.float32),
            "ixx": moment,
            "iyy": moment,
            "ixy": np.zeros(number, np.float32),
            "reliability": np.asarray(catalogue["reliability"], np.float32),
            "band": np.full(number, info.band, "U1"),
            "isDipole": np.zeros(number, bool),
            "timeProcessedMjdTai": np.full(number, Time.now().tai.mjd),
            "bboxSize": np.full(number, 9, np.int32),
        }
        return pipe_base.Struct(diaSourceTable=Table(columns))
