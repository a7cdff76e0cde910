"""Undoing the association of (visit, detector)s, exactly, so that it can run again.

One association writes, in one transaction: its DiaSources and DiaForcedSources; a version of each DiaObject it
updated, starting at the time of the association, and that time as the end of the version before; that
version into DiaObjectLast; and what replication needs. All of that is taken back, from the latest association to
the earliest, and nothing else.
"""

__all__ = ["RollbackPlan", "plan_rollback", "roll_back"]

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import and_, exists, func, or_, select
from sqlalchemy.engine import Connection

from ..common.errors import ApdbError
from .associations import AssociationTimes
from .connection import reporting_errors
from .contents import read_metadata
from .findings import VisitDetector
from .opening import ApdbPlace, Reference, find_apdb
from .removal import count_rows_of, remove_association, sweep_chunks
from .tables import ApdbSqlTables, open_tables, snapshot

_SHOWN = 10


@dataclass(frozen=True)
class RollbackPlan:
    """What `roll_back` will take away.

    Parameters
    ----------
    place
        From which APDB.
    requested
        The (visit, detector)s that were named.
    later
        Those that built on them and go too.
    times
        When each was associated, MJD TAI, the latest first; `None` for one that wrote no DiaObject.
    rows
        How many rows of each table are deleted.
    reopened
        How many versions of DiaObjects become the latest again.
    tables
        The tables of the APDB.
    """

    place: ApdbPlace
    requested: tuple[VisitDetector, ...]
    later: tuple[VisitDetector, ...]
    times: Mapping[VisitDetector, float | None]
    rows: Mapping[str, int]
    reopened: int
    tables: ApdbSqlTables = field(repr=False, compare=False)

    def describe(self) -> list[str]:
        """Say in sentences what will be done."""
        lines = [
            f"undo the association of visit {visit}, detector {detector}"
            for visit, detector in self.requested
        ]
        lines += [
            f"undo the later association of visit {v}, detector {d}, built on it" for v, d in self.later
        ]
        lines += [f"delete {count} rows of {name}" for name, count in self.rows.items() if count]
        lines.append(f"reopen {self.reopened} versions of DiaObjects")
        return lines

    def as_dict(self) -> dict[str, Any]:
        """Return the plan for JSON."""
        return {
            **self.place.target.as_dict(),
            "requested": [list(key) for key in self.requested],
            "later": [list(key) for key in self.later],
            "deletes": dict(self.rows),
            "reopens": self.reopened,
            "actions": self.describe(),
        }


def plan_rollback(
    reference: Reference,
    visit_detectors: Iterable[VisitDetector],
    *,
    with_later: bool = False,
    namespace: str | None = None,
) -> RollbackPlan:
    """Find out what undoing associations takes away. Changes nothing.

    Parameters
    ----------
    reference, namespace
        Which APDB, as for `apcampaign.apdb.find_apdb`.
    visit_detectors
        Which associations.
    with_later
        Also undo the later associations that built on these.

    Raises
    ------
    ApdbError
        If one of them is not there, if later ones built on them, or if they have been changed since:
        withdrawn, deduplicated or replicated.
    """
    place = find_apdb(reference, namespace)
    _, tables = open_tables(place)
    with snapshot(place) as connection:
        return _plan(connection, place, tables, visit_detectors, with_later=with_later)


def roll_back(plan: RollbackPlan) -> RollbackPlan:
    """Undo associations as planned, in one transaction.

    Parameters
    ----------
    plan
        From `plan_rollback`.

    Returns
    -------
    plan
        What was done.

    Raises
    ------
    ApdbError
        If the APDB has changed since the plan was made, or refuses; then nothing is changed.
    """
    place, tables = plan.place, plan.tables
    with _writing(place, tables) as connection:
        now = _plan(connection, place, tables, plan.requested, with_later=bool(plan.later))
        if now != plan:
            raise ApdbError(
                f"the APDB in {place.target.place} has changed since the rollback was planned; look at it again"
            )
        chunks: set[int] = set()
        for key, time in now.times.items():
            chunks |= remove_association(connection, tables, key, time)
        sweep_chunks(connection, tables, chunks)
    return now


