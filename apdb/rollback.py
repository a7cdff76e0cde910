"""Rollback of associations: removes exactly what (visit, detector)s wrote, so that they can run again.

One association writes, in one transaction: its DiaSources and DiaForcedSources; a version of each DiaObject it
updated, starting at the time of the association, and that time as the end of the version before; that
version into DiaObjectLast; and what replication needs. All of that is rolled back, from the latest association
to the earliest, and nothing else.
"""

__all__ = ["RollbackPlan", "plan_rollback", "roll_back"]

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.engine import Connection

from ..common.errors import ApdbError
from ..common.text import count
from .associations import AssociationTimes
from .changes import name_association, refuse_changed, refuse_deduplicated
from .deletion import count_association, delete_association, refresh_chunks
from .findings import VisitDetector
from .leftovers import count_leftovers, delete_leftovers, find_leftovers
from .locate import ApdbPlace, Reference, find_apdb
from .namespace import read_metadata
from .tables import ApdbSqlTables, open_tables, snapshot, writing

_SHOWN = 10


@dataclass(frozen=True)
class RollbackPlan:
    """What `roll_back` will do.

    Parameters
    ----------
    place
        Which APDB.
    requested
        The (visit, detector)s that were named.
    later
        Later ones that built on them and are rolled back too.
    times
        When each was associated, MJD TAI, the latest first; `None` for one that wrote no DiaObject.
    rows
        How many rows of each table are deleted.
    reopened
        How many versions of DiaObjects become the latest again.
    tables
        The tables of the APDB.
    leftovers
        The times of lost associations of which versions of DiaObjects are left, which are deleted too.
    """

    place: ApdbPlace
    requested: tuple[VisitDetector, ...]
    later: tuple[VisitDetector, ...]
    times: Mapping[VisitDetector, float | None]
    rows: Mapping[str, int]
    reopened: int
    tables: ApdbSqlTables = field(repr=False, compare=False)
    leftovers: tuple[float, ...] = ()

    def describe(self) -> list[str]:
        """Say in sentences what will be done."""
        lines = [
            f"roll back the association of visit {visit}, detector {detector}"
            for visit, detector in self.requested
        ]
        lines += [
            f"roll back the later association of visit {v}, detector {d}, built on it" for v, d in self.later
        ]
        if self.leftovers:
            lost = count(len(self.leftovers), "lost association")
            lines.append(f"delete the versions of DiaObjects that are left of {lost}")
        lines += [f"delete {number} rows of {name}" for name, number in self.rows.items() if number]
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
    with_leftovers: bool = False,
    namespace: str | None = None,
) -> RollbackPlan:
    """Find out what rolling back associations does. Changes nothing.

    Parameters
    ----------
    reference, namespace
        Which APDB, as for `apcampaign.apdb.find_apdb`.
    visit_detectors
        Which associations.
    with_later
        Also roll back the later associations that built on these.
    with_leftovers
        Also delete the versions of DiaObjects that are left of associations whose other rows are gone.

    Raises
    ------
    ApdbError
        If one of them is not in the APDB, if later ones built on them, or if they have been changed since:
        withdrawn, deduplicated or replicated.
    """
    place = find_apdb(reference, namespace)
    _, tables = open_tables(place)
    with snapshot(place) as connection:
        return _plan(
            connection, place, tables, visit_detectors, with_later=with_later, with_leftovers=with_leftovers
        )


def roll_back(plan: RollbackPlan) -> RollbackPlan:
    """Roll back associations as planned, in one transaction.

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
    with writing(place, tables) as connection:
        now = _plan(
            connection,
            place,
            tables,
            plan.requested,
            with_later=bool(plan.later),
            with_leftovers=bool(plan.leftovers),
        )
        if now != plan:
            raise ApdbError(
                f"the APDB in {place.target.place} has changed since the rollback was planned",
                remedy="plan it again",
            )
        chunks: set[int] = set()
        for key, time in now.times.items():
            chunks |= delete_association(connection, tables, key, time)
        chunks |= delete_leftovers(connection, tables, now.leftovers)
        refresh_chunks(connection, tables, chunks)
    return now


def _plan(
    connection: Connection,
    place: ApdbPlace,
    tables: ApdbSqlTables,
    visit_detectors: Iterable[VisitDetector],
    *,
    with_later: bool,
    with_leftovers: bool,
) -> RollbackPlan:
    requested = tuple(dict.fromkeys(visit_detectors))
    for key in requested:
        if not any(count_association(connection, tables, key, None)[0].values()):
            raise ApdbError(
                f"{name_association(key)} is not in the APDB in {place.target.place}",
                remedy="correct the visit and detector, or leave them out",
            )
    clock = AssociationTimes(connection, tables)
    times = _with_later(connection, tables, clock, requested)
    later = tuple(sorted(set(times) - set(requested), key=lambda key: (times[key] or 0, key)))
    if later and not with_later:
        raise ApdbError(
            f"{len(later)} later associations built on {_names(requested)}: {_names(later)}",
            remedy="roll them back too with --with-later, and associate all of them again in time order",
        )
    for key, time in times.items():
        refuse_changed(connection, tables, key, time, beside_lost=with_leftovers)
    refuse_deduplicated(read_metadata(connection, tables.namespace, tables.prefix), times)
    rows: Counter[str] = Counter()
    for key, time in times.items():
        rows.update(count_association(connection, tables, key, time)[0])
    leftovers = find_leftovers(connection, tables, clock, times) if with_leftovers else ()
    if leftovers:
        rows["DiaObject"] += count_leftovers(connection, tables, leftovers)
    reopened = _count_reopened(connection, tables, {*times.values(), *leftovers} - {None})
    return RollbackPlan(place, requested, later, times, dict(rows), reopened, tables, leftovers)


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
                f"it cannot be determined which versions of DiaObjects {name_association(key)} wrote: it was "
                "written twice, or other images saw the same objects and nothing shows which came first",
                remedy="create a new APDB",
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
    """Find the later associations that used the DiaObjects of one, or may have used them."""
    sources, forced = tables.dia_source, tables.dia_forced_source
    if time is None:
        # It was not written before it was processed; no more is known.
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


def _count_reopened(connection: Connection, tables: ApdbSqlTables, times: Collection[float | None]) -> int:
    """Count the versions that end when a deleted one starts, and are not deleted themselves."""
    removed = [time for time in times if time is not None]
    query = (
        select(func.count())
        .select_from(tables.dia_object)
        .where(tables.end.in_(removed), tables.start.not_in(removed))
    )
    return int(connection.execute(query).scalar_one())


def _names(keys: Collection[VisitDetector]) -> str:
    shown = [f"({visit}, {detector})" for visit, detector in list(keys)[:_SHOWN]]
    return ", ".join(shown) + (f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else "")
