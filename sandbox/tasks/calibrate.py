"""Single-frame calibration.

Stands in for ``lsst.pipe.tasks.calibrateImage.CalibrateImageTask`` and
``lsst.drp.tasks.single_frame_detect_and_measure.SingleFrameDetectAndMeasureTask``.
"""

__all__ = ["CalibrateImageTask", "IdGeneratorConfig", "SingleFrameDetectAndMeasureTask", "first_id"]

from typing import Any, ClassVar

import lsst.pipe.base as pipe_base
import numpy as np
from apcampaign.sandbox.exposure import Exposure
from apcampaign.sandbox.tasks import measure
from astropy.table import Table, vstack
from lsst.pex.config import Config, ConfigField, Field, ListField
from lsst.pipe.base.connectionTypes import InitOutput, Input, Output, PrerequisiteInput

IVD = ("instrument", "visit", "detector")


class IdGeneratorConfig(Config):
    """What makes the identifiers of a release differ from another's."""

    release_id = Field[int](doc="The release.", default=0)


def first_id(release: int, visit: int, detector: int) -> int:
    """Return the first of the 10,000 identifiers of a detector's visit."""
    return ((release * 10**9 + visit) * 1000 + detector) * 10_000 + 1


def _output(name: str, storage_class: str) -> Any:
    return Output(name=name, storageClass=storage_class, dimensions=IVD)


class CalibrateImageConnections(pipe_base.PipelineTaskConnections, dimensions=IVD):
    """As the real task's, with imSim's reference catalogue."""

    astrometry_ref_cat = PrerequisiteInput(
        name="cal_ref_cat_2_2",
        storageClass="SimpleCatalog",
        dimensions=("skypix",),
        deferLoad=True,
        multiple=True,
    )
    photometry_ref_cat = PrerequisiteInput(
        name="cal_ref_cat_2_2",
        storageClass="SimpleCatalog",
        dimensions=("skypix",),
        deferLoad=True,
        multiple=True,
    )
    exposures = Input(
        name="postISRCCD",
        storageClass="Exposure",
        multiple=True,
        dimensions=("instrument", "exposure", "detector"),
    )
    initial_stars_schema = InitOutput(name="initial_stars_schema", storageClass="SourceCatalog")
    exposure = _output("initial_pvi", "ExposureF")
    stars = _output("initial_stars_detector", "ArrowAstropy")
    stars_footprints = _output("initial_stars_footprints_detector", "SourceCatalog")
    applied_photo_calib = _output("initial_photoCalib_detector", "PhotoCalib")
    background = _output("initial_pvi_background", "Background")
    psf_stars_footprints = _output("initial_psf_stars_footprints_detector", "SourceCatalog")
    psf_stars = _output("initial_psf_stars_detector", "ArrowAstropy")
    astrometry_matches = _output("initial_astrometry_match_detector", "Catalog")
    photometry_matches = _output("initial_photometry_match_detector", "Catalog")
    mask = _output("preliminary_visit_mask", "Mask")

    def __init__(self, *, config: Any = None) -> None:
        for name in (
            "psf_stars",
            "psf_stars_footprints",
            "astrometry_matches",
            "photometry_matches",
            "mask",
        ):
            if name not in config.optional_outputs:
                delattr(self, name)


class CalibrateImageConfig(pipe_base.PipelineTaskConfig, pipelineConnections=CalibrateImageConnections):
    """The options of the real task that the pipelines set."""

    optional_outputs = ListField[str](
        doc="Which outputs to write beside the necessary ones.",
        default=["psf_stars", "psf_stars_footprints", "astrometry_matches", "photometry_matches"],
    )
    id_generator = ConfigField[IdGeneratorConfig](dtype=IdGeneratorConfig, doc="Identifiers.")
    do_downsample_footprints = Field[bool](doc="Without effect here.", default=False)
    downsample_max_footprints = Field[int](doc="Without effect here.", default=1000)
    do_adaptive_threshold_detection = Field[bool](doc="Without effect here.", default=False)
    do_remeasure_star_background = Field[bool](doc="Without effect here.", default=True)
    doMaskDiffractionSpikes = Field[bool](doc="Without effect here.", default=False)  # noqa: N815
    threshold = Field[float](doc="Detection threshold, sigma.", default=10.0)


def measure_stars(exposure: Exposure, threshold: float, start: int) -> tuple[Table, float]:
    """Detect and measure the point sources of a background-free image.

    Returns
    -------
    stars, sigma
        A table (id, x, y, ra, dec, flux, flux_err), and the width of the point-spread function, pixels.
    """
    _, noise = measure.background(exposure.image)
    rough = measure.smooth(exposure.image, 1.5)
    found = measure.peaks(rough, threshold * noise / (2 * np.sqrt(np.pi) * 1.5))
    brightest = sorted(found, key=lambda place: -rough[place[1], place[0]])[:30]
    places = [(measure.centroid(exposure.image, x, y, 1.5)) for x, y in brightest]
    widths = [measure.psf_width(exposure.image, x, y, 1.5) for x, y in places]
    sigma = float(np.nanmedian(widths)) if np.isfinite(widths).any() else float("nan")
    if not np.isfinite(sigma):
        raise pipe_base.NoWorkFound("no star is good enough to measure the point-spread function")
    places = [measure.centroid(exposure.image, x, y, sigma) for x, y in found]
    fluxes = [measure.psf_flux(exposure.image, exposure.variance, x, y, sigma) for x, y in places]
    xs, ys = np.array(places).T
    ra, dec = exposure.sky.to_sky(xs, ys)
    flux, error = np.array(fluxes).T
    ids = np.arange(start, start + len(xs))
    return Table(dict(id=ids, x=xs, y=ys, ra=ra, dec=dec, flux=flux, flux_err=error)), sigma


