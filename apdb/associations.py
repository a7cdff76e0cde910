"""Associations in an APDB: which (visit, detector)s it holds and when each was written, from the APDB alone.

`Apdb.store` writes one (visit, detector) in one transaction, and stamps all versions of DiaObjects that it writes
with one time, the time of the association: their ``validityStart``. No row says which (visit, detector) a
version comes from, but this is known:

- a DiaObject with one version and one DiaSource was made by the association of that source; nearly every
  image has one;
- all DiaObjects whose versions start at one time have a DiaSource of the one association that wrote them (not
  the other way round: objects that end up off the image get no new version);
- an image's DiaSources and its DiaForcedSources were processed before it was written: the DiaSources long
  before, since a batch system subtracts many images before their turn comes; the DiaForcedSources a moment
  before, since the association itself measures them;
- each image was written once, and each time belongs to an image.

Only what follows from these with certainty is reported.
"""

__all__ = ["AssociationTimes", "read_stored", "stored_associations"]

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import Executable, func, select, true
from sqlalchemy.engine import Connection, Result
from sqlalchemy.sql.expression import ColumnElement, FromClause

from .findings import StoredAssociation, VisitDetector
from .locate import Reference, find_apdb
from .matching import Association, match_times
from .tables import ApdbSqlTables, open_tables, snapshot


def read_stored(reference: Reference, namespace: str | None = None) -> frozenset[VisitDetector]:
    """Read which (visit, detector)s have rows in an APDB; parameters and errors as `find_apdb`."""
    place = find_apdb(reference, namespace)
    _, tables = open_tables(place)
    with snapshot(place) as connection:
        return frozenset(row.key for row in stored_associations(connection, tables))


class AssociationTimes:
    """Finds out when (visit, detector)s were associated.

    Parameters
    ----------
    connection
        To the APDB, in one transaction.
    tables
        Its tables.
    """

    def __init__(self, connection: Connection, tables: ApdbSqlTables) -> None:
        self._connection = connection
        self._tables = tables
        self._known: dict[VisitDetector, Association] = {}
        self._owners: dict[float, VisitDetector] = {}
        # Those without lone objects.
        self._crowded: set[VisitDetector] = set()
        self._candidates: dict[VisitDetector, list[float]] = {}

    def read_all(self, keys: Iterable[VisitDetector]) -> dict[VisitDetector, Association]:
        """Find the times of many (visit, detector)s, most of them in one pass over the tables."""
        self._learn(self._by_lone_objects(None))
        keys = list(keys)
        self._crowded.update(key for key in keys if key not in self._known)
        return {key: self.of(key) for key in keys}

    def of(self, key: VisitDetector) -> Association:
        """Find the time of one (visit, detector)."""
        if not self._has_lone_objects(key):
            self._learn(self._by_exclusion(key))
        return self._known[key]

    def objects_of(self, key: VisitDetector) -> FromClause:
        """Return the DiaObjects that an image has DiaSources of, as a subquery of their identifiers."""
        sources = self._tables.dia_source
        return (
            select(sources.c.diaObjectId)
            .where(sources.c.visit == key[0], sources.c.detector == key[1], sources.c.diaObjectId != 0)
            .distinct()
            .subquery()
        )

    def _learn(self, found: Mapping[VisitDetector, Association]) -> None:
        self._known.update(found)
        self._owners.update({each.time: key for key, each in found.items() if each.time is not None})

    def _run(self, query: Executable) -> Result[*tuple[Any, ...]]:
        # Small answers, many of them: a cursor for each would cost more than it saves.
        return self._connection.execute(query, execution_options={"stream_results": False})

    def _has_lone_objects(self, key: VisitDetector) -> bool:
        """Tell whether the time is known, after looking for lone objects if that was not done before."""
        if key not in self._known and key not in self._crowded:
            self._learn(self._by_lone_objects(key))
            self._crowded.add(key)
        return key in self._known

    def _by_lone_objects(self, key: VisitDetector | None) -> dict[VisitDetector, Association]:
        """Use the DiaObjects with one version and one DiaSource, of which nearly every image has some.

        Looks at the objects of one image, or of all.
        """
        tables = self._tables
        sources, objects = tables.dia_source, tables.dia_object
        of_source: ColumnElement[bool] = sources.c.diaObjectId != 0
        of_version: ColumnElement[bool] = true()
        if key is not None:
            mine = select(self.objects_of(key))
            of_source, of_version = sources.c.diaObjectId.in_(mine), objects.c.diaObjectId.in_(mine)
        lone_sources = (
            select(
                sources.c.diaObjectId,
                func.min(sources.c.visit).label("visit"),
                func.min(sources.c.detector).label("detector"),
            )
            .where(of_source)
            .group_by(sources.c.diaObjectId)
            .having(func.count() == 1)
            .subquery()
        )
        lone_versions = (
            select(objects.c.diaObjectId, func.min(tables.start).label("start"))
            .where(of_version)
            .group_by(objects.c.diaObjectId)
            .having(func.count() == 1)
            .subquery()
        )
        query = (
            select(
                lone_sources.c.visit,
                lone_sources.c.detector,
                func.min(lone_versions.c.start),
                func.max(lone_versions.c.start),
            )
            .join_from(lone_sources, lone_versions, lone_sources.c.diaObjectId == lone_versions.c.diaObjectId)
            .group_by(lone_sources.c.visit, lone_sources.c.detector)
        )
        return {
            (visit, detector): Association((first,) if first == last else (first, last))
            for visit, detector, first, last in self._run(query)
        }

    def _by_exclusion(self, key: VisitDetector) -> dict[VisitDetector, Association]:
        """Find the times of an image and of all images that compete with it for a time."""
        possible = self._possible(key)
        certain = match_times(possible)
        return {
            image: Association((certain[image],) if image in certain else _uncertain(times))
            for image, times in possible.items()
        }

    def _possible(self, key: VisitDetector) -> dict[VisitDetector, tuple[float, ...]]:
        """Find the times at which an image may have been written, the images that compete for them, and so on."""
        while True:
            before = len(self._known)
            possible: dict[VisitDetector, set[float]] = {key: set()}
            seen: set[float] = set()
            front = list(self._free_times(key))
            while front:
                time = front.pop()
                if time in seen:
                    continue
                seen.add(time)
                for image, processed in self._images_with(time).items():
                    if not self._has_lone_objects(image) and processed <= time:
                        possible.setdefault(image, set()).add(time)
                        front += self._free_times(image)
            if len(self._known) == before:
                return {image: tuple(sorted(times)) for image, times in possible.items()}
            # What is now known of others excludes more.

    def _free_times(self, key: VisitDetector) -> list[float]:
        """Find the times at which objects of an image were written, and which are not known to be another's."""
        if key not in self._candidates:
            self._candidates[key] = self._possible_times(key)
        return [time for time in self._candidates[key] if self._owners.get(time, key) == key]

    def _possible_times(self, key: VisitDetector) -> list[float]:
        """Find the times at which versions of objects of an image were written, and of no other objects."""
        objects, start = self._tables.dia_object, self._tables.start
        mine = self.objects_of(key)
        query = (
            select(start, func.count())
            .join_from(objects, mine, objects.c.diaObjectId == mine.c.diaObjectId)
            .group_by(start)
        )
        shared = {time: count for time, count in self._run(query)}
        if not shared:
            return []
        query = select(start, func.count()).where(start.in_(list(shared))).group_by(start)
        return [time for time, count in self._run(query) if count == shared[time]]

    def _images_with(self, time: float) -> dict[VisitDetector, float]:
        """Find the images that have all objects written at one time, and when they were last processed."""
        tables = self._tables
        objects, sources, forced = tables.dia_object, tables.dia_source, tables.dia_forced_source
        measured = (
            select(func.max(tables.forced_processed))
            .where(forced.c.visit == sources.c.visit, forced.c.detector == sources.c.detector)
            .correlate(sources)
            .scalar_subquery()
        )
        written = select(objects.c.diaObjectId).where(tables.start == time).subquery()
        size = select(func.count()).select_from(written).scalar_subquery()
        query = (
            select(sources.c.visit, sources.c.detector, func.max(tables.source_processed), measured)
            .join_from(sources, written, sources.c.diaObjectId == written.c.diaObjectId)
            .group_by(sources.c.visit, sources.c.detector)
            .having(func.count(sources.c.diaObjectId.distinct()) == size)
        )
        return {
            (visit, detector): processed if last is None else max(processed, last)
            for visit, detector, processed, last in self._run(query)
        }


