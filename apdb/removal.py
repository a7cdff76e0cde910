"""Removal of a whole APDB: its tables, and the namespace or the file that held nothing else."""

__all__ = ["ApdbContents", "drop_tables", "look_at_apdb", "remove_apdb"]

from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy
from sqlalchemy.engine import Connection

from ..common.errors import ApdbError
from .connection import make_engine, reporting_errors
from .locate import Reference, find_apdb
from .namespace import NamespaceContents, inspect_namespace
from .target import ApdbTarget
from .transaction import held_transaction

_CAMPAIGN = "apcampaign:campaign"


@dataclass(frozen=True, kw_only=True)
class ApdbContents:
    """What an APDB holds, and for whom it was made.

    Parameters
    ----------
    target, prefix
        Where it is, and what the names of its tables begin with.
    contents
        Its tables, and what else is in its namespace or file.
    size
        The bytes that it takes.
    """

    target: ApdbTarget
    prefix: str
    contents: NamespaceContents
    size: int = 0

    @property
    def campaign(self) -> str | None:
        """The campaign that it was made for, if it says so."""
        return self.contents.metadata.get(_CAMPAIGN)

    @property
    def rows(self) -> int:
        """How many rows its tables have."""
        return sum(self.contents.filled.values())


def look_at_apdb(reference: Reference, namespace: str | None = None) -> ApdbContents | None:
    """Look at all that an APDB holds; parameters and errors as `apcampaign.apdb.find_apdb`.

    Returns
    -------
    contents
        `None` if there is none any more.
    """
    place = find_apdb(reference, namespace)
    target, prefix = place.target, place.config.prefix
    if target.is_sqlite and not target.sqlite_path.exists():
        return None
    with reporting_errors(target), make_engine(target).connect() as connection:
        found = inspect_namespace(connection, target.namespace, prefix)
        if not found.has_apdb:
            return None
        size = _measure(connection, target, [prefix + name for name in found.tables])
    return ApdbContents(target=target, prefix=prefix, contents=found, size=size)


def remove_apdb(target: ApdbTarget, prefix: str, campaign: str) -> None:
    """Remove the APDB of a campaign in one transaction; nothing is done where there is none any more.

    Its namespace, or its SQLite file, goes too if nothing else is in it; the default namespace stays.

    Parameters
    ----------
    target, prefix
        Where it is, and what the names of its tables begin with.
    campaign
        The campaign that it was made for.

    Raises
    ------
    ApdbError
        If it was made for another campaign, is in use, or is somebody else's.
    """
    if target.is_sqlite and not target.sqlite_path.exists():
        return
    with held_transaction(target) as held:
        found = inspect_namespace(held.connection, target.namespace, prefix)
        if not found.exists:
            return
        if found.has_apdb and found.metadata.get(_CAMPAIGN) != campaign:
            raise ApdbError(f"the APDB in {target.place} was not made for campaign {campaign}")
        if target.is_sqlite and not found.foreign:
            # While the lock is held: whoever waits for it then sees that the file is gone.
            target.sqlite_path.unlink()
            return
        drop_tables(held.connection, target.namespace, [prefix + name for name in found.tables])
        if target.namespace not in (None, "public") and not found.foreign:
            _drop_namespace(held.connection, str(target.namespace))


def drop_tables(connection: Connection, namespace: str | None, tables: Collection[str]) -> None:
    """Drop tables in an order that their foreign keys allow."""
    metadata = sqlalchemy.MetaData(schema=namespace)
    # Only names and foreign keys are needed, for the order of dropping.
    metadata.reflect(connection, only=list(tables), resolve_fks=False)
    metadata.drop_all(connection, tables=list(metadata.tables.values()), checkfirst=False)


def _drop_namespace(connection: Connection, namespace: str) -> None:
    """Drop a namespace if it is ours to drop and nothing is left in it, such as a function of somebody."""
    quoted = connection.dialect.identifier_preparer.quote(namespace)
    owned = "SELECT pg_has_role(nspowner, 'USAGE') FROM pg_catalog.pg_namespace WHERE nspname = :name"
    if not connection.execute(sqlalchemy.text(owned), {"name": namespace}).scalar():
        return
    connection.exec_driver_sql("SAVEPOINT namespace")
    try:
        connection.exec_driver_sql(f"DROP SCHEMA {quoted} RESTRICT")
    except sqlalchemy.exc.DatabaseError:
        connection.exec_driver_sql("ROLLBACK TO SAVEPOINT namespace")


def _measure(connection: Connection, target: ApdbTarget, tables: Collection[str]) -> int:
    if target.is_sqlite:
        return target.sqlite_path.stat().st_size
    query = sqlalchemy.text(
        "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) FROM pg_catalog.pg_class c "
        "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = coalesce(:namespace, current_schema()) AND c.relname = ANY(:tables)"
    )
    found = connection.execute(query, {"namespace": target.namespace, "tables": list(tables)})
    return int(found.scalar_one())
