"""When each (visit, detector) was associated, read from the APDB alone.

`Apdb.store` writes one (visit, detector) in one transaction, and stamps all versions of DiaObjects that it writes
with one time, the time of the association: their ``validityStart``. No row says which (visit, detector) a
version comes from. What tells is this:

- a DiaObject with one version and one DiaSource was made by the association of that source;
- all DiaObjects whose versions start at one time have a DiaSource of the one association that wrote them;
- DiaForcedSources are measured by the association itself, a moment before it writes;
- ``lastDiaSourceMjdTai`` of a version, where it is filled, is the newest image that it knows.

``timeProcessed`` of DiaSources is earlier by any amount: a batch system calibrates and subtracts many images
before their turn to be associated comes.
"""

__all__ = ["Association", "AssociationTimes", "Clocks", "assign_times", "stored_associations"]

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Executable, func, select, true
from sqlalchemy.engine import Connection, Result
from sqlalchemy.sql.expression import ColumnElement, FromClause

from .findings import StoredAssociation, VisitDetector
from .tables import ApdbSqlTables


@dataclass(frozen=True)
class Association:
    """The write of one (visit, detector).

    Parameters
    ----------
    time
        When it was written, MJD TAI; `None` if it wrote no version of a DiaObject, or cannot be told.
    ambiguous
        Whether other associations could have been the ones that wrote at that time.
    """

    time: float | None
    ambiguous: bool = False


@dataclass(frozen=True)
class Clocks:
    """What the rows of an image say about time, MJD TAI.

    Parameters
    ----------
    midpoint
        Middle of the exposure.
    processed
        When its DiaSources were made.
    measured
        When the last of its DiaForcedSources was measured, if it has any.
    """

    midpoint: float
    processed: float
    measured: float | None


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

    def read_all(self, keys: Iterable[VisitDetector]) -> dict[VisitDetector, Association]:
        """Return the times of many, most of them found with one pass over the tables."""
        self._known.update(self._by_lone_objects(None))
        return {key: self._known.get(key) or self._by_exclusion(key) for key in keys}

    def _run(self, query: Executable) -> Result[*tuple[Any, ...]]:
        # Small answers, many of them: a cursor for each would cost more than it saves.
        return self._connection.execute(query, execution_options={"stream_results": False})

    def of(self, key: VisitDetector) -> Association:
        """Return the time of one."""
        if key not in self._known:
            lone = self._by_lone_objects(key)
            self._known[key] = lone.get(key) or self._by_exclusion(key)
        return self._known[key]

    def _by_lone_objects(self, key: VisitDetector | None) -> dict[VisitDetector, Association]:
        """Use the DiaObjects with one version and one DiaSource, of which nearly every image has some.

        Looks at the objects of one image, or at all.
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
            (visit, detector): Association(first, ambiguous=first != last)
            for visit, detector, first, last in self._run(query)
        }

    def _by_exclusion(self, key: VisitDetector) -> Association:
        """Exclude the times at which something was written that the image does not have."""
        others = {each.time for other, each in self._known.items() if other != key and not each.ambiguous}
        shared = {time: count for time, count in self._possible_times(key) if time not in others}
        # Images whose objects are a part of this one's have fewer.
        times = sorted(time for time, count in shared.items() if count == max(shared.values()))
        if len(times) < 2:
            return Association(times[0] if times else None)
        newest = self._by_newest_image(key, times)
        if newest is not None:
            return Association(newest)
        assigned = assign_times(self._rivals(key, times), times)
        return Association(assigned.get(key, times[-1]), ambiguous=key not in assigned)

    def objects_of(self, key: VisitDetector) -> FromClause:
        """Return the DiaObjects that an image has DiaSources of, as a subquery of their identifiers."""
        sources = self._tables.dia_source
        return (
            select(sources.c.diaObjectId)
            .where(sources.c.visit == key[0], sources.c.detector == key[1], sources.c.diaObjectId != 0)
            .distinct()
            .subquery()
        )

    def _possible_times(self, key: VisitDetector) -> list[tuple[float, int]]:
        """Return the times at which versions were written of objects of the image only, and of how many."""
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
        return [(time, count) for time, count in self._run(query) if count == shared[time]]

    def _by_newest_image(self, key: VisitDetector, times: list[float]) -> float | None:
        """Take the time whose versions say that this image is the newest they know."""
        tables = self._tables
        objects, sources, mine = tables.dia_object, tables.dia_source, self.objects_of(key)
        middle = select(func.min(sources.c.midpointMjdTai)).where(
            sources.c.visit == key[0], sources.c.detector == key[1]
        )
        query = (
            select(tables.start)
            .join_from(objects, mine, objects.c.diaObjectId == mine.c.diaObjectId)
            .where(tables.start.in_(times), objects.c.lastDiaSourceMjdTai == middle.scalar_subquery())
            .distinct()
        )
        found = list(self._run(query).scalars())
        return found[0] if len(found) == 1 else None

    def _rivals(self, key: VisitDetector, times: list[float]) -> dict[VisitDetector, Clocks]:
        """Return the images that could have written at one of some times, this one among them."""
        tables = self._tables
        objects, sources, forced = tables.dia_object, tables.dia_source, tables.dia_forced_source
        written = select(objects.c.diaObjectId).where(tables.start == times[0]).subquery()
        size = select(func.count()).select_from(written).scalar_subquery()
        measured = (
            select(func.max(tables.forced_processed))
            .where(forced.c.visit == sources.c.visit, forced.c.detector == sources.c.detector)
            .correlate(sources)
            .scalar_subquery()
        )
        query = (
            select(
                sources.c.visit,
                sources.c.detector,
                func.min(sources.c.midpointMjdTai),
                func.min(tables.source_processed),
                measured,
            )
            .join_from(sources, written, sources.c.diaObjectId == written.c.diaObjectId)
            .group_by(sources.c.visit, sources.c.detector)
            .having(func.count(sources.c.diaObjectId.distinct()) == size)
        )
        rivals = {(visit, detector): Clocks(*clocks) for visit, detector, *clocks in self._run(query)}
        unknown = Association(times[0])
        return {
            rival: clocks
            for rival, clocks in rivals.items()
            if rival == key or self._known.get(rival, unknown).time in times
        }


def assign_times(
    rivals: Mapping[VisitDetector, Clocks], times: Iterable[float]
) -> dict[VisitDetector, float]:
    """Decide which of several images, that saw the same objects, was associated when.

    Parameters
    ----------
    rivals
        The images, each with what its rows say about time.
    times
        The times of their associations, MJD TAI.

    Returns
    -------
    assigned
        The time of each image for which it is certain.

    Notes
    -----
    An image with DiaForcedSources wrote at the first time after they were measured. The others are put in
    order if the time of exposure and the time of processing agree about it. With more times than images
    one was written twice, and nothing is certain.
    """
    left = sorted(times)
    if len(rivals) < len(left):
        return {}
    assigned: dict[VisitDetector, float] = {}
    measured = [(clocks.measured, key) for key, clocks in rivals.items() if clocks.measured is not None]
    for moment, key in sorted(measured, reverse=True):
        after = [time for time in left if time >= moment]
        if after:
            assigned[key] = after[0]
            left.remove(after[0])
    rest = {key: clocks for key, clocks in rivals.items() if key not in assigned}
    by_sky = sorted(rest, key=lambda key: (rest[key].midpoint, key))
    by_processing = sorted(rest, key=lambda key: (rest[key].processed, rest[key].midpoint, key))
    if len(rest) == len(left) and by_sky == by_processing:
        assigned.update(zip(by_sky, left, strict=True))
    return assigned


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
