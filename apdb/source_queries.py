"""Queries of the table of DiaSources: counts by image and by value, and those that are worth a look."""

__all__ = [
    "RELIABILITY_EDGES",
    "SNR_EDGES",
    "ImageCounts",
    "NotableKind",
    "NotableSource",
    "count_by_image",
    "count_by_value",
    "find_notable",
]

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy
from sqlalchemy.engine import Connection
from sqlalchemy.sql.expression import Select, TableClause

from .tables import ApdbSqlTables, Column

#: Intervals of signal-to-noise ratio, nearly equal on a logarithmic scale, and of reliability.
SNR_EDGES = (3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30, 40, 50, 70, 100, 150, 200, 300, 500, 1000)
RELIABILITY_EDGES = tuple(round(0.05 * number, 2) for number in range(21))
#: Of so many candidates for each that is wanted the first of each DiaObject is taken.
_CANDIDATES = 20
#: What is not below this is not a number: PostgreSQL sorts these as the largest.
_LARGEST = 1e30

_COLUMNS = (
    "diaSourceId",
    "diaObjectId",
    "visit",
    "detector",
    "band",
    "midpointMjdTai",
    "x",
    "y",
    "ra",
    "dec",
    "snr",
    "reliability",
    "psfFlux",
)


@dataclass(frozen=True)
class ImageCounts:
    """The numbers of DiaSources of an image, or of several.

    Parameters
    ----------
    sources
        All that were not withdrawn.
    new
        Those for which a DiaObject was made; the others were matched with one.
    """

    sources: int = 0
    new: int = 0

    def __add__(self, other: "ImageCounts") -> "ImageCounts":
        return ImageCounts(self.sources + other.sources, self.new + other.new)

    @property
    def matched_share(self) -> float | None:
        """The share of those that were matched with a DiaObject; `None` if there are no sources."""
        return 1 - self.new / self.sources if self.sources else None


class NotableKind(StrEnum):
    """Why a DiaSource is worth a look."""

    SIGNIFICANT = "most significant"
    UNRELIABLE = "least reliable"
    NEW = "new"


@dataclass(frozen=True, kw_only=True)
class NotableSource:
    """A DiaSource.

    Parameters
    ----------
    dia_source, dia_object
        Its ID, and that of its DiaObject; `None` for one of the Solar System.
    visit, detector, band, mjd
        Its image, and the middle of its exposure, TAI.
    x, y, ra, dec
        Where it is: pixels, degrees.
    snr, reliability
        Signal-to-noise ratio, and score of real and bogus; `None` if unknown.
    flux
        PSF flux on the difference image, nJy; `None` if unknown.
    """

    dia_source: int
    dia_object: int | None
    visit: int
    detector: int
    band: str
    mjd: float
    x: float
    y: float
    ra: float
    dec: float
    snr: float | None
    reliability: float | None
    flux: float | None


def count_by_image(connection: Connection, tables: ApdbSqlTables) -> dict[tuple[int, int], ImageCounts]:
    """Count the DiaSources of each (visit, detector)."""
    sources = _sources(tables)
    key = (sources.c.visit, sources.c.detector)
    new = sqlalchemy.func.sum(sqlalchemy.case((_is_new(sources), 1), else_=0))
    query = sqlalchemy.select(key[0], key[1], sqlalchemy.func.count(), new)
    rows = connection.execute(query.where(_kept(tables, sources)).group_by(*key))
    return {
        (int(visit), int(detector)): ImageCounts(int(count), int(made))
        for visit, detector, count, made in rows
    }


