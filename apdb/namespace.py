"""Content of a database namespace: an APDB's tables with their rows, and tables that are not an APDB's."""

__all__ = [
    "APDB_TABLES",
    "NamespaceContents",
    "count_objects",
    "describe_rows",
    "inspect_namespace",
    "read_metadata",
]

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import sqlalchemy
from sqlalchemy.engine import Connection

from ..common.text import count

# The tables that lsst.dax.apdb creates, with those of replication; alembic_version is of its migrations.
APDB_TABLES = (
    "DiaObject",
    "DiaObjectLast",
    "DiaSource",
    "DiaForcedSource",
    "DiaObject_To_Object_Match",
    "metadata",
    "ApdbReplicaChunks",
    "DiaObjectChunks",
    "DiaSourceChunks",
    "DiaForcedSourceChunks",
    "ApdbUpdateRecordChunks",
    "alembic_version",
)
# Names that others use for their tables too.
_COMMON = frozenset({"metadata", "alembic_version"})
# They describe the APDB and hold none of its data.
_ADMINISTRATIVE = _COMMON
# The end of a version's validity, as schemas from 9 on and those before name it.
_ENDS = ("validityEndMjdTai", "validityEnd")


@dataclass(frozen=True)
class NamespaceContents:
    """What a namespace, or an SQLite file, holds.

    Parameters
    ----------
    exists
        Whether the namespace exists.
    tables
        Number of rows of each table of an APDB.
    foreign
        Names of the tables and views that do not belong to an APDB, sorted.
    metadata
        The APDB's metadata.
    """

    exists: bool = False
    tables: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    foreign: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def has_apdb(self) -> bool:
        """Whether it holds tables of an APDB, even if not all."""
        return bool(self.tables)

    @property
    def filled(self) -> Mapping[str, int]:
        """Number of rows of the tables that hold data, without the empty ones."""
        return {name: rows for name, rows in self.tables.items() if rows and name not in _ADMINISTRATIVE}


def inspect_namespace(connection: Connection, namespace: str | None, prefix: str = "") -> NamespaceContents:
    """List what a namespace holds.

    Parameters
    ----------
    connection
        To the database.
    namespace
        The schema; `None` for the default one.
    prefix
        What the names of the APDB's tables start with, if its configuration says so.

    Notes
    -----
    Rows are counted one by one, which takes about a second for 10⁷ of them.
    """
    inspector = sqlalchemy.inspect(connection)
    if namespace is not None and not inspector.has_schema(namespace):
        return NamespaceContents()
    names = set(inspector.get_table_names(namespace)) | set(inspector.get_view_names(namespace))
    if connection.dialect.name == "postgresql":
        names |= set(inspector.get_materialized_view_names(namespace))
        names |= set(_foreign_table_names(connection, namespace))
    found = [name for name in APDB_TABLES if prefix + name in names]
    if "metadata" in found and not _is_metadata(inspector, namespace, prefix):
        found.remove("metadata")
    if set(found) <= _COMMON:
        found = []
    tables = {name: _count(connection, prefix + name, namespace) for name in found}
    metadata = read_metadata(connection, namespace, prefix) if "metadata" in found else {}
    return NamespaceContents(
        exists=True,
        tables=MappingProxyType(tables),
        foreign=tuple(sorted(names - {prefix + name for name in found})),
        metadata=MappingProxyType(metadata),
    )


def count_objects(connection: Connection, namespace: str | None, prefix: str = "") -> int | None:
    """Count the DiaObjects of an APDB, whatever its version; parameters as for `inspect_namespace`.

    Each association adds a version of the DiaObjects that it updates, so that the table has more rows: these are
    the versions that no later one replaces. `None` if the table has no end of validity to tell by.
    """
    inspector = sqlalchemy.inspect(connection)
    if not inspector.has_table(f"{prefix}DiaObject", namespace):
        return None
    names = {column["name"] for column in inspector.get_columns(f"{prefix}DiaObject", namespace)}
    end = next((name for name in _ENDS if name in names), None)
    if end is None:
        return None
    table = sqlalchemy.table(f"{prefix}DiaObject", sqlalchemy.column(end), schema=namespace)
    query = sqlalchemy.select(sqlalchemy.func.count()).select_from(table).where(table.c[end].is_(None))
    return connection.execute(query).scalar_one()


def describe_rows(rows: Mapping[str, int], objects: int | None) -> dict[str, str]:
    """Write the numbers of an APDB's rows by table, DiaObjects as such and their versions apart."""
    shown = {name: f"{number:,}" for name, number in rows.items()}
    if objects is not None and "DiaObject" in rows:
        shown["DiaObject"] = f"{objects:,} ({count(rows['DiaObject'], 'version')})"
    return shown


def _foreign_table_names(connection: Connection, namespace: str | None) -> list[str]:
    """List the foreign tables (CREATE FOREIGN TABLE), which the inspector does not."""
    query = sqlalchemy.text(
        "SELECT relname FROM pg_catalog.pg_class WHERE relkind = 'f' AND relnamespace = "
        "(SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = coalesce(:namespace, current_schema()))"
    )
    return list(connection.execute(query, {"namespace": namespace}).scalars())


def _is_metadata(inspector: sqlalchemy.Inspector, namespace: str | None, prefix: str) -> bool:
    return {column["name"] for column in inspector.get_columns(f"{prefix}metadata", namespace)} == {
        "name",
        "value",
    }


def _count(connection: Connection, name: str, namespace: str | None) -> int:
    table = sqlalchemy.table(name, schema=namespace)
    return connection.execute(sqlalchemy.select(sqlalchemy.func.count()).select_from(table)).scalar_one()


def read_metadata(connection: Connection, namespace: str | None, prefix: str) -> dict[str, str]:
    """Read the metadata of an APDB, whatever its version."""
    table = sqlalchemy.table(
        f"{prefix}metadata", sqlalchemy.column("name"), sqlalchemy.column("value"), schema=namespace
    )
    return {str(name): str(value) for name, value in connection.execute(sqlalchemy.select(table))}
