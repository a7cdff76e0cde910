"""Creation of an empty APDB in one transaction, so that it exists completely or not at all."""

__all__ = ["ApdbCreated", "init_apdb"]

import hashlib
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy.engine import Connection

from ..common.errors import ApdbError
from ..common.files import write_atomically
from ..common.identity import user_name
from .grants import grant
from .namespace import NamespaceContents, inspect_namespace
from .plan import InitPlan, tables_to_drop
from .removal import drop_tables
from .target import ApdbTarget
from .transaction import HeldTransaction, held_transaction

if TYPE_CHECKING:
    from lsst.dax.apdb import ApdbSqlConfig


@dataclass(frozen=True)
class ApdbCreated:
    """A new, empty APDB.

    Parameters
    ----------
    target
        Where it is.
    config
        The file with its configuration for pipelines.
    tables
        Its tables.
    metadata
        Its metadata: versions, instrument, who created it and when.
    dropped
        Number of rows of the tables that were dropped before.
    """

    target: ApdbTarget
    config: Path
    tables: tuple[str, ...]
    metadata: Mapping[str, str]
    dropped: Mapping[str, int]

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            **self.target.as_dict(),
            "config": str(self.config),
            "tables": list(self.tables),
            "metadata": dict(self.metadata),
            "dropped": dict(self.dropped),
        }


def init_apdb(plan: InitPlan) -> ApdbCreated:
    """Create an empty APDB as planned.

    Parameters
    ----------
    plan
        From `apcampaign.apdb.plan_init`.

    Raises
    ------
    ApdbError
        If it cannot be created, or somebody else has created or is creating one there; nothing is changed then.

    Notes
    -----
    Tables, metadata and rights are created in one transaction, and the configuration is written just before
    it is committed. If this is killed, the database stays as it was; a configuration that was already written
    then points to an APDB that does not exist, and the next attempt overwrites it.
    """
    target = plan.target
    with _restoring(plan.config) as write_config, held_transaction(target) as held:
        _lock(held.connection, target)
        found = inspect_namespace(held.connection, target.namespace)
        drop = tables_to_drop(target, found, reset=plan.reset)
        if dict(found.filled) != dict(plan.found.filled):
            raise ApdbError(
                f"{target.place} has changed since the plan was made: it held {_rows(plan.found)} and now "
                f"holds {_rows(found)}",
                remedy="plan it again",
            )
        drop_tables(held.connection, target.namespace, drop)
        if target.namespace is not None:
            _enter_namespace(held.connection, target.namespace)
        config = _create(held, plan)
        made = inspect_namespace(held.connection, target.namespace)
        if target.namespace is not None:
            grant(held.connection, target.namespace, made.tables, readers=plan.readers, writers=plan.writers)
        write_config(_config_text(config))
    return ApdbCreated(target, plan.config, tuple(made.tables), made.metadata, plan.dropped)


def _lock(connection: Connection, target: ApdbTarget) -> None:
    """Let only one process at a time initialise a namespace. SQLite's transaction is a lock already."""
    if target.is_sqlite:
        return
    digest = hashlib.blake2b(f"apcampaign apdb {target.namespace}".encode(), digest_size=8).digest()
    key = int.from_bytes(digest, signed=True)
    locked = connection.execute(sqlalchemy.text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": key})
    if not locked.scalar_one():
        raise ApdbError(
            f"somebody else is initialising {target.place} at this moment",
            remedy="look at the result (`apcampaign apdb info`) or choose another namespace",
        )


def _enter_namespace(connection: Connection, namespace: str) -> None:
    quoted = connection.dialect.identifier_preparer.quote(namespace)
    # CREATE SCHEMA IF NOT EXISTS would ask for the right to create one even if it exists.
    if not sqlalchemy.inspect(connection).has_schema(namespace):
        connection.exec_driver_sql(f"CREATE SCHEMA {quoted}")
    # lsst.dax.apdb creates its tables in the default schema, and reads them there: this one.
    connection.exec_driver_sql(f"SET LOCAL search_path TO {quoted}")


def _create(held: HeldTransaction, plan: InitPlan) -> "ApdbSqlConfig":
    """Create tables and metadata inside the transaction; return the configuration for pipelines."""
    from lsst.dax.apdb import Apdb, ApdbSql

    options, target = plan.options, plan.target
    config = ApdbSql.init_database(
        held.url,
        read_sources_months=options.read_sources_months,
        read_forced_sources_months=options.read_forced_sources_months,
        enable_replica=options.replica,
        connection_timeout=options.connection_timeout,
        dia_object_index=options.dia_object_index,
        htm_level=options.htm_level,
    )
    metadata = Apdb.from_config(config).metadata
    metadata.set("instrument", plan.instrument)
    for key, value in _provenance(plan, metadata.get("version:schema")).items():
        metadata.set(f"apcampaign:{key}", value)
    content = config.model_dump()
    content.update(db_url=target.url, namespace=target.namespace)
    # Validated from a mapping, every field counts as set; otherwise save() would leave out nested ones.
    return type(config).model_validate(content)


def _provenance(plan: InitPlan, schema_version: str | None) -> dict[str, str]:
    import lsst.dax.apdb

    values = {
        "created_by": f"{user_name()}@{socket.gethostname()}",
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "created_with": f"apcampaign {version('apcampaign')}, lsst.dax.apdb {lsst.dax.apdb.__version__}",
        "schema_version": schema_version,
        "campaign": plan.campaign,
    }
    return {key: value for key, value in values.items() if value}


def _config_text(config: "ApdbSqlConfig") -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "apdb_config.yaml"
        config.save(str(path))
        return path.read_text()


@contextmanager
def _restoring(path: Path) -> Iterator[Any]:
    """Give a function that writes a file, and restore the file if the block raises."""
    before = path.read_text() if path.exists() else None
    written = False

    def write(text: str) -> None:
        nonlocal written
        try:
            write_atomically(path, text)
        except OSError as exc:
            raise ApdbError(
                f"the APDB's configuration cannot be written to {path}: {exc.strerror}, so no APDB was created",
                remedy="name another file with --config",
            ) from exc
        written = True

    try:
        yield write
    except BaseException:
        if written and before is not None:
            write_atomically(path, before)
        elif written:
            path.unlink(missing_ok=True)
        raise


def _rows(contents: NamespaceContents) -> str:
    return ", ".join(f"{rows} rows in {name}" for name, rows in contents.filled.items()) or "no rows"
