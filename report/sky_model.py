"""Sky of a report as plain values: patches, templates, visits, and what the APDB holds of them."""

__all__ = [
    "Corner",
    "DiaCatalog",
    "LightCurve",
    "LightCurvePoint",
    "Patch",
    "SkyCell",
    "Template",
    "TemplateState",
    "TruePoint",
    "VisitRow",
]

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ..apdb import ImageCounts, NotableKind, NotableSource

#: Right ascension and declination, degrees.
Corner = tuple[float, float]


class TemplateState(StrEnum):
    """The state of the template of a patch and band."""

    MADE = "made"
    WAITING = "waiting"  #: its run is active
    MISSING = "missing"  #: its run has ended


@dataclass(frozen=True)
class Patch:
    """The sky of a patch.

    Parameters
    ----------
    tract, patch
        Which.
    corners
        Its outer boundary.
    """

    tract: int
    patch: int
    corners: tuple[Corner, ...]


@dataclass(frozen=True)
class Template:
    """The template of a patch in a band.

    Parameters
    ----------
    tract, patch, band
        Which.
    state
        Its state.
    visits
        How many visits it can be made of.
    """

    tract: int
    patch: int
    band: str
    state: TemplateState
    visits: int


@dataclass(frozen=True, kw_only=True)
class VisitRow:
    """A science visit.

    Parameters
    ----------
    visit, band
        Which.
    mjd
        Begin of its exposure, TAI; `None` if the repository does not say.
    detectors
        How many have a raw image that is selected.
    differences
        How many difference images the repository knows.
    night
        The observing night, YYYYMMDD; `None` if the repository does not say.
    dia_sources, new_sources
        In the APDB, and those of them for which a DiaObject was made; `None` if that was not read.
    """

    visit: int
    band: str
    mjd: float | None
    detectors: int
    differences: int
    night: int | None = None
    dia_sources: int | None = None
    new_sources: int | None = None

    @property
    def matched_share(self) -> float | None:
        """The share of its DiaSources that were matched with a DiaObject."""
        if not self.dia_sources or self.new_sources is None:
            return None
        return 1 - self.new_sources / self.dia_sources


@dataclass(frozen=True)
class SkyCell:
    """A pixel of the sky with what the APDB has there.

    Parameters
    ----------
    pixel
        Its HTM index.
    corners
        Its three corners.
    square_degrees
        Its area.
    dia_sources, dia_objects
        How many there are.
    """

    pixel: int
    corners: tuple[Corner, ...]
    square_degrees: float
    dia_sources: int
    dia_objects: int


@dataclass(frozen=True)
class LightCurvePoint:
    """A measurement of a DiaObject.

    Parameters
    ----------
    mjd
        Middle of the exposure, TAI.
    band, visit
        Of the exposure.
    flux, error
        PSF flux on the difference image, nJy; the error may be unknown.
    forced
        Whether it was measured at a given place rather than detected.
    """

    mjd: float
    band: str
    visit: int
    flux: float
    error: float | None
    forced: bool


@dataclass(frozen=True)
class TruePoint:
    """What a perfect measurement of a DiaObject on a simulated sky would have given.

    Parameters
    ----------
    mjd, band
        Of the exposure.
    flux
        On an ideal difference image, nJy.
    """

    mjd: float
    band: str
    flux: float


@dataclass(frozen=True)
class LightCurve:
    """A DiaObject's measurements.

    Parameters
    ----------
    dia_object
        Its number.
    ra, dec
        Where it is, degrees.
    points
        The oldest first.
    truth
        On a simulated sky, the oldest first.
    """

    dia_object: int
    ra: float
    dec: float
    points: tuple[LightCurvePoint, ...]
    truth: tuple[TruePoint, ...] = ()

    @property
    def detections(self) -> int:
        """How often it was detected."""
        return sum(not point.forced for point in self.points)


@dataclass(frozen=True, kw_only=True)
class DiaCatalog:
    """What the APDB holds.

    Parameters
    ----------
    config
        The APDB's configuration.
    rows
        Rows by table.
    objects
        DiaObjects, of which their table has a row for each version; `None` if it does not tell.
    by_visit, by_detector
        Numbers of DiaSources.
    by_snr, by_reliability
        Numbers of DiaSources, as `apcampaign.apdb.ApdbExplorer.count_by_value` gives them.
    notable
        DiaSources that are worth a look.
    level
        HTM level of the cells.
    cells
        Pixels of the sky with anything in them.
    light_curves
        Of the DiaObjects that were detected most often.
    """

    config: str
    rows: Mapping[str, int]
    objects: int | None = None
    by_visit: Mapping[int, ImageCounts] = field(default_factory=dict)
    by_detector: Mapping[int, ImageCounts] = field(default_factory=dict)
    by_snr: Mapping[int | None, int] = field(default_factory=dict)
    by_reliability: Mapping[int | None, int] = field(default_factory=dict)
    notable: Mapping[NotableKind, tuple[NotableSource, ...]] = field(default_factory=dict)
    level: int = 0
    cells: tuple[SkyCell, ...] = ()
    light_curves: tuple[LightCurve, ...] = ()
