"""Checks of an APDB's internal consistency: orphans, duplicates, versions of DiaObjects, time order.

Each reads its tables once and yields findings as a stream. The comparison with what other sources say was
associated is in `findings`.
"""

__all__ = [
    "check_duplicates",
    "check_last_versions",
    "check_orphans",
    "check_time_order",
    "check_validity",
]

from collections.abc import Iterator, Mapping
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Any, Literal

from sqlalchemy import and_, exists, func, or_, select
from sqlalchemy.engine import Connection
from sqlalchemy.sql.expression import ColumnElement, TableClause

from .findings import ApdbFinding, ApdbFindingKind, VisitDetector
from .tables import ApdbSqlTables

Order = Literal["sky", "detector"]

# HTM pixels of this level have sides of 10″: images with a source in the same one certainly overlap.
_SHARED_SKY_LEVEL = 15


def check_orphans(connection: Connection, tables: ApdbSqlTables) -> Iterator[ApdbFinding]:
    """Look for DiaSources of no DiaObject and no SSObject, and DiaForcedSources of no DiaObject."""
    sources, forced = tables.dia_source, tables.dia_forced_source
    has_object = and_(sources.c.diaObjectId.is_not(None), sources.c.diaObjectId != 0)
    has_ss_object = and_(sources.c.ssObjectId.is_not(None), sources.c.ssObjectId != 0)
    lost = and_(has_object, ~_object_exists(sources, tables))
    unassociated = and_(~_true(has_object), ~_true(has_ss_object))
    for table, condition, name in [
        (sources, lost, "DiaSources whose DiaObject does not exist"),
        (sources, unassociated, "DiaSources with neither a DiaObject nor a solar system object"),
        (forced, ~_object_exists(forced, tables), "DiaForcedSources whose DiaObject does not exist"),
    ]:
        identity = "diaForcedSourceId" if table is forced else "diaSourceId"
        query = (
            select(table.c.visit, table.c.detector, func.count(), func.min(table.c[identity]))
            .where(condition)
            .group_by(table.c.visit, table.c.detector)
            .order_by(table.c.visit, table.c.detector)
        )
        for visit, detector, rows, first in connection.execute(query):
            yield ApdbFinding(
                ApdbFindingKind.ORPHAN, f"{rows} {name}, such as {first}", visit, detector, rows
            )


def check_duplicates(connection: Connection, tables: ApdbSqlTables) -> Iterator[ApdbFinding]:
    """Look for IDs that more than one row has."""
    for table, identity in [
        (tables.dia_source, "diaSourceId"),
        (tables.dia_forced_source, "diaForcedSourceId"),
    ]:
        query = (
            select(
                table.c[identity],
                func.count(),
                func.min(table.c.visit),
                func.min(table.c.detector),
            )
            .group_by(table.c[identity])
            .having(func.count() > 1)
            .order_by(table.c[identity])
        )
        for value, rows, visit, detector in connection.execute(query):
            yield ApdbFinding(
                ApdbFindingKind.DUPLICATE, f"{rows} rows have {identity} {value}", visit, detector, rows
            )


def check_validity(connection: Connection, tables: ApdbSqlTables) -> Iterator[ApdbFinding]:
    """Look for gaps and overlaps between the versions of a DiaObject.

    Each version must end when the next one starts. The last one is open, or was closed by deduplication.
    """
    objects, start, end = tables.dia_object, tables.start, tables.end
    following = func.lead(start).over(partition_by=objects.c.diaObjectId, order_by=start)
    chain = select(
        objects.c.diaObjectId, start.label("start"), end.label("end"), following.label("following")
    ).subquery()
    query = (
        select(chain)
        .where(
            or_(
                chain.c.end <= chain.c.start,
                and_(
                    chain.c.following.is_not(None),
                    or_(chain.c.end.is_(None), chain.c.end != chain.c.following),
                ),
            )
        )
        .order_by(chain.c.diaObjectId, chain.c.start)
    )
    for identity, first, last, after in connection.execute(query):
        version = f"DiaObject {identity}: the version from {first}"
        if last is not None and last <= first:
            message = f"{version} ends at {last}, not after its start"
        elif last is None or last > after:
            message = f"{version} overlaps the next from {after}: it {_ends(last)}"
        else:
            message = f"{version} leaves a gap to the next from {after}: it {_ends(last)}"
        yield ApdbFinding(ApdbFindingKind.VALIDITY, message)


