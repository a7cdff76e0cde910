"""Stand-ins for the tasks that make tables of a visit from those of its detectors.

Labels and classes: ``consolidateVisitSummary`` (``ConsolidateVisitSummaryTask``),
``consolidateDiaSourceTable`` and ``consolidatePromptSource`` (``ConsolidateSourceTableTask``) and
``standardizePromptSource`` (``TransformSourceTableTask``), of ``lsst.pipe.tasks.postprocess``;
``splitPromptSource`` (``lsst.pipe.tasks.split_primary.SplitPrimaryTask``).
"""

__all__ = [
    "ConsolidateSourceTableTask",
    "ConsolidateVisitSummaryTask",
    "SplitPrimaryTask",
    "TransformSourceTableTask",
]

from dataclasses import asdict, fields, replace
from typing import Any, ClassVar

import lsst.pipe.base as pipe_base
import numpy as np
from astropy.table import Table, vstack
from lsst.pex.config import Field, ListField
from lsst.pipe.base.connectionTypes import InitOutput, Input, Output, PrerequisiteInput

from ..geometry import TangentWcs

_SUMMARY = ("psfSigma", "pixelScale", "zeroPoint")
_PROJECTION = tuple(each.name for each in fields(TangentWcs))
IV, IVD = ("instrument", "visit"), ("instrument", "visit", "detector")


class ConsolidateVisitSummaryConnections(pipe_base.PipelineTaskConnections, dimensions=IV):
    """As the real task's."""

    camera = PrerequisiteInput(
        name="camera", storageClass="Camera", dimensions=("instrument",), isCalibration=True
    )
    calexp = Input(name="calexp", storageClass="ExposureF", dimensions=IVD, deferLoad=True, multiple=True)
    visitSummary = Output(name="visitSummary", storageClass="ExposureCatalog", dimensions=IV)  # noqa: N815
    visit_geometry = Output(name="visit_geometry", storageClass="VisitGeometry", dimensions=IV)
    visitSummarySchema = InitOutput(name="visitSummary_schema", storageClass="ExposureCatalog")  # noqa: N815


class ConsolidateVisitSummaryConfig(
    pipe_base.PipelineTaskConfig, pipelineConnections=ConsolidateVisitSummaryConnections
):
    """No options."""


class ConsolidateVisitSummaryTask(pipe_base.PipelineTask):
    """Collect the summary statistics of a visit's detectors."""

    ConfigClass = ConsolidateVisitSummaryConfig
    _DefaultName: ClassVar[str] = "consolidateVisitSummary"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.visitSummarySchema = Table(names=("id", "visit", *_SUMMARY))

    def run(self, calexp: list[Any], **_unused: Any) -> pipe_base.Struct:
        """Return a row for each detector, sorted by ID; what one that is not calibrated lacks is NaN."""
        rows, geometry = [], {}
        for handle in sorted(calexp, key=lambda handle: handle.dataId["detector"]):
            info, summary = handle.get(component="visitInfo"), handle.get(component="summaryStats")
            box, wcs = handle.get(component="bbox"), handle.get(component="wcs")
            projection = dict.fromkeys(_PROJECTION, np.nan) if wcs is None else asdict(wcs)
            rows.append(
                {"id": info.detector, "visit": info.visit, "mjd": info.mjd}
                | dict.fromkeys(_SUMMARY, np.nan)
                | summary
                | {"width": box.width, "height": box.height}
                | {f"wcs_{name}": value for name, value in projection.items()}
            )
            if wcs is not None:
                geometry[str(info.detector)] = projection
        return pipe_base.Struct(visitSummary=Table(rows), visit_geometry=geometry)


class ConsolidateSourceTableConnections(pipe_base.PipelineTaskConnections, dimensions=IV):
    """As the real task's."""

    inputCatalogs = Input(  # noqa: N815
        name="sourceTable", storageClass="ArrowAstropy", dimensions=IVD, multiple=True, deferLoad=True
    )
    outputCatalog = Output(name="sourceTable_visit", storageClass="ArrowAstropy", dimensions=IV)  # noqa: N815


