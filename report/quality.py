"""Quality of the visits, read from the repository: seeing, zero point, sky noise, and the focal plane."""

__all__ = ["DetectorOutline", "ImageQuality", "QualityReader", "SurveyQuality"]

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..common.butler import open_butler
from ..ledger import RunRecord, newest_of
from .sky_model import Corner, VisitRow

#: Dataset types of visit summaries: the first that a run has made counts.
_SUMMARIES = ("preliminary_visit_summary", "visit_summary", "visitSummary")
#: A summary holds the point-spread functions and projections of all detectors, and takes a second or more to read.
_MOST_VISITS = 100
_MOST_SECONDS = 30.0
_FWHM = math.sqrt(8 * math.log(2))


@dataclass(frozen=True, kw_only=True)
class ImageQuality:
    """A row of a visit summary; what an image that could not be calibrated lacks is `None`.

    Parameters
    ----------
    visit, detector
        Which image.
    seeing
        FWHM of the point-spread function, arcseconds: of ``psfSigma`` and ``pixelScale``.
    zero_point
        ``zeroPoint``: magnitude of one count in the exposure.
    sky_noise
        ``skyNoise``: scatter of the pixels of the sky, counts.
    """

    visit: int
    detector: int
    seeing: float | None
    zero_point: float | None
    sky_noise: float | None


@dataclass(frozen=True)
class DetectorOutline:
    """A detector of the focal plane.

    Parameters
    ----------
    detector
        Its ID.
    corners
        Offsets from the middle of the visit, degrees to the east and to the north.
    """

    detector: int
    corners: tuple[Corner, ...]


@dataclass(frozen=True, kw_only=True)
class SurveyQuality:
    """Quality of the visits.

    Parameters
    ----------
    images
        Of the visits whose summaries were read.
    summaries
        How many visits have a summary.
    focal_plane
        The detectors of one visit as they lie on the sky.
    visit
        That visit.
    """

    images: tuple[ImageQuality, ...] = ()
    summaries: int = 0
    focal_plane: tuple[DetectorOutline, ...] = ()
    visit: int | None = None


class QualityReader:
    """Reads the quality of visits, once or repeatedly: summaries do not change, so each is read once."""

    def __init__(self) -> None:
        self._images: dict[tuple[str, int], tuple[ImageQuality, ...]] = {}

    def read(
        self, records: Sequence[RunRecord], instrument: str, visits: Sequence[VisitRow]
    ) -> SurveyQuality:
        """Read the summaries of a sample of visits, with a bounded number of files and of seconds.

        Parameters
        ----------
        records
            The current runs of a campaign, at least one.
        instrument
            Its instrument.
        visits
            Its science visits.

        Raises
        ------
        RepositoryError
            If the repository, or a summary, cannot be read.
        """
        repository = newest_of(records).butler
        with open_butler(repository, "the quality of the visits cannot be read") as butler:
            found = _find_summaries(butler, records, {visit.visit for visit in visits})
            images = self._read_sample(butler, found)
            largest = max(visits, key=lambda visit: visit.detectors, default=None)
            outlines = _find_outlines(butler, instrument, largest.visit) if largest else ()
        return SurveyQuality(
            images=tuple(images),
            summaries=len(found),
            focal_plane=outlines,
            visit=largest.visit if largest else None,
        )

    def _read_sample(self, butler: Any, found: Mapping[int, Any]) -> Iterable[ImageQuality]:
        deadline = time.monotonic() + _MOST_SECONDS
        images: list[ImageQuality] = []
        for visit in spread_out(sorted(found))[:_MOST_VISITS]:
            ref = found[visit]
            key = (str(ref.id), visit)
            if key not in self._images:
                if time.monotonic() > deadline:
                    continue
                self._images[key] = tuple(_read_summary(butler.get(ref), visit))
            images += self._images[key]
        return images


def spread_out[Item](items: Sequence[Item]) -> list[Item]:
    """Order a sequence so that those of any beginning of it are spread over all of it."""
    bits = max(1, (len(items) - 1).bit_length())
    # The bits of a number in reverse order: halves, then quarters, then eighths.
    places = (int(f"{number:0{bits}b}"[::-1], 2) for number in range(2**bits))
    return [items[place] for place in places if place < len(items)]


def _find_summaries(butler: Any, records: Sequence[RunRecord], visits: set[int]) -> dict[int, Any]:
    """Find the summary of each visit, in the newest run first."""
    from lsst.daf.butler import MissingCollectionError, MissingDatasetTypeError

    found: dict[int, Any] = {}
    newest_first = sorted(records, key=lambda record: record.timestamp, reverse=True)
    for output in dict.fromkeys(record.output for record in newest_first):
        for name in _SUMMARIES:
            try:
                refs = butler.query_datasets(name, collections=output, limit=None, explain=False)
            except (MissingCollectionError, MissingDatasetTypeError):
                continue
            for ref in refs:
                visit = int(ref.dataId["visit"])
                if visit in visits:
                    found.setdefault(visit, ref)
    return found


def _read_summary(summary: Any, visit: int) -> Iterable[ImageQuality]:
    """Read the rows of a summary: an ``ExposureCatalog``, which has the ID of the detector as its own."""
    table = summary.asAstropy() if hasattr(summary, "asAstropy") else summary
    for row in table:
        sigma, scale = _number(row, "psfSigma"), _number(row, "pixelScale")
        yield ImageQuality(
            visit=visit,
            detector=int(row["id"]),
            seeing=None if sigma is None or scale is None else _FWHM * sigma * scale,
            zero_point=_number(row, "zeroPoint"),
            sky_noise=_number(row, "skyNoise"),
        )


def _number(row: Any, name: str) -> float | None:
    value = float(row[name]) if name in row.colnames else math.nan
    return value if math.isfinite(value) else None


def _find_outlines(butler: Any, instrument: str, visit: int) -> tuple[DetectorOutline, ...]:
    from lsst.sphgeom import LonLat

    polygons: dict[int, list[Corner]] = {}
    for record in butler.query_dimension_records(
        "visit_detector_region", instrument=instrument, visit=visit, limit=None, explain=False
    ):
        points = [LonLat(vertex) for vertex in record.region.getVertices()]
        polygons[int(record.dataId["detector"])] = [
            (point.getLon().asDegrees(), point.getLat().asDegrees()) for point in points
        ]
    if not polygons:
        return ()
    everything = [corner for polygon in polygons.values() for corner in polygon]
    origin = everything[0][0]
    # Right ascension has a jump at 360 degrees.
    east = [(ra - origin + 180) % 360 - 180 for ra, _ in everything]
    middle = origin + sum(east) / len(east), sum(dec for _, dec in everything) / len(everything)
    shrink = math.cos(math.radians(middle[1]))
    return tuple(
        DetectorOutline(
            detector,
            tuple((((ra - middle[0] + 180) % 360 - 180) * shrink, dec - middle[1]) for ra, dec in polygon),
        )
        for detector, polygon in sorted(polygons.items())
    )
