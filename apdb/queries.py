"""Explorer of an APDB: counts of its rows by place, image and value, and its most often detected DiaObjects."""

__all__ = ["ApdbExplorer"]

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy
from sqlalchemy.engine import Connection

from .frames import OpenedApdb
from .light_curves import read_measurements
from .locate import Reference
from .source_queries import (
    ImageCounts,
    NotableKind,
    NotableSource,
    count_by_image,
    count_by_value,
    find_notable,
)
from .tables import ApdbSqlTables, Column, snapshot

if TYPE_CHECKING:
    import pandas as pd

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
        self._opened = OpenedApdb.open(reference, namespace)
        self._place, self._tables = self._opened.place, self._opened.tables

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

    def read_most_detected(self, *, count: int = 9) -> "pd.DataFrame":
        """Read the measurements of the DiaObjects with the most DiaSources, the one with the most first.

        Parameters
        ----------
        count
            The number of DiaObjects.

        Returns
        -------
        measurements
            As of `apcampaign.apdb.read_light_curves`.
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
            ids = list(connection.execute(ranking).scalars())
        return read_measurements(self._opened, ids)


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
