"""Stand-ins for the tasks that make templates from calibrated exposures.

Labels and classes: ``makeDirectWarp``, ``makePsfMatchedWarp`` and ``assembleTemplateCoadd``
(``MakeDirectWarpTask``, ``MakePsfMatchedWarpTask`` and ``CompareWarpAssembleCoaddTask`` of
``lsst.drp.tasks``).
"""

__all__ = [
    "PATCH",
    "CompareWarpAssembleCoaddTask",
    "MakeDirectWarpTask",
    "MakePsfMatchedWarpTask",
    "find_patch",
    "skymap_input",
]

from typing import Any, ClassVar

import lsst.pipe.base as pipe_base
import numpy as np
from lsst.pex.config import ConfigField, Field, ListField
from lsst.pipe.base.connectionTypes import Input, Output

from ..exposure import MASKED, Exposure
from ..science import coaddition
from ..skymap import Patch, RingsSkyMap
from .calibrate import IdGeneratorConfig

PATCH = ("skymap", "tract", "patch")
WARP = (*PATCH, "instrument", "visit")


def skymap_input() -> Any:
    """Make the input connection of the skymap."""
    return Input(name="skyMap", storageClass="SkyMap", dimensions=("skymap",))


def find_patch(skymap: RingsSkyMap, data_id: Any) -> Patch:
    """Return the patch of a data ID."""
    tract, patch = int(data_id["tract"]), int(data_id["patch"])
    return skymap.tract(tract).patches[patch]


class MakeDirectWarpConnections(
    pipe_base.PipelineTaskConnections, dimensions=WARP, defaultTemplates={"coaddName": "deep"}
):
    """As the real task's."""

    calexp_list = Input(
        name="calexp",
        storageClass="ExposureF",
        dimensions=("instrument", "visit", "detector"),
        multiple=True,
        deferLoad=True,
    )
    visit_summary = Input(
        name="finalVisitSummary", storageClass="ExposureCatalog", dimensions=("instrument", "visit")
    )
    sky_map = skymap_input()
    warp = Output(name="{coaddName}Coadd_directWarp", storageClass="ExposureF", dimensions=WARP)
    masked_fraction_warp = Output(
        name="{coaddName}Coadd_directWarp_maskedFraction", storageClass="ImageF", dimensions=WARP
    )


class MakeDirectWarpConfig(pipe_base.PipelineTaskConfig, pipelineConnections=MakeDirectWarpConnections):
    """The options of the real task that the pipelines set."""

    useVisitSummaryPsf = Field[bool](doc="Without effect here.", default=True)  # noqa: N815
    idGenerator = ConfigField[IdGeneratorConfig](dtype=IdGeneratorConfig, doc="Identifiers.")  # noqa: N815


class MakeDirectWarpTask(pipe_base.PipelineTask):
    """Resample the detectors of a visit to the pixels of a patch."""

    ConfigClass = MakeDirectWarpConfig
    _DefaultName: ClassVar[str] = "makeDirectWarp"

    def runQuantum(self, butlerQC: Any, inputRefs: Any, outputRefs: Any) -> None:  # noqa: N802, N803
        """Read, run and write, with the patch of this quantum."""
        inputs = butlerQC.get(inputRefs)
        patch = find_patch(inputs["sky_map"], butlerQC.quantum.dataId)
        butlerQC.put(self.run(inputs["calexp_list"], patch), outputRefs)

    def run(self, calexp_list: list[Any], patch: Patch) -> pipe_base.Struct:
        """Return the warp; it may be empty where detectors hardly touch the patch."""
        exposures = [handle.get() for handle in calexp_list if handle.get(component="wcs") is not None]
        if not exposures:
            raise pipe_base.NoWorkFound("no calibrated detector of this visit is on this patch")
        box, wcs = patch.coarse(exposures[0].sky.scale)
        warp = coaddition.direct_warp(exposures, wcs, box)
        seen = (warp.mask & MASKED) == 0
        self.metadata["seenFraction"] = float(seen.mean())
        return pipe_base.Struct(warp=warp, masked_fraction_warp=(~warp.good).astype(np.float32))


class MakePsfMatchedWarpConnections(
    pipe_base.PipelineTaskConnections, dimensions=WARP, defaultTemplates={"coaddName": "deep"}
):
    """As the real task's."""

    sky_map = skymap_input()
    direct_warp = Input(name="{coaddName}Coadd_directWarp", storageClass="ExposureF", dimensions=WARP)
    psf_matched_warp = Output(
        name="{coaddName}Coadd_psfMatchedWarp", storageClass="ExposureF", dimensions=WARP
    )


class MakePsfMatchedWarpConfig(
    pipe_base.PipelineTaskConfig, pipelineConnections=MakePsfMatchedWarpConnections
):
    """The width that all warps are matched to."""

    modelPsfSigma = Field[float](doc="Width of the common star, pixels.", default=2.6)  # noqa: N815