class ConsolidateSourceTableConfig(
    pipe_base.PipelineTaskConfig, pipelineConnections=ConsolidateSourceTableConnections
):
    """No options."""


class ConsolidateSourceTableTask(pipe_base.PipelineTask):
    """Concatenate the tables of a visit's detectors."""

    ConfigClass = ConsolidateSourceTableConfig
    _DefaultName: ClassVar[str] = "consolidateSourceTable"

    def run(self, inputCatalogs: list[Any]) -> pipe_base.Struct:  # noqa: N803
        """Return the table of the visit."""
        tables = [handle.get() for handle in inputCatalogs]
        return pipe_base.Struct(outputCatalog=vstack(tables, metadata_conflicts="silent"))


class TransformSourceTableConnections(pipe_base.PipelineTaskConnections, dimensions=IVD):
    """As the real task's."""

    inputCatalog = Input(  # noqa: N815
        name="source", storageClass="DataFrame", dimensions=IVD, deferLoad=True
    )
    outputCatalog = Output(name="sourceTable", storageClass="ArrowAstropy", dimensions=IVD)  # noqa: N815


class TransformSourceTableConfig(
    pipe_base.PipelineTaskConfig, pipelineConnections=TransformSourceTableConnections
):
    """No options."""


class TransformSourceTableTask(pipe_base.PipelineTask):
    """Rename the columns to their published names."""

    ConfigClass = TransformSourceTableConfig
    _DefaultName: ClassVar[str] = "transformSourceTable"

    def run(self, inputCatalog: Any) -> pipe_base.Struct:  # noqa: N803
        """Return the table under its new names."""
        names = {"id": "sourceId", "flux": "psfFlux", "flux_err": "psfFluxErr"}
        return pipe_base.Struct(outputCatalog=inputCatalog.get().rename(columns=names))


class SplitPrimaryConnections(pipe_base.PipelineTaskConnections, dimensions=()):
    """As the real task's: the dimensions come from the configuration."""

    full = Input(name="full", storageClass="ArrowAstropy", dimensions=())
    primary = Output(name="primary", storageClass="ArrowAstropy", dimensions=())
    nonprimary = Output(name="nonprimary", storageClass="ArrowAstropy", dimensions=())

    def __init__(self, *, config: Any = None) -> None:
        self.dimensions = set(config.dimensions)
        for name in ("full", "primary", "nonprimary"):
            setattr(self, name, replace(getattr(self, name), dimensions=set(config.dimensions)))


class SplitPrimaryConfig(pipe_base.PipelineTaskConfig, pipelineConnections=SplitPrimaryConnections):
    """The options of the real task that the pipelines set."""

    dimensions = ListField[str](doc="Dimensions of the task and its datasets.", default=[])
    primary_flag_column = Field[str](doc="The flag of primary rows.", default="detect_isPrimary")
    discard_primary_columns = ListField[str](doc="Columns to drop.", default=[])
    discard_nonprimary_columns = ListField[str](doc="Columns to drop.", default=[])


class SplitPrimaryTask(pipe_base.PipelineTask):
    """Split a table by a flag."""

    ConfigClass = SplitPrimaryConfig
    _DefaultName: ClassVar[str] = "splitPrimary"

    def run(self, full: Table) -> pipe_base.Struct:
        """Return the primary rows and the others."""
        flag = full[self.config.primary_flag_column].astype(bool)
        parts = []
        for rows, discard in (
            (flag, self.config.discard_primary_columns),
            (~flag, self.config.discard_nonprimary_columns),
        ):
            part = full[rows]
            part.remove_columns([name for name in discard if name in part.colnames])
            parts.append(part)
        return pipe_base.Struct(primary=parts[0], nonprimary=parts[1])
