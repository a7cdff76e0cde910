"""Later changes to what an association wrote, such as deduplication, which forbid rolling it back."""

__all__ = ["name_association", "refuse_changed", "refuse_deduplicated"]

import json
from collections.abc import Mapping

from sqlalchemy import and_, exists, func, or_, select
from sqlalchemy.engine import Connection

from ..common.errors import ApdbError
from .findings import VisitDetector
from .tables import ApdbSqlTables


def name_association(key: VisitDetector) -> str:
    """Name an association, for messages."""
    return f"visit {key[0]}, detector {key[1]}"


def refuse_changed(
    connection: Connection,
    tables: ApdbSqlTables,
    key: VisitDetector,
    time: float | None,
    *,
    beside_lost: bool = False,
) -> None:
    """Refuse to roll back what has been changed since: the changes would be lost, or contradict what is left.

    Parameters
    ----------
    connection, tables
        The APDB.
    key, time
        The association, and when it was written.
    beside_lost
        Whether others were lost, of which versions of its DiaObjects are left: that these have more versions than
        images is then no sign that it was written twice.

    Raises
    ------
    ApdbError
        If it has been withdrawn, reassigned, deduplicated or replicated, or was written twice.
    """
    sources, forced, objects = tables.dia_source, tables.dia_forced_source, tables.dia_object
    mine = and_(sources.c.visit == key[0], sources.c.detector == key[1])
    measured = and_(forced.c.visit == key[0], forced.c.detector == key[1])
    changed = {
        "its sources have been withdrawn": or_(
            exists().where(mine, tables.source_withdrawn.is_not(None)),
            exists().where(measured, tables.forced_withdrawn.is_not(None)),
        ),
        "its sources have been reassigned to solar system objects": exists().where(
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
    if not beside_lost:
        changed["it was written more than once"] = exists(
            select(objects.c.diaObjectId)
            .where(objects.c.diaObjectId.in_(objects_of_it))
            .group_by(objects.c.diaObjectId)
            .having(func.count() > number.scalar_subquery())
        )
    if time is not None:
        after = objects.alias()
        changed["its DiaObjects have been closed by deduplication"] = exists().where(
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
            raise ApdbError(
                f"{name_association(key)} cannot be rolled back: {reason}", remedy="create a new APDB"
            )


def refuse_deduplicated(metadata: Mapping[str, str], times: Mapping[VisitDetector, float | None]) -> None:
    """Refuse to roll back associations from before the last deduplication.

    Raises
    ------
    ApdbError
        If one of them is.
    """
    from astropy.time import Time

    state = metadata.get("status:deduplication.json")
    if state is None:
        return
    done = float(Time(json.loads(state)["dedup_time_iso_tai"], format="iso", scale="tai").mjd)
    for key, time in times.items():
        if time is not None and time <= done:
            raise ApdbError(
                f"{name_association(key)} cannot be rolled back: the APDB has been deduplicated since",
                remedy="create a new APDB",
            )
