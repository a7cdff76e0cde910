"""Cutouts of notable DiaSources: science, template and difference image around each, as small pictures."""

__all__ = ["Cutout", "CutoutReader"]

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..apdb import NotableKind, NotableSource
from ..common.butler import open_butler
from ..ledger import RunRecord
from ..monitor.outcomes import DIFFERENCE_IMAGE

#: What is shown of each, by the names that its dataset type may have: where sources are injected, that with them.
_IMAGES = {
    "science": (
        "fakes_preliminary_visit_image",
        "injected_preliminary_visit_image",
        "preliminary_visit_image",
    ),
    "template": ("injectedTemplate_template_detector", "template_detector"),
    "difference": (DIFFERENCE_IMAGE,),
}
#: Pixels along each side, an odd number: the source is in the middle one.
_SIDE = 41
#: Of remote files, which are fetched whole even for a few of their pixels: MiB.
_MOST_REMOTE = 512

type Pixels = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Cutout:
    """A DiaSource with its pictures.

    Parameters
    ----------
    kind
        Why it is shown.
    source
        The DiaSource.
    pictures
        PNG files by name; without those of images that are not there.
    """

    kind: NotableKind
    source: NotableSource
    pictures: Mapping[str, bytes]


class CutoutReader:
    """Reads cutouts, once or repeatedly: images do not change, so each is read once."""

    def __init__(self) -> None:
        self._pictures: dict[tuple[str, int], Mapping[str, bytes]] = {}

    def read(
        self,
        records: Sequence[RunRecord],
        instrument: str,
        notable: Mapping[NotableKind, Sequence[NotableSource]],
    ) -> tuple[tuple[Cutout, ...], str]:
        """Read the cutouts of some DiaSources.

        Parameters
        ----------
        records
            The current runs of difference imaging, at least one.
        instrument
            Their instrument.
        notable
            The DiaSources.

        Returns
        -------
        cutouts, skipped
            Those that have any image, and a sentence about those that were skipped, or nothing.

        Raises
        ------
        RepositoryError
            If the repository, or an image, cannot be read.
        """
        newest_first = sorted(records, key=lambda record: record.timestamp, reverse=True)
        outputs = list(dict.fromkeys(record.output for record in newest_first))
        cutouts = []
        room = _MOST_REMOTE * 2.0**20
        late = absent = 0
        with open_butler(newest_first[0].butler, "the cutouts cannot be read") as butler:
            for kind, source in [(kind, source) for kind, sources in notable.items() for source in sources]:
                key = (outputs[0], source.dia_source)
                if key not in self._pictures:
                    refs = _find_images(butler, outputs, instrument, source)
                    size = sum(_remote_size(butler, ref) for ref in refs.values())
                    if size > room:
                        late += 1
                        continue
                    room -= size
                    stamps = {name: _read_stamp(butler, ref, source) for name, ref in refs.items()}
                    self._pictures[key] = draw_pictures(
                        {name: stamp for name, stamp in stamps.items() if stamp is not None}
                    )
                if self._pictures[key]:
                    cutouts.append(Cutout(kind=kind, source=source, pictures=self._pictures[key]))
                else:
                    absent += 1
        return tuple(cutouts), _describe_skipped(late, absent)


def _describe_skipped(late: int, absent: int) -> str:
    reasons = []
    if absent:
        reasons.append(f"{absent} have no image in the repository (it may keep fewer datasets than are made)")
    if late:
        reasons.append(f"for {late} more than {_MOST_REMOTE} MiB would have to be fetched")
    return f"cutouts were left out: {'; '.join(reasons)}" if reasons else ""


def _find_images(
    butler: Any, outputs: Sequence[str], instrument: str, source: NotableSource
) -> Mapping[str, Any]:
    from lsst.daf.butler import MissingCollectionError, MissingDatasetTypeError

    found: dict[str, Any] = {}
    for name, dataset_type in [(name, each) for name, types in _IMAGES.items() for each in types]:
        if name in found:
            continue
        try:
            ref = butler.find_dataset(
                dataset_type,
                instrument=instrument,
                visit=source.visit,
                detector=source.detector,
                collections=outputs,
            )
        except (MissingCollectionError, MissingDatasetTypeError):
            continue
        if ref is not None and butler.exists(ref):
            found[name] = ref
    return found