def count_by_value(
    connection: Connection, tables: ApdbSqlTables
) -> tuple[Mapping[int | None, int], Mapping[int | None, int]]:
    """Count the DiaSources by signal-to-noise ratio and by reliability.

    Returns
    -------
    by_snr, by_reliability
        The number of each interval of `SNR_EDGES` and of `RELIABILITY_EDGES`, by its place: -1 for what is below
        the first edge, `None` for what is unknown.
    """
    sources = _sources(tables)
    query = sqlalchemy.select(
        _interval(sources.c.snr, SNR_EDGES).label("snr_interval"),
        # The last interval holds its upper edge, too.
        _interval(sources.c.reliability, RELIABILITY_EDGES[:-1]).label("reliability_interval"),
        sqlalchemy.func.count(),
    ).where(_kept(tables, sources))
    by_snr: Counter[int | None] = Counter()
    by_reliability: Counter[int | None] = Counter()
    for snr, reliability, number in connection.execute(
        query.group_by("snr_interval", "reliability_interval")
    ):
        by_snr[snr] += number
        by_reliability[reliability] += number
    return by_snr, by_reliability


def find_notable(
    connection: Connection, tables: ApdbSqlTables, count: int
) -> dict[NotableKind, tuple[NotableSource, ...]]:
    """Find the most significant DiaSources, the least reliable ones, and the newest of new DiaObjects.

    Parameters
    ----------
    connection, tables
        Of the APDB.
    count
        How many of each kind, at most one of each DiaObject.
    """
    sources = _sources(tables)
    known = sources.c.x.is_not(None) & sources.c.y.is_not(None)
    base = sqlalchemy.select(*(sources.c[name] for name in _COLUMNS)).where(_kept(tables, sources), known)
    snr, score, number = sources.c.snr, sources.c.reliability, sources.c.diaSourceId
    queries: dict[NotableKind, Select[Any]] = {
        NotableKind.SIGNIFICANT: base.where(snr < _LARGEST).order_by(snr.desc(), number),
        NotableKind.UNRELIABLE: base.where(score < _LARGEST).order_by(score, number),
        NotableKind.NEW: base.where(_is_new(sources), snr < _LARGEST).order_by(
            sources.c.midpointMjdTai.desc(), snr.desc(), number
        ),
    }
    return {
        kind: _first_of_each(connection.execute(query.limit(count * _CANDIDATES)), count)
        for kind, query in queries.items()
    }


def _sources(tables: ApdbSqlTables) -> TableClause:
    return tables.table("DiaSource", *_COLUMNS, tables.source_withdrawn.name)


def _kept(tables: ApdbSqlTables, sources: TableClause) -> Column:
    withdrawn: Column = sources.c[tables.source_withdrawn.name]
    return withdrawn.is_(None)


def _is_new(sources: TableClause) -> Column:
    """Tell a DiaSource for which a DiaObject was made: association gives that its identifier."""
    new: Column = sources.c.diaObjectId == sources.c.diaSourceId
    return new


def _interval(value: Column, edges: Sequence[float]) -> Column:
    """Give the place of the interval that holds a value. Databases differ in their logarithms and roundings."""
    steps = [(value < edge, place - 1) for place, edge in enumerate(edges)]
    return sqlalchemy.case((value.is_(None), sqlalchemy.null()), *steps, else_=len(edges) - 1)


def _first_of_each(rows: Iterable[Any], count: int) -> tuple[NotableSource, ...]:
    found: dict[int, NotableSource] = {}
    for row in rows:
        source = NotableSource(
            dia_source=int(row.diaSourceId),
            dia_object=int(row.diaObjectId) if row.diaObjectId else None,
            visit=int(row.visit),
            detector=int(row.detector),
            band=str(row.band or ""),
            mjd=float(row.midpointMjdTai),
            x=float(row.x),
            y=float(row.y),
            ra=float(row.ra),
            dec=float(row.dec),
            snr=_number(row.snr),
            reliability=_number(row.reliability),
            flux=_number(row.psfFlux),
        )
        found.setdefault(source.dia_object or source.dia_source, source)
        if len(found) == count:
            break
    return tuple(found.values())


def _number(value: Any) -> float | None:
    return None if value is None or math.isnan(value) else float(value)
