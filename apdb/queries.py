"""Explorer of an APDB: counts of its rows by place, image and value, and its most often detected DiaObjects."""

__all__ = ["ApdbExplorer"]

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import sqlalchemy
from sqlalchemy.engine import Connection
from sqlalchemy.sql.expression import TableClause

from .locate import Reference, find_apdb
from .source_queries import (
    ImageCounts,
    NotableKind,
    NotableSource,
    count_by_image,
    count_by_value,
    find_notable,
)
from .tables import ApdbSqlTables, Column, open_tables, snapshot

#: With fewer rows a pixel shows noise rather than the sky.
_TELLING = 12
#: HTM pixels of half an arcminute: finer than a figure can show.
_FINEST = 14


@dataclass(frozen=True)
class PixelCounts:
    """The numbers of rows in a pixel of the sky.

    Parameters
    ----------
    sources, objects
        DiaSources that were not withdrawn, and DiaObjects in their last versions.
    """

    sources: int = 0
    objects: int = 0


@dataclass(frozen=True)
class Measurement:
    """A DiaSource or a DiaForcedSource of a DiaObject.

    Parameters
    ----------
    mjd
        Middle of the exposure, TAI.
    band, visit, detector
        Of the image.
    ra, dec
        Degrees; of a forced source, where it was measured.
    flux, error
        PSF flux on the difference image, nJy; the error may be unknown.
    forced
        Whether it was measured at a given place rather than detected.
    """

    mjd: float
    band: str
    visit: int
    detector: int
    ra: float
    dec: float
    flux: float
    error: float | None
    forced: bool


class ApdbExplorer:
    """Queries an APDB, repeatedly while it is filled.

    Parameters
    ----------
    reference, namespace
        Which one, as for `apcampaign.apdb.find_apdb`.

    Raises
    ------
    ApdbError
        If it cannot be read; each method raises it too.
    """

    def __init__(self, reference: Reference, namespace: str | None = None):
        self._place = find_apdb(reference, namespace)
        _, self._tables = open_tables(self._place)

    def count_by_pixel(self, *, most: int = 2000) -> tuple[int, Mapping[int, PixelCounts]]:
        """Count DiaSources and DiaObjects in pixels of the sky.

        Parameters
        ----------
        most
            The largest number of pixels. The finest level is taken that has no more, and in which a pixel holds
            a dozen rows on average.

        Returns
        -------
        level, counts
            The HTM level, and the counts of each pixel that has any.
        """
        tables = self._tables
        level = min(_FINEST, tables.pixel_level)
        with snapshot(self._place) as connection:
            sources = _count_pixels(connection, tables, tables.pixel, level, _kept(tables))
            pixel = tables.dia_object.c[tables.pixel.name]
            objects = _count_pixels(connection, tables, pixel, level, tables.end.is_(None))
        rows = sum(sources.values()) + sum(objects.values())
        while level > 0 and len(sources.keys() | objects.keys()) > min(most, max(1, rows // _TELLING)):
            level -= 1
            sources, objects = _coarser(sources), _coarser(objects)
        return level, {
            number: PixelCounts(sources.get(number, 0), objects.get(number, 0))
            for number in sorted(sources.keys() | objects.keys())
        }

    def count_by_image(self) -> dict[tuple[int, int], ImageCounts]:
        """Count the DiaSources of each (visit, detector), and those for which a DiaObject was made."""
        with snapshot(self._place) as connection:
            return count_by_image(connection, self._tables)

    def count_by_value(self) -> tuple[Mapping[int | None, int], Mapping[int | None, int]]:
        """Count the DiaSources by signal-to-noise ratio and by reliability, as `source_queries.count_by_value`."""
        with snapshot(self._place) as connection:
            return count_by_value(connection, self._tables)

    def find_notable(self, *, count: int = 3) -> dict[NotableKind, tuple[NotableSource, ...]]:
        """Find the DiaSources that are worth a look, ``count`` of each kind and of different DiaObjects."""
        with snapshot(self._place) as connection:
            return find_notable(connection, self._tables, count)

    def read_most_detected(self, *, count: int = 9) -> dict[int, list[Measurement]]:
        """Read the measurements of the DiaObjects with the most DiaSources.

        Parameters
        ----------
        count
            The number of DiaObjects.

        Returns
        -------
        measurements
            Measurements of each DiaObject in time order; the DiaObject with the most DiaSources first.
        """
        owner = self._tables.dia_source.c.diaObjectId
        ranking = (
            sqlalchemy.select(owner)
            .where(_kept(self._tables), owner.is_not(None), owner != 0)
            .group_by(owner)
            .order_by(sqlalchemy.func.count().desc(), owner)
            .limit(count)
        )
        with snapshot(self._place) as connection:
            ids = [int(object_id) for object_id in connection.execute(ranking).scalars()]
            found: dict[int, list[Measurement]] = defaultdict(list)
            for forced in (False, True):
                for object_id, measurement in _read(connection, self._tables, ids, forced=forced):
                    found[object_id].append(measurement)
        return {object_id: sorted(found[object_id], key=lambda each: each.mjd) for object_id in ids}


def _kept(tables: ApdbSqlTables) -> Column:
    return tables.source_withdrawn.is_(None)


def _count_pixels(
    connection: Connection, tables: ApdbSqlTables, pixel: Column, level: int, condition: Column
) -> dict[int, int]:
    coarse = pixel.op("/")(sqlalchemy.literal_column(str(4 ** (tables.pixel_level - level))))
    query = sqlalchemy.select(coarse, sqlalchemy.func.count()).where(condition).group_by(coarse)
    return {int(number): int(count) for number, count in connection.execute(query)}


def _coarser(counts: Mapping[int, int]) -> dict[int, int]:
    merged: dict[int, int] = defaultdict(int)
    for number, count in counts.items():
        merged[number // 4] += count
    return dict(merged)


def _read(
    connection: Connection, tables: ApdbSqlTables, ids: list[int], *, forced: bool
) -> Iterator[tuple[int, Measurement]]:
    names = (
        "diaObjectId",
        "midpointMjdTai",
        "band",
        "visit",
        "detector",
        "ra",
        "dec",
        "psfFlux",
        "psfFluxErr",
    )
    withdrawn = (tables.forced_withdrawn if forced else tables.source_withdrawn).name
    table: TableClause = tables.table("DiaForcedSource" if forced else "DiaSource", *names, withdrawn)
    query = sqlalchemy.select(*(table.c[name] for name in names)).where(
        table.c.diaObjectId.in_(ids), table.c[withdrawn].is_(None), table.c.psfFlux.is_not(None)
    )
    for object_id, mjd, band, visit, detector, ra, dec, flux, error in connection.execute(query):
        yield (
            int(object_id),
            Measurement(
                float(mjd),
                str(band or ""),
                int(visit),
                int(detector),
                float(ra),
                float(dec),
                float(flux),
                None if error is None else float(error),
                forced,
            ),
        )