def _uncertain(times: tuple[float, ...]) -> tuple[float, ...]:
    """Mark as uncertain also a single time, for which two images compete."""
    return times * 2 if len(times) == 1 else times


def stored_associations(connection: Connection, tables: ApdbSqlTables) -> Iterator[StoredAssociation]:
    """Read what an APDB holds of each (visit, detector), sorted, as a stream."""
    sources, forced = tables.dia_source, tables.dia_forced_source
    source_query = (
        select(
            sources.c.visit,
            sources.c.detector,
            func.count(),
            func.min(sources.c.midpointMjdTai),
            func.min(tables.source_processed) != func.max(tables.source_processed),
        )
        .group_by(sources.c.visit, sources.c.detector)
        .order_by(sources.c.visit, sources.c.detector)
    )
    forced_query = (
        select(forced.c.visit, forced.c.detector, func.count(), func.min(forced.c.midpointMjdTai))
        .group_by(forced.c.visit, forced.c.detector)
        .order_by(forced.c.visit, forced.c.detector)
    )
    measured = iter(connection.execute(forced_query))
    other = next(measured, None)
    for visit, detector, count, midpoint, twice in connection.execute(source_query):
        while other is not None and (other[0], other[1]) < (visit, detector):
            yield StoredAssociation(other[0], other[1], 0, other[2], other[3], written_twice=False)
            other = next(measured, None)
        forced_count = 0
        if other is not None and (other[0], other[1]) == (visit, detector):
            forced_count = other[2]
            other = next(measured, None)
        yield StoredAssociation(visit, detector, count, forced_count, midpoint, written_twice=bool(twice))
    while other is not None:
        yield StoredAssociation(other[0], other[1], 0, other[2], other[3], written_twice=False)
        other = next(measured, None)