def check_last_versions(connection: Connection, tables: ApdbSqlTables) -> Iterator[ApdbFinding]:
    """Look for differences between DiaObjectLast and the open versions of DiaObject."""
    last, objects = tables.dia_object_last, tables.dia_object
    if last is None:
        return
    last_start = last.c[tables.start.name]
    same = and_(last.c.diaObjectId == objects.c.diaObjectId, last_start == tables.start, tables.end.is_(None))
    stale = select(last.c.diaObjectId).where(~exists().where(same).correlate(last))
    query = select(stale.order_by(last.c.diaObjectId).subquery())
    for (identity,) in connection.execute(query):
        yield ApdbFinding(
            ApdbFindingKind.LAST,
            f"DiaObject {identity}: DiaObjectLast has a version that is not the open one",
        )
    absent = (
        select(objects.c.diaObjectId)
        .where(tables.end.is_(None), ~exists().where(same).correlate(objects))
        .order_by(objects.c.diaObjectId)
    )
    for (identity,) in connection.execute(absent):
        yield ApdbFinding(
            ApdbFindingKind.LAST, f"DiaObject {identity}: its open version is not in DiaObjectLast"
        )


def check_time_order(
    connection: Connection,
    tables: ApdbSqlTables,
    midpoints: Mapping[VisitDetector, float],
    times: Mapping[VisitDetector, float],
    order: Order,
) -> Iterator[ApdbFinding]:
    """Look for visits that were associated before earlier ones of the same sky, or of the same detector.

    Parameters
    ----------
    connection, tables
        The APDB.
    midpoints
        Middle of the exposure of each (visit, detector), MJD TAI.
    times
        When each was associated, MJD TAI, where it is known.
    order
        ``"sky"``: visits must be in order where both have a DiaSource on the same 10″ of sky.
        ``"detector"``: all visits of one detector must be.
    """
    groups = _by_sky(connection, tables) if order == "sky" else _by_detector(times)
    seen = set()
    for group in groups:
        known = sorted((midpoints[key], key) for key in group if key in times and key in midpoints)
        for (before, early), (after, late) in pairwise(known):
            if before < after and times[early] > times[late] and (early, late) not in seen:
                seen.add((early, late))
                where = "saw the same sky" if order == "sky" else "was of the same detector"
                yield ApdbFinding(
                    ApdbFindingKind.ORDER,
                    f"associated at {times[early]:.6f}, after visit {late[0]}, detector {late[1]} "
                    f"({times[late]:.6f}), which {where} {(after - before) * 1440:.1f} minutes later",
                    *early,
                )


def _by_sky(connection: Connection, tables: ApdbSqlTables) -> Iterator[set[VisitDetector]]:
    """Group the (visit, detector)s that have a source in the same part of the sky."""
    sources = tables.dia_source
    cells = 4 ** max(0, tables.pixel_level - _SHARED_SKY_LEVEL)
    sky: ColumnElement[Any] = (tables.pixel.op("/")(cells)).label("sky")
    query = select(sky, sources.c.visit, sources.c.detector).distinct().order_by("sky")
    for _, rows in groupby(connection.execute(query), key=itemgetter(0)):
        group = {(row[1], row[2]) for row in rows}
        if len(group) > 1:
            yield group


def _by_detector(keys: Mapping[VisitDetector, float]) -> Iterator[list[VisitDetector]]:
    for _, group in groupby(sorted(keys, key=itemgetter(1)), key=itemgetter(1)):
        yield list(group)


def _object_exists(table: TableClause, tables: ApdbSqlTables) -> ColumnElement[bool]:
    objects = tables.dia_object
    return exists().where(objects.c.diaObjectId == table.c.diaObjectId).correlate(table)


def _true(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """Make a condition false where it is NULL."""
    return func.coalesce(condition, False)


def _ends(time: Any) -> str:
    return "has no end" if time is None else f"ends at {time}"
