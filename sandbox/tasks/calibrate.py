"""Stand-in for ``calibrateImage``: single-frame calibration.

It replaces ``lsst.pipe.tasks.calibrateImage.CalibrateImageTask``.
"""

__all__ = ["IVD", "CalibrateImageTask", "IdGeneratorConfig", "first_id", "star_table"]

from dataclasses import replace
from datetime import date
from typing import Any, ClassVar

import lsst.pipe.base as pipe_base
import numpy as np
from astropy.table import Table, vstack
from lsst.pex.config import Config, ConfigField, Field, ListField
from lsst.pipe.base.connectionTypes import InitOutput, Input, Output, PrerequisiteInput

from ..exposure import MEMORY, Exposure
from ..science.calibration import (
    Astrometry,
    Photometry,
    fit_astrometry,
    fit_photometry,
    pair,
)
from ..science.cosmics import flag_cosmic_rays
from ..science.pixels import scatter
from ..science.psf import width
from ..science.stars import STAR_COLUMNS, Stars, measure_stars, subtract_background
from .errors import SandboxAlgorithmError
from .memory import take_memory

IVD = ("instrument", "visit", "detector")


class IdGeneratorConfig(Config):
    """What distinguishes the IDs of one release from those of another."""

    release_id = Field[int](doc="The release.", default=0)


def first_id(release: int, visit: int, detector: int) -> int:
    """Return the first of the 10,000 IDs of a (visit, detector)."""
    if visit >= 10**9:  # YYYYMMDD and the number in the night, which would leave no room for the rest
        night, number = divmod(visit, 100_000)
        days = date.fromisoformat(str(night)).toordinal() - date(2010, 1, 1).toordinal()
        visit = days * 100_000 + number
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
        doc="Outputs to write besides the necessary ones.",
        default=["psf_stars", "psf_stars_footprints", "astrometry_matches", "photometry_matches"],
    )
    id_generator = ConfigField[IdGeneratorConfig](dtype=IdGeneratorConfig, doc="Identifiers.")
    do_downsample_footprints = Field[bool](doc="Without effect here.", default=False)
    downsample_max_footprints = Field[int](doc="Without effect here.", default=1000)
    do_adaptive_threshold_detection = Field[bool](doc="Without effect here.", default=False)
    do_remeasure_star_background = Field[bool](doc="Without effect here.", default=True)
    doMaskDiffractionSpikes = Field[bool](doc="Without effect here.", default=False)  # noqa: N815
    threshold = Field[float](doc="Detection threshold, sigma.", default=8.0)
    fewest_lonely = Field[int](
        doc="Least number of stars for a zero point from isolated ones only.", default=5
    )
    calibration_snr = Field[float](doc="Least significance of a star to calibrate with.", default=20.0)


_SCHEMA = ("id", "ra", "dec", *STAR_COLUMNS)


def star_table(stars: Stars, exposure: Exposure, start: int) -> Table:
    """Return a table of sources, with IDs from a start, and their positions on the sky."""
    table = Table(dict(stars.columns))
    table["id"] = np.arange(start, start + len(stars))
    table["ra"], table["dec"] = exposure.sky.to_sky(table["x"], table["y"])
    return table[list(_SCHEMA)]