class CalibrateImageTask(pipe_base.PipelineTask):
    """Subtract the background, measure stars and their width, and calibrate to nJy with the catalogue."""

    ConfigClass = CalibrateImageConfig
    _DefaultName: ClassVar[str] = "calibrateImage"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.initial_stars_schema = Table(names=("id", "x", "y", "ra", "dec", "flux", "flux_err"))

    def runQuantum(self, butlerQC: Any, inputRefs: Any, outputRefs: Any) -> None:  # noqa: N802, N803
        """Read, run and write, with the identifiers of this quantum."""
        inputs, data_id = butlerQC.get(inputRefs), butlerQC.quantum.dataId
        start = first_id(self.config.id_generator.release_id, data_id["visit"], data_id["detector"])
        butlerQC.put(self.run(**inputs, start=start), outputRefs)

    def run(
        self, exposures: list[Exposure], photometry_ref_cat: list[Any], start: int, **_unused: Any
    ) -> pipe_base.Struct:
        """Return the calibrated exposure and what was measured on the way."""
        raw = exposures[0]
        level, noise = measure.background(raw.image)
        exposure = raw.with_pixels(raw.image - level, raw.variance)
        stars, sigma = measure_stars(exposure, self.config.threshold, start)
        catalogue = vstack([handle.get() for handle in photometry_ref_cat])
        pairs = measure.match(
            stars["ra"], stars["dec"], catalogue["ra"], catalogue["dec"], 2 * exposure.sky.scale
        )
        matches = stars[pairs >= 0]
        if len(matches) < 3:
            raise pipe_base.NoWorkFound(f"{len(matches)} stars match the reference catalogue; 3 are needed")
        matches["ref_flux"] = catalogue[f"flux_{exposure.circumstances.band}"][pairs[pairs >= 0]]
        factor = float(np.median(matches["ref_flux"] / matches["flux"]))
        summary = {
            "psfSigma": sigma,
            # The real camera's scale: a miniature star is as many pixels wide as a real one.
            "pixelScale": 0.2,
            "skyBg": level,
            "skyNoise": noise,
            "zeroPoint": float(31.4 - 2.5 * np.log10(factor)),
            "nPsfStar": len(stars),
        }
        self.metadata["nStars"], self.metadata["nMatches"] = len(stars), len(matches)
        calibrated = exposure.with_pixels(
            exposure.image * factor, exposure.variance * factor**2, psf_sigma=sigma, summary=summary
        )
        for table in (stars, matches):
            table["flux"] *= factor
            table["flux_err"] *= factor
        self.log.info(
            "%d stars, sigma %.2f pixels, zero point %.2f.", len(stars), sigma, summary["zeroPoint"]
        )
        return pipe_base.Struct(
            exposure=calibrated,
            stars=stars,
            stars_footprints=stars,
            psf_stars=stars,
            psf_stars_footprints=stars,
            astrometry_matches=matches,
            photometry_matches=matches,
            applied_photo_calib={"njy_per_count": factor},
            background={"level": level * factor},
            mask=calibrated.mask,
        )


class SingleFrameDetectAndMeasureConnections(pipe_base.PipelineTaskConnections, dimensions=IVD):
    """As the real task's."""

    exposure = Input(name="preliminary_visit_image", storageClass="Exposure", dimensions=IVD)
    input_background = Input(
        name="preliminary_visit_image_background", storageClass="Background", dimensions=IVD
    )
    sources = _output("single_visit_star_reprocessed_unstandardized", "ArrowAstropy")
    sources_footprints = _output("single_visit_star_reprocessed_footprints", "SourceCatalog")
    background = _output("preliminary_visit_image_reprocessed_background", "Background")


class SingleFrameDetectAndMeasureConfig(
    pipe_base.PipelineTaskConfig, pipelineConnections=SingleFrameDetectAndMeasureConnections
):
    """The options of the real task that the pipelines set."""

    id_generator = ConfigField[IdGeneratorConfig](dtype=IdGeneratorConfig, doc="Identifiers.")
    threshold = Field[float](doc="Detection threshold, sigma.", default=5.0)


class SingleFrameDetectAndMeasureTask(pipe_base.PipelineTask):
    """Measure again, deeper, on the calibrated image."""

    ConfigClass = SingleFrameDetectAndMeasureConfig
    _DefaultName: ClassVar[str] = "singleFrameDetectAndMeasure"

    def run(self, exposure: Exposure, input_background: dict[str, float]) -> pipe_base.Struct:
        """Return the sources and the background."""
        info = exposure.circumstances
        start = first_id(self.config.id_generator.release_id, info.visit, info.detector)
        sources, _ = measure_stars(exposure, self.config.threshold, start)
        sources["detect_isPrimary"] = True
        sources["sky_source"] = False
        return pipe_base.Struct(
            sources=sources, sources_footprints=sources, background=dict(input_background)
        )
