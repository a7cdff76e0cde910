"""Stand-in for ``selectTemplateCoaddVisits``: the visits of which a template is made.

It replaces ``BestSeeingQuantileSelectVisitsTask`` of ``lsst.pipe.tasks``.
"""

__all__ = ["BestSeeingQuantileSelectVisitsTask"]

from typing import Any, ClassVar

import lsst.pipe.base as pipe_base
import numpy as np
from lsst.pex.config import Field
from lsst.pipe.base.connectionTypes import Input, Output

from ..geometry import Box, TangentWcs, sky_polygon
from ..skymap import Patch
from .coadds import PATCH, find_patch, skymap_input


class BestSeeingSelectVisitsConnections(
    pipe_base.PipelineTaskConnections,
    dimensions=(*PATCH, "band", "instrument"),
    defaultTemplates={"coaddName": "goodSeeing", "calexpType": ""},
):
    """As the real task's."""

    skyMap = skymap_input()  # noqa: N815
    visitSummaries = Input(  # noqa: N815
        name="finalVisitSummary",
        storageClass="ExposureCatalog",
        dimensions=("instrument", "visit"),
        multiple=True,
        deferLoad=True,
    )
    goodVisits = Output(  # noqa: N815
        name="{coaddName}Visits",
        storageClass="StructuredDataDict",
        dimensions=(*PATCH, "band", "instrument"),
    )


class BestSeeingQuantileSelectVisitsConfig(
    pipe_base.PipelineTaskConfig, pipelineConnections=BestSeeingSelectVisitsConnections
):
    """The options of the real task."""

    qMin = Field[float](doc="Lower end of the range of quantiles.", default=0.0)  # noqa: N815
    qMax = Field[float](doc="Upper end of the range of quantiles.", default=0.33)  # noqa: N815
    nVisitsMin = Field[int](doc="Least number of visits to select, if there are.", default=6)  # noqa: N815
    maxPsfFwhm = Field[float](doc="Worst seeing, arcsec.", default=None, optional=True)  # noqa: N815
    minMJD = Field[float](doc="Earliest visit.", default=None, optional=True)  # noqa: N815
    maxMJD = Field[float](doc="Latest visit.", default=None, optional=True)  # noqa: N815
    doConfirmOverlap = Field[bool](doc="Only visits that overlap the patch.", default=True)  # noqa: N815


class BestSeeingQuantileSelectVisitsTask(pipe_base.PipelineTask):
    """Select the visits of best seeing that cover a patch."""

    ConfigClass = BestSeeingQuantileSelectVisitsConfig
    _DefaultName: ClassVar[str] = "bestSeeingQuantileSelectVisits"

    def runQuantum(self, butlerQC: Any, inputRefs: Any, outputRefs: Any) -> None:  # noqa: N802, N803
        """Read, run and write, with the patch of this quantum."""
        inputs = butlerQC.get(inputRefs)
        patch = find_patch(inputs["skyMap"], butlerQC.quantum.dataId)
        butlerQC.put(self.run(inputs["visitSummaries"], patch), outputRefs)

    def run(self, visitSummaries: list[Any], patch: Patch) -> pipe_base.Struct:  # noqa: N803
        """Return a mapping whose keys are the selected visits."""
        seeing: dict[int, float] = {}
        for handle in visitSummaries:
            table = handle.get()
            # The detectors that could be calibrated.
            table = table[np.isfinite(table["psfSigma"]) & np.isfinite(table["wcs_ra"])]
            if not len(table):
                continue
            fwhm = float(np.nanmedian(table["psfSigma"] * table["pixelScale"]) * np.sqrt(8 * np.log(2)))
            mjd, config = float(table["mjd"][0]), self.config
            if config.doConfirmOverlap and not any(_row_region(row).overlaps(patch.region) for row in table):
                continue
            if config.maxPsfFwhm is not None and fwhm > config.maxPsfFwhm:
                continue
            if not (config.minMJD or -np.inf) <= mjd <= (config.maxMJD or np.inf):
                continue
            seeing[int(table["visit"][0])] = fwhm
        ordered = sorted(seeing, key=lambda visit: (seeing[visit], visit))
        number = len(ordered)
        first = min(round(self.config.qMin * number), max(0, number - self.config.nVisitsMin))
        last = max(round(self.config.qMax * number), self.config.nVisitsMin)
        chosen = ordered[first:last]
        if not chosen:
            raise pipe_base.NoWorkFound("no visit is good enough")
        self.log.info("Chose %d of %d visits.", len(chosen), len(visitSummaries))
        return pipe_base.Struct(goodVisits=dict.fromkeys(chosen, True))


_WCS = ("ra", "dec", "x", "y", "scale", "rotation")


def _row_region(row: Any) -> Any:
    wcs = TangentWcs(*(float(row[f"wcs_{name}"]) for name in _WCS))
    return sky_polygon(wcs, Box(0, 0, int(row["width"]), int(row["height"])))