class CalibrateImageTask(pipe_base.PipelineTask):
    """Mask cosmic rays, subtract the background, measure stars, and calibrate with the catalogue."""

    ConfigClass = CalibrateImageConfig
    _DefaultName: ClassVar[str] = "calibrateImage"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.initial_stars_schema = Table(names=_SCHEMA)

    def runQuantum(self, butlerQC: Any, inputRefs: Any, outputRefs: Any) -> None:  # noqa: N802, N803
        """Read, run and write, with the IDs of this quantum; of what cannot be calibrated what there is."""
        inputs, data_id = butlerQC.get(inputRefs), butlerQC.quantum.dataId
        start = first_id(self.config.id_generator.release_id, data_id["visit"], data_id["detector"])
        partial = pipe_base.Struct()
        try:
            result = self.run(**inputs, start=start, partial=partial)
        except pipe_base.AlgorithmError as error:
            butlerQC.put(partial, outputRefs)
            raise pipe_base.AnnotatedPartialOutputsError.annotate(error, self, log=self.log) from error
        butlerQC.put(result, outputRefs)

    def run(
        self,
        exposures: list[Exposure],
        photometry_ref_cat: list[Any],
        start: int,
        partial: pipe_base.Struct | None = None,
        **_unused: Any,
    ) -> pipe_base.Struct:
        """Return the calibrated exposure and the measurements; ``partial`` gets what there is if it fails."""
        partial = pipe_base.Struct() if partial is None else partial
        exposure, found = self._measure(exposures[0], start, partial)
        catalogue = vstack([handle.get() for handle in photometry_ref_cat], metadata_conflicts="silent")
        astrometry, photometry, matches = self._fit(found, exposure, catalogue)
        factor = photometry.factor
        summary = dict(partial.exposure.summary) | {
            "zeroPoint": float(31.4 - 2.5 * np.log10(factor)),
            "astromScatter": astrometry.scatter,
            "photomScatter": photometry.scatter,
        }
        self.metadata["nStars"], self.metadata["nMatches"] = len(found), len(matches)
        calibrated = exposure.with_pixels(
            exposure.image * factor,
            exposure.variance * factor**2,
            wcs=astrometry.wcs,
            psf=found.psf,
            summary=summary,
        )
        stars = star_table(found, calibrated, start)
        matches["ra"], matches["dec"] = calibrated.sky.to_sky(matches["x"], matches["y"])
        for table in (stars, matches):
            table["flux"] *= factor
            table["flux_err"] *= factor
        self.log.info(
            "%d stars, sigma %.2f pixels, zero point %.2f; agreement with the catalogue %.3f pixels, %.1f %%.",
            len(stars),
            summary["psfSigma"],
            summary["zeroPoint"],
            astrometry.scatter,
            100 * photometry.scatter,
        )
        psf_stars = stars[stars["psf_used"]]
        return pipe_base.Struct(
            exposure=calibrated,
            stars=stars,
            stars_footprints=stars,
            psf_stars=psf_stars,
            psf_stars_footprints=psf_stars,
            astrometry_matches=matches,
            photometry_matches=matches,
            applied_photo_calib={"njy_per_count": factor},
            background={"level": summary["skyBg"] * factor},
            mask=calibrated.mask,
        )

    def _measure(self, image: Exposure, start: int, partial: pipe_base.Struct) -> tuple[Exposure, Stars]:
        """Subtract the background and measure stars."""
        with take_memory(image.summary.get(MEMORY, 0)):
            exposure, level = subtract_background(flag_cosmic_rays(image))
        partial.exposure = replace(exposure, wcs=None, psf=None, summary={})
        found = measure_stars(exposure, self.config.threshold)
        if found is None:
            raise SandboxAlgorithmError("too few stars to measure the point-spread function", sky=level)
        summary = {
            "psfSigma": width(found.psf),
            # The real camera's scale: a star is as many pixels wide as there.
            "pixelScale": 0.2,
            "skyBg": level,
            "skyNoise": scatter(exposure.image[exposure.good]),
            "nPsfStar": int(found.columns["psf_used"].sum()),
        }
        partial.exposure = replace(exposure, wcs=None, psf=found.psf, summary=summary)
        stars = star_table(found, exposure, start)
        partial.psf_stars = partial.psf_stars_footprints = stars[stars["psf_used"]]
        return exposure, found

    def _fit(
        self, stars: Stars, exposure: Exposure, catalogue: Table
    ) -> tuple[Astrometry, Photometry, Table]:
        """Fit projection and zero point; return also the stars that are in the catalogue."""
        good = stars.columns["pointlike"] & (stars.columns["snr"] > self.config.calibration_snr)
        usable = Table({name: column[good] for name, column in stars.columns.items()})
        ra, dec = np.asarray(catalogue["ra"]), np.asarray(catalogue["dec"])
        # The error of a star's position is its width over its significance, plus that from neighbours.
        error = width(stars.psf) / np.asarray(usable["snr"]) + np.where(usable["lonely"], 0.0, 0.1)
        x, y = np.asarray(usable["x"]), np.asarray(usable["y"])
        astrometry = fit_astrometry(x, y, error, exposure.sky, ra, dec)
        if astrometry is None:
            raise SandboxAlgorithmError("too few stars match the reference catalogue", n_stars=len(usable))
        pairs = pair(x, y, *astrometry.wcs.to_pixel(ra, dec), 1.0)
        matches = usable[pairs >= 0]
        reference = np.asarray(catalogue[f"flux_{exposure.circumstances.band}"])[pairs[pairs >= 0]]
        # Light of neighbours biases the zero point; it is accepted where too few stars are isolated.
        alone = np.asarray(matches["lonely"], bool)
        alone = alone if alone.sum() >= self.config.fewest_lonely else np.ones(len(matches), bool)
        flux, error = np.asarray(matches["flux"])[alone], np.asarray(matches["flux_err"])[alone]
        photometry = fit_photometry(flux, error, reference[alone])
        if photometry is None:
            raise SandboxAlgorithmError(
                "fewer than three stars agree with the fluxes of the catalogue", n_matches=len(matches)
            )
        matches["ref_flux"] = reference
        return astrometry, photometry, matches