def _remote_size(butler: Any, ref: Any) -> float:
    uris = [uri for uri in (butler.getURIs(ref).primaryURI,) if uri is not None]
    return sum(float(uri.size()) for uri in uris if not uri.isLocal)


def _read_stamp(butler: Any, ref: Any, source: NotableSource) -> Pixels | None:
    """Read the pixels around a source; `None` if the image has none."""
    left, low = round(source.x) - _SIDE // 2, round(source.y) - _SIDE // 2
    pixels, x0, y0 = _read_region(butler, ref, left, low)
    return cut(pixels, left - x0, low - y0)


def cut(pixels: Pixels, left: int, low: int) -> Pixels | None:
    """Cut a stamp out of an image, [y, x], from a column and a row on; what is beside it becomes not a number."""
    stamp = np.full((_SIDE, _SIDE), np.nan, np.float32)
    height, width = pixels.shape
    columns, rows = (
        slice(max(left, 0), min(left + _SIDE, width)),
        slice(max(low, 0), min(low + _SIDE, height)),
    )
    if columns.start >= columns.stop or rows.start >= rows.stop:
        return None
    stamp[rows.start - low : rows.stop - low, columns.start - left : columns.stop - left] = pixels[
        rows, columns
    ]
    return stamp if np.isfinite(stamp).any() else None


def _read_region(butler: Any, ref: Any, left: int, low: int) -> tuple[Pixels, int, int]:
    """Read the part of an image that overlaps a stamp, and where its first pixel is.

    With the LSST stack only these pixels are read. Images of other types, such as arrays, are read whole.
    """
    image_ref = ref.makeComponentRef("image")
    try:
        from lsst.geom import Box2I, Extent2I, Point2I
    except ImportError:
        image = butler.get(image_ref)
    else:
        wanted = Box2I(Point2I(left, low), Extent2I(_SIDE, _SIDE))
        box = wanted.clippedTo(butler.get(ref.makeComponentRef("bbox")))
        if box.isEmpty():
            return np.zeros((0, 0), np.float32), left, low
        image = butler.get(image_ref, parameters={"bbox": box})
    if hasattr(image, "getX0"):
        return image.array, image.getX0(), image.getY0()
    return np.asarray(image), 0, 0


def draw_pictures(stamps: Mapping[str, Pixels]) -> dict[str, bytes]:
    """Draw the stamps of a source in grey, all on one scale, as PNG files.

    The scale is linear near the noise of the difference and logarithmic beyond (asinh), from what is darkest in
    the middle of any, and five times the noise below the sky at least, to what is brightest there.
    """
    from PIL import Image

    if not stamps:
        return {}
    noise = _scatter(stamps.get("difference", next(iter(stamps.values()))))
    middle = slice(_SIDE // 4, -(_SIDE // 4))
    core = np.concatenate([stamp[middle, middle].ravel() for stamp in stamps.values()])
    core = core[np.isfinite(core)]
    least = min(-5 * noise, *np.percentile(core, [0.5])) if core.size else -5 * noise
    most = max(10 * noise, *np.percentile(core, [99.5])) if core.size else 10 * noise
    low, high = np.arcsinh(np.array([least, most]) / (2 * noise))
    pictures = {}
    for name, stamp in stamps.items():
        grey = (np.arcsinh(stamp / (2 * noise)) - low) / (high - low)
        # Where there is no image there is a grey that neither light nor shadow has.
        levels = np.nan_to_num(np.clip(grey, 0, 1), nan=0.5) * 255
        file = io.BytesIO()
        Image.fromarray(np.flipud(levels).astype(np.uint8)).save(file, "PNG", optimize=True)
        pictures[name] = file.getvalue()
    return pictures


def _scatter(stamp: Pixels) -> float:
    """Estimate the noise of an image: its median absolute deviation, which a source does not change."""
    known = stamp[np.isfinite(stamp)]
    deviation = float(np.median(np.abs(known - np.median(known)))) if known.size else 0.0
    return 1.4826 * deviation or 1.0