@contextmanager
def _writing(place: ApdbPlace, tables: ApdbSqlTables) -> Iterator[Connection]:
    """Connect for writing, and let nobody else write until the block ends."""
    with reporting_errors(place.target), place.engine().connect() as connection:
        if place.target.is_sqlite:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            quote = connection.dialect.identifier_preparer.format_table
            written = [tables.dia_object, tables.dia_source, tables.dia_forced_source]
            connection.exec_driver_sql("SET LOCAL lock_timeout = '30s'")
            connection.exec_driver_sql(
                f"LOCK TABLE {', '.join(map(quote, written))} IN SHARE ROW EXCLUSIVE MODE"
            )
        yield connection
        connection.commit()


def _plan(
    connection: Connection,
    place: ApdbPlace,
    tables: ApdbSqlTables,
    visit_detectors: Iterable[VisitDetector],
    *,
    with_later: bool,
) -> RollbackPlan:
    requested = tuple(dict.fromkeys(visit_detectors))
    for key in requested:
        if not any(count_rows_of(connection, tables, key, None)[0].values()):
            raise ApdbError(
                f"{_name(key)} is not in the APDB in {place.target.place}, so there is nothing to roll back"
            )
    clock = AssociationTimes(connection, tables)
    times = _with_later(connection, tables, clock, requested)
    later = tuple(sorted(set(times) - set(requested), key=lambda key: (times[key] or 0, key)))
    if later and not with_later:
        raise ApdbError(
            f"{len(later)} later associations built on {_names(requested)}: {_names(later)}; roll them back "
            "too with --with-later, and associate all of them again in time order"
        )
    for key, time in times.items():
        _refuse_changed(connection, tables, key, time)
    _refuse_deduplicated(read_metadata(connection, tables.namespace, tables.prefix), times)
    rows: Counter[str] = Counter()
    for key, time in times.items():
        rows.update(count_rows_of(connection, tables, key, time)[0])
    reopened = _count_reopened(connection, tables, times)
    return RollbackPlan(place, requested, later, times, dict(rows), reopened, tables)


def _with_later(
    connection: Connection,
    tables: ApdbSqlTables,
    clock: AssociationTimes,
    requested: Collection[VisitDetector],
) -> dict[VisitDetector, float | None]:
    """Add the associations that built on others; return when each happened, the latest first."""
    times: dict[VisitDetector, float | None] = {}
    front = list(requested)
    while front:
        key = front.pop()
        if key in times:
            continue
        association = clock.of(key)
        if association.ambiguous:
            raise ApdbError(
                f"it cannot be told which versions of DiaObjects {_name(key)} wrote: it was written twice, or "
                "other images saw the same objects and nothing tells which came first; make a new APDB"
            )
        times[key] = association.time
        front += _built_on(connection, tables, clock, key, association.time)
    return dict(sorted(times.items(), key=lambda item: (item[1] or 0.0, item[0]), reverse=True))


def _built_on(
    connection: Connection,
    tables: ApdbSqlTables,
    clock: AssociationTimes,
    key: VisitDetector,
    time: float | None,
) -> set[VisitDetector]:
    """Return the later associations that used the DiaObjects of one, or what may be such."""
    sources, forced = tables.dia_source, tables.dia_forced_source
    if time is None:
        # It was not written before it was processed, and more is not known.
        processed = select(func.max(tables.source_processed)).where(
            sources.c.visit == key[0], sources.c.detector == key[1]
        )
        time = connection.execute(processed).scalar_one()
        if time is None:
            return set()
    mine = clock.objects_of(key)
    matched = select(sources.c.visit, sources.c.detector).where(sources.c.diaObjectId.in_(select(mine)))
    rivals = {(visit, detector) for visit, detector in connection.execute(matched.distinct())} - {key}
    later = {rival for rival in rivals if max(clock.of(rival).times, default=time) > time}
    measured = select(forced.c.visit, forced.c.detector).where(
        forced.c.diaObjectId.in_(select(mine)), tables.forced_processed > time
    )
    found = {(visit, detector) for visit, detector in connection.execute(measured.distinct())}
    return (later | found) - {key}


