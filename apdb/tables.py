"""SQLAlchemy tables and columns of an APDB, whatever its schema version and options."""

__all__ = ["ApdbSqlTables", "open_tables", "snapshot", "writing"]

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy.engine import Connection
from sqlalchemy.sql.expression import ColumnElement, TableClause

from .connection import reporting_errors
from .locate import ApdbPlace

if TYPE_CHECKING:
    from lsst.dax.apdb import ApdbSql

Column = ColumnElement[Any]


@dataclass(frozen=True)
class ApdbSqlTables:
    """The tables of an APDB, with the columns that are used here.

    Parameters
    ----------
    dia_object, dia_source, dia_forced_source
        The three catalogues.
    dia_object_last
        The latest version of each DiaObject, if the APDB is indexed that way.
    replica
        Whether the tables for replication exist.
    start, end
        Validity of a version of a DiaObject.
    source_processed, forced_processed
        When a source was processed.
    source_withdrawn, forced_withdrawn
        When a source was withdrawn.
    reassociated
        When a source was reassigned to a solar system object.
    pixel
        HTM index of a DiaSource.
    pixel_level
        Its level.
    prefix, namespace
        The prefix of the tables' names, and their schema.
    """

    dia_object: TableClause
    dia_source: TableClause
    dia_forced_source: TableClause
    dia_object_last: TableClause | None
    replica: bool
    start: Column
    end: Column
    source_processed: Column
    forced_processed: Column
    source_withdrawn: Column
    forced_withdrawn: Column
    reassociated: Column
    pixel: Column
    pixel_level: int
    prefix: str
    namespace: str | None

    def table(self, name: str, *columns: str) -> TableClause:
        """Make any other table of the APDB."""
        return sqlalchemy.table(self.prefix + name, *map(sqlalchemy.column, columns), schema=self.namespace)


def open_tables(place: ApdbPlace) -> "tuple[ApdbSql, ApdbSqlTables]":
    """Open an APDB, which checks its versions, and make its tables."""
    apdb = place.open()
    config = apdb.getConfig()
    named = apdb.schema.timestamp_column_name
    start, end = named("validityStart"), named("validityEnd")
    processed, withdrawn = named("time_processed"), named("time_withdrawn")
    reassociated = named("ssObjectReassocTime")
    pixel = config.pixelization.htm_index_column

    def table(name: str, *columns: str) -> TableClause:
        return sqlalchemy.table(
            config.prefix + name, *map(sqlalchemy.column, columns), schema=config.namespace
        )

    seen = ("visit", "detector", "diaObjectId", "midpointMjdTai", processed, withdrawn)
    objects = table("DiaObject", "diaObjectId", start, end, "nDiaSources", "lastDiaSourceMjdTai", pixel)
    sources = table("DiaSource", "diaSourceId", "ssObjectId", reassociated, pixel, *seen)
    forced = table("DiaForcedSource", "diaForcedSourceId", *seen)
    has_last = config.dia_object_index == "last_object_table"
    return apdb, ApdbSqlTables(
        dia_object=objects,
        dia_source=sources,
        dia_forced_source=forced,
        dia_object_last=table("DiaObjectLast", "diaObjectId", start) if has_last else None,
        replica=config.enable_replica,
        start=objects.c[start],
        end=objects.c[end],
        source_processed=sources.c[processed],
        forced_processed=forced.c[processed],
        source_withdrawn=sources.c[withdrawn],
        forced_withdrawn=forced.c[withdrawn],
        reassociated=sources.c[reassociated],
        pixel=sources.c[pixel],
        pixel_level=config.pixelization.htm_level,
        prefix=config.prefix,
        namespace=config.namespace,
    )


@contextmanager
def snapshot(place: ApdbPlace) -> Iterator[Connection]:
    """Connect for reading: all statements of the block see the APDB as it was at the first one.

    Results are streamed, so a query of many rows takes little memory.
    """
    with reporting_errors(place.target), place.engine().connect() as connection:
        if place.target.is_sqlite:
            # Python's driver begins a transaction for writing only.
            connection.exec_driver_sql("BEGIN")
        else:
            connection = connection.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
            # Whole tables are read and joined. A freshly filled database has no statistics yet, and its
            # planner then chooses loops that are quadratic.
            connection.exec_driver_sql("SET LOCAL enable_nestloop = off")
            connection.exec_driver_sql("SET LOCAL work_mem = '64MB'")
        yield connection.execution_options(stream_results=True, max_row_buffer=10000)


@contextmanager
def writing(place: ApdbPlace, tables: ApdbSqlTables) -> Iterator[Connection]:
    """Connect for writing in one transaction, and let nobody else write until the block ends."""
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
