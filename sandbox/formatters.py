"""Butler formatters that read and write the images of the sandbox as FITS files."""

__all__ = ["ArrayFormatter", "ExposureFormatter", "component_of", "to_hdus"]

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
from astropy.io import fits
from lsst.daf.butler import FormatterV2
from lsst.resources import ResourcePath

from .exposure import Exposure, VisitInfo
from .geometry import TangentWcs


class ExposureFormatter(FormatterV2):
    """Reads and writes exposures: image, variance, mask and PSF, and everything else as JSON in an extension."""

    can_read_from_local_file = True
    default_extension = ".fits"

    def read_from_local_file(self, path: str, component: str | None = None, expected_size: int = -1) -> Any:
        """Read an exposure, or one component such as ``wcs`` or ``bbox``."""
        with fits.open(path, memmap=False) as hdus:
            exposure = _from_hdus(hdus)
        return exposure if component is None else component_of(exposure, component)

    def write_local_file(self, in_memory_dataset: Any, uri: ResourcePath) -> None:
        """Write an exposure."""
        to_hdus(in_memory_dataset).writeto(uri.ospath, overwrite=True)


class ArrayFormatter(FormatterV2):
    """Reads and writes a plain array in the first extension."""

    can_read_from_local_file = True
    default_extension = ".fits"

    def read_from_local_file(self, path: str, component: str | None = None, expected_size: int = -1) -> Any:
        """Read an array; there are no components."""
        with fits.open(path, memmap=False) as hdus:
            return np.asarray(hdus[0].data)

    def write_local_file(self, in_memory_dataset: Any, uri: ResourcePath) -> None:
        """Write an array."""
        fits.PrimaryHDU(in_memory_dataset).writeto(uri.ospath, overwrite=True)


def component_of(exposure: Exposure, name: str) -> Any:
    """Return a component of an exposure by its name in Butler."""
    components: dict[str, Callable[[], Any]] = {
        "bbox": lambda: exposure.box,
        "wcs": lambda: exposure.wcs,
        "visitInfo": lambda: exposure.visit_info,
        "summaryStats": lambda: dict(exposure.summary),
        "coaddInputs": lambda: list(exposure.inputs),
        "image": lambda: exposure.image,
        "variance": lambda: exposure.variance,
        "mask": lambda: exposure.mask,
        "psf": lambda: exposure.psf,
    }
    if name not in components:
        raise KeyError(f"the miniature exposure has no component {name!r}; it has {', '.join(components)}")
    return components[name]()


def to_hdus(exposure: Exposure) -> fits.HDUList:
    """Return the FITS file of an exposure."""
    header: Any = fits.Header()
    if exposure.wcs is not None:
        wcs, degrees = exposure.wcs, exposure.wcs.scale / 3600
        sine, cosine = np.sin(np.radians(wcs.rotation)), np.cos(np.radians(wcs.rotation))
        header.update(
            {
                "CTYPE1": "RA---TAN",
                "CTYPE2": "DEC--TAN",
                "CRVAL1": wcs.ra,
                "CRVAL2": wcs.dec,
                # FITS counts pixels from one.
                "CRPIX1": wcs.x + 1,
                "CRPIX2": wcs.y + 1,
                "CD1_1": -degrees * cosine,
                "CD2_2": degrees * cosine,
                "CD1_2": degrees * sine,
                "CD2_1": degrees * sine,
            }
        )
    rest = {
        "wcs": exposure.wcs and asdict(exposure.wcs),
        "visit_info": exposure.visit_info and asdict(exposure.visit_info),
        "summary": dict(exposure.summary),
        "inputs": [dict(item) for item in exposure.inputs],
    }
    text = np.frombuffer(json.dumps(rest).encode(), np.uint8)
    return fits.HDUList(
        [
            fits.PrimaryHDU(exposure.image, header=header),
            fits.ImageHDU(exposure.variance, name="VARIANCE"),
            fits.ImageHDU(exposure.mask, name="MASK"),
            fits.ImageHDU(exposure.psf, name="PSF"),
            fits.ImageHDU(text, name="JSON"),
        ]
    )


def _from_hdus(hdus: fits.HDUList) -> Exposure:
    rest = json.loads(hdus["JSON"].data.tobytes())
    return Exposure(
        # FITS is big-endian; arithmetic is faster in native byte order, and some libraries need it.
        image=hdus[0].data.astype(np.float32),
        variance=hdus["VARIANCE"].data.astype(np.float32),
        mask=hdus["MASK"].data.astype(np.uint8),
        wcs=TangentWcs(**rest["wcs"]) if rest["wcs"] else None,
        visit_info=VisitInfo(**rest["visit_info"]) if rest["visit_info"] else None,
        psf=None if hdus["PSF"].data is None else hdus["PSF"].data.astype(np.float64),
        summary=rest["summary"],
        inputs=tuple(rest["inputs"]),
    )
