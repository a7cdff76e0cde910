"""SQL statements that delete one association from an APDB."""

__all__ = ["count_association", "delete_association", "refresh_chunks", "restore_last"]

import uuid
from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from typing import Any

import sqlalchemy
from sqlalchemy import delete, exists, func, insert, select, update
from sqlalchemy.engine import Connection
from sqlalchemy.sql.expression import ColumnElement, TableClause

from .findings import VisitDetector
from .tables import ApdbSqlTables

# The tables that say which rows are replicated to the PPDB together, and the columns that name the rows.
_CHUNKS = {
    "DiaObjectChunks": ("diaObjectId",),
    "DiaSourceChunks": ("diaSourceId",),
    "DiaForcedSourceChunks": ("diaObjectId", "visit", "detector"),
}
_CHUNK = "apdb_replica_chunk"

Condition = ColumnElement[bool]


def count_association(
    connection: Connection, tables: ApdbSqlTables, key: VisitDetector, time: float | None
) -> tuple[dict[str, int], set[int]]:
    """Count the rows that one association wrote.

    Returns
    -------
    rows, chunks
        Number of rows of each table, and the replica chunks that they belong to.
    """
    rows = {}
    chunks: set[int] = set()
    for table, condition in _written(tables, key, time):
        query = select(func.count()).select_from(table).where(condition)
        rows[table.name.removeprefix(tables.prefix)] = int(connection.execute(query).scalar_one())
        if _CHUNK in table.c:
            query = select(table.c[_CHUNK]).where(condition).distinct()
            chunks.update(connection.execute(query).scalars())
    return rows, chunks


def delete_association(
    connection: Connection, tables: ApdbSqlTables, key: VisitDetector, time: float | None
) -> set[int]:
    """Delete what one association wrote, which no later one has built on.

    Returns
    -------
    chunks
        The replica chunks that rows were deleted from.
    """
    _, chunks = count_association(connection, tables, key, time)
    objects = tables.dia_object
    mine = _objects_of(tables, key)
    written = _written(tables, key, time)
    # Last come the sources, from which the others are found.
    for table, condition in written[:-1]:
        connection.execute(delete(table).where(condition))
    if time is not None:
        reopen = objects.c.diaObjectId.in_(mine) & (tables.end == time)
        connection.execute(update(objects).where(reopen).values({tables.end.name: None}))
        if tables.dia_object_last is not None:
            restore_last(connection, tables, tables.dia_object_last, mine)
    connection.execute(delete(written[-1][0]).where(written[-1][1]))
    return chunks


def refresh_chunks(connection: Connection, tables: ApdbSqlTables, chunks: Iterable[int]) -> None:
    """Delete replica chunks that have become empty, and mark the others as changed.

    A chunk's time becomes that of the latest association left in it.
    """
    from astropy.time import Time
    from lsst.dax.apdb.sql import GUID

    if not tables.replica:
        return
    parent = sqlalchemy.table(
        f"{tables.prefix}ApdbReplicaChunks",
        sqlalchemy.column(_CHUNK),
        # Each `Apdb.store` gives a chunk a new one, by which replication sees that it has changed.
        sqlalchemy.column("unique_id", GUID()),
        sqlalchemy.column("last_update_time", sqlalchemy.TIMESTAMP(timezone=True)),
        schema=tables.namespace,
    )
    versions = tables.table("DiaObjectChunks", _CHUNK, tables.start.name)
    for chunk in sorted(chunks):
        used = [
            exists().where(tables.table(name, _CHUNK).c[_CHUNK] == chunk)
            for name in (*_CHUNKS, "ApdbUpdateRecordChunks")
        ]
        this = parent.c[_CHUNK] == chunk
        if connection.execute(select(sqlalchemy.or_(*used))).scalar_one():
            changes: dict[str, Any] = {"unique_id": uuid.uuid4()}
            latest = select(func.max(versions.c[tables.start.name])).where(versions.c[_CHUNK] == chunk)
            mjd = connection.execute(latest).scalar_one()
            if mjd is not None:
                # As lsst.dax.apdb writes it: TAI, labelled UTC.
                seconds = Time(mjd, format="mjd", scale="tai").unix_tai
                changes["last_update_time"] = datetime.fromtimestamp(seconds, tz=UTC)
            connection.execute(update(parent).where(this).values(changes))
        else:
            connection.execute(delete(parent).where(this))


def _written(
    tables: ApdbSqlTables, key: VisitDetector, time: float | None
) -> list[tuple[TableClause, Condition]]:
    """List the tables and conditions of what one association wrote, in an order in which it can be deleted."""
    visit, detector = key
    sources, forced, objects = tables.dia_source, tables.dia_forced_source, tables.dia_object
    of_sources = (sources.c.visit == visit) & (sources.c.detector == detector)
    of_forced = (forced.c.visit == visit) & (forced.c.detector == detector)
    written: list[tuple[TableClause, Condition]] = []
    if tables.replica:
        tracked = tables.table("DiaForcedSourceChunks", _CHUNK, "visit", "detector")
        written.append((tracked, (tracked.c.visit == visit) & (tracked.c.detector == detector)))
        tracked = tables.table("DiaSourceChunks", _CHUNK, "diaSourceId")
        ids = select(sources.c.diaSourceId).where(of_sources)
        written.append((tracked, tracked.c.diaSourceId.in_(ids)))
    if time is not None:
        mine = _objects_of(tables, key)
        if tables.replica:
            start = tables.start.name
            tracked = tables.table("DiaObjectChunks", _CHUNK, "diaObjectId", start)
            written.append((tracked, (tracked.c[start] == time) & tracked.c.diaObjectId.in_(mine)))
        written.append((objects, (tables.start == time) & objects.c.diaObjectId.in_(mine)))
    written.append((forced, of_forced))
    written.append((sources, of_sources))
    return written


def _objects_of(tables: ApdbSqlTables, key: VisitDetector) -> "sqlalchemy.Select[Any]":
    sources = tables.dia_source
    return select(sources.c.diaObjectId).where(
        sources.c.visit == key[0], sources.c.detector == key[1], sources.c.diaObjectId != 0
    )


def restore_last(
    connection: Connection,
    tables: ApdbSqlTables,
    last: TableClause,
    mine: "sqlalchemy.Select[Any] | Collection[int]",
) -> None:
    """Insert the versions of some DiaObjects that are now the latest into DiaObjectLast."""
    connection.execute(delete(last).where(last.c.diaObjectId.in_(mine)))
    columns = sqlalchemy.inspect(connection).get_columns(last.name, tables.namespace)
    names = [str(column["name"]) for column in columns]
    source = tables.table("DiaObject", *dict.fromkeys([*names, "diaObjectId", tables.end.name]))
    latest = select(*(source.c[name] for name in names)).where(
        source.c[tables.end.name].is_(None), source.c.diaObjectId.in_(mine)
    )
    target = tables.table("DiaObjectLast", *names)
    connection.execute(insert(target).from_select(names, latest))