class MakePsfMatchedWarpTask(pipe_base.PipelineTask):
    """Convolve a warp so that its stars have the common width."""

    ConfigClass = MakePsfMatchedWarpConfig
    _DefaultName: ClassVar[str] = "makePsfMatchedWarp"

    def run(self, direct_warp: Exposure, **_unused: Any) -> pipe_base.Struct:
        """Return the convolved warp; one that is already wider is sharpened a little."""
        return pipe_base.Struct(
            psf_matched_warp=coaddition.matched_warp(direct_warp, self.config.modelPsfSigma)
        )


class CompareWarpAssembleCoaddConnections(
    pipe_base.PipelineTaskConnections,
    dimensions=(*PATCH, "band"),
    defaultTemplates={
        "inputCoaddName": "deep",
        "outputCoaddName": "deep",
        "warpType": "direct",
        "warpTypeSuffix": "",
    },
):
    """As the real task's with the options that the pipelines set."""

    inputWarps = Input(  # noqa: N815
        name="{inputCoaddName}Coadd_{warpType}Warp",
        storageClass="ExposureF",
        dimensions=WARP,
        deferLoad=True,
        multiple=True,
    )
    skyMap = skymap_input()  # noqa: N815
    selectedVisits = Input(  # noqa: N815
        name="{outputCoaddName}Visits",
        storageClass="StructuredDataDict",
        dimensions=(*PATCH, "band", "instrument"),
    )
    psfMatchedWarps = Input(  # noqa: N815
        name="{inputCoaddName}Coadd_psfMatchedWarp",
        storageClass="ExposureF",
        dimensions=(*PATCH, "visit"),
        deferLoad=True,
        multiple=True,
    )
    coaddExposure = Output(  # noqa: N815
        name="{outputCoaddName}Coadd{warpTypeSuffix}", storageClass="ExposureF", dimensions=(*PATCH, "band")
    )
    nImage = Output(  # noqa: N815
        name="{outputCoaddName}Coadd_nImage", storageClass="ImageU", dimensions=(*PATCH, "band")
    )

    def __init__(self, *, config: Any = None) -> None:
        if not config.doNImage:
            del self.nImage
        if not config.doSelectVisits:
            del self.selectedVisits


class CompareWarpAssembleCoaddConfig(
    pipe_base.PipelineTaskConfig, pipelineConnections=CompareWarpAssembleCoaddConnections
):
    """The options of the real task that the pipelines set."""

    doSelectVisits = Field[bool](doc="Use the selection?", default=False)  # noqa: N815
    doNImage = Field[bool](doc="Write the number of inputs of each pixel?", default=False)  # noqa: N815
    doOnlineForMean = Field[bool](doc="Without effect here.", default=False)  # noqa: N815
    maxFractionEpochsHigh = Field[float](  # noqa: N815
        doc="A difference from the static sky in more of the visits is not an artefact.", default=0.03
    )
    badMaskPlanes = ListField[str](doc="Without effect here.", default=["NO_DATA"])  # noqa: N815
    prefilterArtifactsMaskPlanes = ListField[str](  # noqa: N815
        doc="Without effect here.", default=["NO_DATA"]
    )
    clip = Field[float](doc="Least difference of an artefact from the static sky, sigma.", default=5.0)
    contrast = Field[float](doc="Least brightness relative to a star at the same place.", default=0.7)


class CompareWarpAssembleCoaddTask(pipe_base.PipelineTask):
    """Average the direct warps, without artefacts found by comparing the PSF-matched ones."""

    ConfigClass = CompareWarpAssembleCoaddConfig
    _DefaultName: ClassVar[str] = "compareWarpAssembleCoadd"

    def run(
        self,
        inputWarps: list[Any],  # noqa: N803
        psfMatchedWarps: list[Any],  # noqa: N803
        selectedVisits: dict[Any, bool] | None = None,  # noqa: N803
        **_unused: Any,
    ) -> pipe_base.Struct:
        """Return the coadd and the number of exposures in each of its pixels."""
        chosen = None if selectedVisits is None else {int(visit) for visit in selectedVisits}
        direct = _by_visit(inputWarps, chosen)
        matched = _by_visit(psfMatchedWarps, set(direct))
        if not direct or set(direct) != set(matched):
            raise pipe_base.NoWorkFound("no warp of a chosen visit covers this patch")
        config = self.config
        coadd, number, clipped = coaddition.clipped_coadd(
            direct, matched, config.clip, config.contrast, config.maxFractionEpochsHigh
        )
        self.metadata["nInputs"] = len(direct)
        self.metadata["artefactFraction"] = clipped
        self.log.info("Averaged %d visits; %.2f %% of the pixels clipped.", len(direct), 100 * clipped)
        return pipe_base.Struct(coaddExposure=coadd, nImage=number)


def _by_visit(handles: list[Any], chosen: set[int] | None) -> dict[int, Exposure]:
    return {
        handle.dataId["visit"]: handle.get()
        for handle in handles
        if chosen is None or handle.dataId["visit"] in chosen
    }