def _refuse_changed(
    connection: Connection, tables: ApdbSqlTables, key: VisitDetector, time: float | None
) -> None:
    """Refuse what somebody has worked on since: what they did would be lost, or contradict what is left."""
    sources, forced, objects = tables.dia_source, tables.dia_forced_source, tables.dia_object
    mine = and_(sources.c.visit == key[0], sources.c.detector == key[1])
    measured = and_(forced.c.visit == key[0], forced.c.detector == key[1])
    changed = {
        "sources of it have been withdrawn": or_(
            exists().where(mine, tables.source_withdrawn.is_not(None)),
            exists().where(measured, tables.forced_withdrawn.is_not(None)),
        ),
        "sources of it have been given to solar system objects": exists().where(
            mine, tables.reassociated.is_not(None)
        ),
    }
    objects_of_it = select(sources.c.diaObjectId).where(mine, sources.c.diaObjectId != 0)
    images = (
        select(sources.c.diaObjectId, sources.c.visit, sources.c.detector)
        .where(sources.c.diaObjectId.in_(objects_of_it))
        .distinct()
        .subquery()
    )
    number = select(func.count()).where(images.c.diaObjectId == objects.c.diaObjectId).correlate(objects)
    changed["it was written more than once"] = exists(
        select(objects.c.diaObjectId)
        .where(objects.c.diaObjectId.in_(objects_of_it))
        .group_by(objects.c.diaObjectId)
        .having(func.count() > number.scalar_subquery())
    )
    if time is not None:
        after = objects.alias()
        changed["DiaObjects of it have been closed by deduplication"] = exists().where(
            tables.start == time,
            tables.end.is_not(None),
            ~exists()
            .where(after.c.diaObjectId == objects.c.diaObjectId, after.c[tables.start.name] == tables.end)
            .correlate(objects),
            objects.c.diaObjectId.in_(objects_of_it),
        )
    if tables.replica:
        chunks = tables.table("DiaSourceChunks", "diaSourceId")
        changed["it has been replicated to the PPDB"] = exists().where(
            mine, ~exists().where(chunks.c.diaSourceId == sources.c.diaSourceId).correlate(sources)
        )
    for reason, condition in changed.items():
        if connection.execute(select(condition)).scalar_one():
            raise ApdbError(f"{_name(key)} cannot be rolled back: {reason}; make a new APDB")


def _refuse_deduplicated(metadata: Mapping[str, str], times: Mapping[VisitDetector, float | None]) -> None:
    from astropy.time import Time

    state = metadata.get("status:deduplication.json")
    if state is None:
        return
    done = float(Time(json.loads(state)["dedup_time_iso_tai"], format="iso", scale="tai").mjd)
    for key, time in times.items():
        if time is not None and time <= done:
            raise ApdbError(
                f"{_name(key)} cannot be rolled back: the APDB has been deduplicated since; make a new one"
            )


def _count_reopened(
    connection: Connection, tables: ApdbSqlTables, times: Mapping[VisitDetector, float | None]
) -> int:
    """Count the versions that end when a removed one starts, and stay themselves."""
    removed = [time for time in times.values() if time is not None]
    query = (
        select(func.count())
        .select_from(tables.dia_object)
        .where(tables.end.in_(removed), tables.start.not_in(removed))
    )
    return int(connection.execute(query).scalar_one())


def _name(key: VisitDetector) -> str:
    return f"visit {key[0]}, detector {key[1]}"


def _names(keys: Collection[VisitDetector]) -> str:
    shown = [f"({visit}, {detector})" for visit, detector in list(keys)[:_SHOWN]]
    return ", ".join(shown) + (f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else "")
