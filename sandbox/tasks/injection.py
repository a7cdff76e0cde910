"""Stand-in for ``injectVisit`` and ``injectTemplate``: synthetic sources are added to an image before subtraction.

It replaces ``lsst.source.injection.VisitInjectTask``, and fails as that does: where no catalogue reaches an image,
or no source of it lies in the image.
"""

__all__ = ["VisitInjectTask"]

import re
from typing import ClassVar

import lsst.pipe.base as pipe_base
import numpy as np
from astropy.table import Table, vstack
from lsst.pex.config import Field
from lsst.pipe.base.connectionTypes import Input, Output, PrerequisiteInput

from ..exposure import Exposure
from ..science.injection import inject_stars
from .calibrate import IVD

_AB_ZERO = 31.4  # magnitude of 1 nJy
_MAG_BAD, _TYPE_UNKNOWN, _NO_OVERLAP = 1, 2, 8  # bits of injection_flag
#: The only form of a selection that is understood here.
_SELECTION = re.compile(r"injection_catalog\['(\w+)'\]")


class VisitInjectConnections(
    pipe_base.PipelineTaskConnections,
    dimensions=IVD,
    defaultTemplates={"injection_prefix": "injection_", "injected_prefix": "injected_"},
):
    """As the real task's that takes the calibration from the image."""

    injection_catalogs = PrerequisiteInput(
        name="{injection_prefix}catalog",
        storageClass="ArrowAstropy",
        dimensions=("htm7", "band"),
        minimum=0,
        multiple=True,
    )
    input_exposure = Input(name="preliminary_visit_image", storageClass="ExposureF", dimensions=IVD)
    output_exposure = Output(
        name="{injected_prefix}preliminary_visit_image", storageClass="ExposureF", dimensions=IVD
    )
    output_catalog = Output(
        name="{injected_prefix}preliminary_visit_image_catalog", storageClass="ArrowAstropy", dimensions=IVD
    )


class VisitInjectConfig(pipe_base.PipelineTaskConfig, pipelineConnections=VisitInjectConnections):
    """The options of the real task that the pipelines and campaigns set."""

    external_psf = Field[bool](doc="Without effect here.", default=False)
    external_photo_calib = Field[bool](doc="Without effect here.", default=False)
    external_wcs = Field[bool](doc="Without effect here.", default=False)
    process_all_data_ids = Field[bool](doc="Go on where nothing is injected?", default=False)
    trim_padding = Field[int](doc="Pixels beyond the image where sources are kept.", default=100)
    selection = Field[str](doc="Which sources, such as injection_catalog['isVisitSource'].", optional=True)
    noise_seed = Field[int](doc="Seed of the noise of the light.", default=0)


class VisitInjectTask(pipe_base.PipelineTask):
    """Add the stars of a catalogue to an image."""

    ConfigClass = VisitInjectConfig
    _DefaultName: ClassVar[str] = "visitInjectTask"

    def run(self, injection_catalogs: list[Table], input_exposure: Exposure) -> pipe_base.Struct:
        """Return the image with the sources, and the catalogue of those on it, with flags of what is not."""
        if not injection_catalogs and not self.config.process_all_data_ids:
            raise RuntimeError(
                "No injection sources overlap the region of this image. Check injection catalog coverage."
            )
        catalogue = self._find_sources(injection_catalogs, input_exposure)
        flag = np.where(np.isfinite(catalogue["mag"]), 0, _MAG_BAD)
        flag[catalogue["source_type"] != "Star"] += _TYPE_UNKNOWN
        usable = np.flatnonzero(flag == 0)
        if not len(usable) and not self.config.process_all_data_ids:
            raise RuntimeError(
                "No sources to be injected for this DatasetRef, and process_all_data_ids is False."
            )
        injected = input_exposure
        if len(usable):
            stars = catalogue[usable]
            flux = 10 ** ((_AB_ZERO - np.asarray(stars["mag"], float)) / 2.5)
            x, y = (np.asarray(stars[name], float) for name in ("x", "y"))
            info = input_exposure.visit_info
            seed = [self.config.noise_seed, *((info.visit, info.detector) if info else ())]
            injected, drawn = inject_stars(input_exposure, x, y, flux, np.random.default_rng(seed))
            flag[usable[~drawn]] += _NO_OVERLAP
        catalogue["injection_flag"] = flag
        self.log.info("Injected %d of %d sources.", int((flag == 0).sum()), len(catalogue))
        return pipe_base.Struct(output_exposure=injected, output_catalog=catalogue)

    def _find_sources(self, catalogues: list[Table], exposure: Exposure) -> Table:
        """Put the catalogues together, and keep what is chosen and on the image or near it."""
        columns = ("injection_id", "ra", "dec", "source_type", "mag")
        if not catalogues:
            return Table(names=(*columns, "x", "y"), dtype=(int, float, float, "U16", float, float, float))
        table = vstack(catalogues, metadata_conflicts="silent")
        if "injection_id" not in table.colnames:
            table["injection_id"] = np.arange(len(table))
        table["source_type"] = np.asarray(table["source_type"]).astype(str)
        table["x"], table["y"] = exposure.sky.to_pixel(table["ra"], table["dec"])
        padding, box = self.config.trim_padding, exposure.box
        kept = (table["x"] > -0.5 - padding) & (table["x"] < box.width - 0.5 + padding)
        kept &= (table["y"] > -0.5 - padding) & (table["y"] < box.height - 0.5 + padding)
        if self.config.selection:
            kept &= np.asarray(table[_read_selection(self.config.selection)], bool)
        return table[kept]


def _read_selection(text: str) -> str:
    """Find the column that a selection names."""
    found = _SELECTION.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"the stand-in understands a selection such as injection_catalog['x'], not {text!r}")
    return found[1]
