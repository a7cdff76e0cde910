"""Versions of DiaObjects that are left of associations whose other rows are gone, and their deletion.

All versions that one association writes start at its time. A time that is none of those of the associations that
are in the APDB is that of one that is not, or not any more.
"""

__all__ = ["count_leftovers", "delete_leftovers", "find_leftovers"]

from collections.abc import Collection, Iterable

from sqlalchemy import delete, func, select, update
from sqlalchemy.engine import Connection

from ..common.errors import ApdbError
from .associations import AssociationTimes, stored_associations
from .changes import name_association
from .deletion import restore_last
from .findings import VisitDetector
from .tables import ApdbSqlTables

_CHUNK = "apdb_replica_chunk"


def find_leftovers(
    connection: Connection,
    tables: ApdbSqlTables,
    clock: AssociationTimes,
    removed: Collection[VisitDetector],
) -> tuple[float, ...]:
    """Find the times at which versions were written that no association which stays has written, the latest first.

    Parameters
    ----------
    connection, tables, clock
        The APDB, and what knows its associations' times.
    removed
        The (visit, detector)s that are rolled back, with the versions that they wrote.

    Raises
    ------
    ApdbError
        If the time of an association cannot be determined.
    """
    written = set(connection.execute(select(tables.start).distinct()).scalars())
    stored = [row.key for row in stored_associations(connection, tables)]
    for key, association in clock.read_all(stored).items():
        if association.ambiguous and key not in removed:
            raise ApdbError(
                f"it cannot be determined which versions of DiaObjects {name_association(key)} wrote, so that "
                "those of lost associations are not known",
                remedy="create a new APDB",
            )
        written -= set(association.times)
    return tuple(sorted(written, reverse=True))


def count_leftovers(connection: Connection, tables: ApdbSqlTables, times: Iterable[float]) -> int:
    """Count the versions that were written at some times."""
    query = select(func.count()).select_from(tables.dia_object).where(tables.start.in_(list(times)))
    return int(connection.execute(query).scalar_one())


def delete_leftovers(connection: Connection, tables: ApdbSqlTables, times: Iterable[float]) -> set[int]:
    """Delete the versions that were written at some times, the latest first, and reopen those before them.

    Returns
    -------
    chunks
        The replica chunks that rows were deleted from.
    """
    objects = tables.dia_object
    chunks: set[int] = set()
    for time in times:
        ids = list(connection.execute(select(objects.c.diaObjectId).where(tables.start == time)).scalars())
        if tables.replica:
            tracked = tables.table("DiaObjectChunks", _CHUNK, tables.start.name)
            mine = tracked.c[tables.start.name] == time
            chunks.update(connection.execute(select(tracked.c[_CHUNK]).where(mine).distinct()).scalars())
            connection.execute(delete(tracked).where(mine))
        connection.execute(delete(objects).where(tables.start == time))
        connection.execute(update(objects).where(tables.end == time).values({tables.end.name: None}))
        if tables.dia_object_last is not None:
            restore_last(connection, tables, tables.dia_object_last, ids)
    return chunks
