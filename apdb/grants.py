"""Privileges granted to other roles on an APDB: those that reading or association needs, and no more."""

__all__ = ["grant", "missing_roles", "read_grants"]

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import sqlalchemy
from sqlalchemy.engine import Connection

# What Apdb.store() does to each table, besides SELECT. Only the owner can deduplicate, withdraw, roll back and
# reset.
_WRITER_RIGHTS: Mapping[str, str] = MappingProxyType(
    {
        "DiaObject": "INSERT, UPDATE",
        "DiaObjectLast": "INSERT, DELETE",
        "DiaSource": "INSERT",
        "DiaForcedSource": "INSERT",
        "ApdbReplicaChunks": "INSERT, UPDATE",
        "DiaObjectChunks": "INSERT",
        "DiaSourceChunks": "INSERT",
        "DiaForcedSourceChunks": "INSERT",
    }
)


def missing_roles(connection: Connection, roles: Iterable[str]) -> list[str]:
    """List the roles that the server does not have."""
    wanted = sorted(set(roles))
    known = connection.execute(
        sqlalchemy.text("SELECT rolname FROM pg_catalog.pg_roles WHERE rolname = ANY(:roles)"),
        {"roles": wanted},
    ).scalars()
    return sorted(set(wanted) - set(known))


def grant(
    connection: Connection,
    namespace: str,
    tables: Iterable[str],
    *,
    readers: Iterable[str] = (),
    writers: Iterable[str] = (),
) -> None:
    """Grant roles the rights to read, or to read and associate.

    Parameters
    ----------
    connection
        The owner's connection, in a transaction.
    namespace
        Schema of the APDB.
    tables
        The APDB's tables.
    readers
        Roles that get SELECT on each table.
    writers
        Roles that get SELECT on each table and what association writes.
    """
    quote = connection.dialect.identifier_preparer.quote
    schema = quote(namespace)
    tables = list(tables)
    for role in dict.fromkeys([*readers, *writers]):
        connection.exec_driver_sql(f"GRANT USAGE ON SCHEMA {schema} TO {quote(role)}")
        for table in tables:
            connection.exec_driver_sql(f"GRANT SELECT ON {schema}.{quote(table)} TO {quote(role)}")
    for role in dict.fromkeys(writers):
        for table in tables:
            if rights := _WRITER_RIGHTS.get(table):
                connection.exec_driver_sql(f"GRANT {rights} ON {schema}.{quote(table)} TO {quote(role)}")


def read_grants(connection: Connection, namespace: str | None) -> dict[str, list[str]]:
    """Read the rights of other roles than the owner.

    Returns
    -------
    grants
        Role → sorted rights on any table of the namespace; ``PUBLIC`` is everybody.
    """
    if connection.dialect.name != "postgresql":
        return {}
    # Read from the catalogue: information_schema shows only what concerns the current role.
    query = sqlalchemy.text(
        """
        SELECT coalesce(role.rolname, 'PUBLIC') AS grantee, array_agg(DISTINCT acl.privilege_type::text)
        FROM pg_catalog.pg_class AS class
        CROSS JOIN LATERAL aclexplode(class.relacl) AS acl
        LEFT JOIN pg_catalog.pg_roles AS role ON role.oid = acl.grantee
        WHERE class.relkind IN ('r', 'p') AND acl.grantee <> class.relowner AND class.relnamespace =
            (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = coalesce(:namespace, current_schema()))
        GROUP BY 1 ORDER BY 1
        """
    )
    rows = connection.execute(query, {"namespace": namespace})
    return {str(role): sorted(rights) for role, rights in rows}
