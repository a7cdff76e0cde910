"""Plan for creating an APDB: what will be done, and every reason not to. Nothing is changed."""

__all__ = ["InitPlan", "plan_init", "tables_to_drop"]

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import sqlalchemy
from sqlalchemy.engine import Connection

from ..common.errors import ApdbError
from .connection import make_engine, reporting_errors
from .grants import missing_roles
from .namespace import APDB_TABLES, NamespaceContents, inspect_namespace
from .options import ApdbOptions
from .target import ApdbTarget, check_namespace


@dataclass(frozen=True)
class InitPlan:
    """What `init_apdb` will do.

    Parameters
    ----------
    target
        Where the APDB will be.
    instrument
        The instrument's name, for the APDB's metadata.
    config
        File that the pipeline's configuration of the APDB will be written to.
    options
        Options of the new APDB.
    readers, writers
        PostgreSQL roles that will get rights.
    reset
        Whether an existing APDB is replaced.
    replace_config
        Whether ``config`` may replace a file that points elsewhere.
    campaign
        Name of the campaign, for the APDB's metadata.
    found
        What was in the namespace when the plan was made.
    """

    target: ApdbTarget
    instrument: str
    config: Path
    options: ApdbOptions = field(default_factory=ApdbOptions)
    readers: tuple[str, ...] = ()
    writers: tuple[str, ...] = ()
    reset: bool = False
    replace_config: bool = False
    campaign: str | None = None
    found: NamespaceContents = field(default_factory=NamespaceContents)

    @property
    def dropped(self) -> Mapping[str, int]:
        """Number of rows of each table that will be dropped."""
        return self.found.tables if self.reset else MappingProxyType({})

    def describe(self) -> list[str]:
        """List what will be done, in order, as sentences."""
        lines = []
        if self.dropped:
            rows = ", ".join(f"{name} ({rows} rows)" for name, rows in self.dropped.items())
            lines.append(f"drop the APDB tables of {self.target.place}: {rows}")
        if self.found.foreign:
            lines.append(f"leave what does not belong to an APDB: {', '.join(self.found.foreign)}")
        # 0 is a value.
        given = {
            name: value
            for name, value in asdict(self.options).items()
            if value is not None and value is not False
        }
        kind = ", ".join(f"{name}={value}" for name, value in given.items())
        lines.append(f"create an empty APDB in {self.target.place}{f' with {kind}' if kind else ''}")
        lines.append(f"set its instrument to {self.instrument}")
        lines += [f"grant role {role} the rights to read it" for role in self.readers]
        lines += [f"grant role {role} the rights to read it and to associate" for role in self.writers]
        lines.append(f"write its configuration to {self.config}")
        return lines

    def as_dict(self) -> dict[str, Any]:
        """Return the plan for JSON."""
        return {
            **self.target.as_dict(),
            "instrument": self.instrument,
            "campaign": self.campaign,
            "config": str(self.config),
            "options": asdict(self.options),
            "readers": list(self.readers),
            "writers": list(self.writers),
            "drops": dict(self.dropped),
            "actions": self.describe(),
        }


def plan_init(
    target: ApdbTarget,
    *,
    instrument: str,
    config: Path,
    options: ApdbOptions | None = None,
    readers: tuple[str, ...] = (),
    writers: tuple[str, ...] = (),
    reset: bool = False,
    replace_config: bool = False,
    campaign: str | None = None,
) -> InitPlan:
    """Check whether an APDB can be created, and plan what creating it will do. Changes nothing.

    Parameters
    ----------
    target
        Where.
    instrument
        The instrument's name, such as ``LSSTCam-imSim``.
    config
        Where to write the configuration for pipelines.
    options
        Options of the new APDB.
    readers, writers
        PostgreSQL roles to give rights to.
    reset
        Drop the tables of an existing APDB.
    replace_config
        Overwrite ``config`` even if it points to another APDB.
    campaign
        Name of the campaign.

    Raises
    ------
    ApdbError
        If the database cannot be reached, a right is missing, or the namespace is not free.
    """
    options = options or ApdbOptions()
    options.check()
    if not instrument:
        raise ApdbError(
            "the APDB needs the instrument's name, such as LSSTCam-imSim", remedy="give it with --instrument"
        )
    config = config.absolute()
    if config.is_dir():
        raise ApdbError(
            f"{config} is a folder", remedy="name a file for the APDB's configuration, ending in .yaml"
        )
    if not replace_config:
        _check_config(config, target)
    if target.is_sqlite:
        found = _look_into_sqlite(target, readers + writers)
    else:
        found = _look_into_postgres(target, readers + writers)
    try:
        tables_to_drop(target, found, reset=reset)
    except ApdbError as error:
        if found.has_apdb and not config.exists():
            raise ApdbError(
                error.what,
                remedy=f"if its configuration was lost, write {config} again: {_write_config(target)}; "
                f"else {error.remedy}",
            ) from None
        raise
    return InitPlan(
        target, instrument, config, options, readers, writers, reset, replace_config, campaign, found
    )


def _write_config(target: ApdbTarget) -> str:
    """Write the configuration of an APDB that is there in one line; all else is in its metadata."""
    namespace = {} if target.namespace is None else {"namespace": target.namespace}
    return json.dumps({"implementation_type": "sql", "db_url": target.url, **namespace})


def tables_to_drop(target: ApdbTarget, found: NamespaceContents, *, reset: bool) -> list[str]:
    """Decide whether a namespace can take an APDB.

    Parameters
    ----------
    target
        The place, for messages.
    found
        What the namespace holds.
    reset
        Whether the user wants an existing APDB to be dropped.

    Returns
    -------
    tables
        Tables to drop first.

    Raises
    ------
    ApdbError
        If the namespace cannot be used.
    """
    place = target.place
    container = "file" if target.is_sqlite else "namespace"
    clash = sorted(set(found.foreign) & set(APDB_TABLES))
    if found.foreign and (not found.has_apdb or clash):
        shown = ", ".join(clash or found.foreign[:5]) + (", …" if len(clash or found.foreign) > 5 else "")
        raise ApdbError(
            f"{place} holds {len(found.foreign)} tables or views that do not belong to an APDB ({shown})",
            remedy=f"choose another {container}",
        )
    if not found.has_apdb or reset:
        return list(found.tables)
    if found.filled:
        rows = ", ".join(f"{count} rows in {name}" for name, count in found.filled.items())
        raise ApdbError(
            f"{place} already holds an APDB with {rows}",
            remedy=f"choose another {container}, or drop all of it with --reset",
        )
    maker = found.metadata.get("apcampaign:created_by", "somebody")
    when = found.metadata.get("apcampaign:created_at", "an unknown time")
    raise ApdbError(
        f"{place} already holds an empty APDB, created by {maker} at {when}",
        remedy="use it, or create it again with --reset",
    )


def _check_config(path: Path, target: ApdbTarget) -> None:
    """Refuse to overwrite the configuration of another APDB."""
    import yaml

    if not path.exists():
        return
    try:
        content = yaml.safe_load(path.read_text())
        url, namespace = content["db_url"], content.get("namespace")
        other = ApdbTarget.from_url(url, namespace)
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, AttributeError, ApdbError):
        other = None
    if other != target:
        # The same place may be reached in another way, such as by another user.
        how = f" by {target.url}" if other is not None and other.place == target.place else ""
        raise ApdbError(
            f"{path} exists and is not the configuration of {target.place}{how}",
            remedy="name another file with --config, or overwrite it with --replace-config",
        )


def _look_into_sqlite(target: ApdbTarget, roles: tuple[str, ...]) -> NamespaceContents:
    path = target.sqlite_path
    if roles:
        raise ApdbError(
            f"SQLite has no roles to grant rights to ({', '.join(roles)})", remedy="leave them out"
        )
    if not path.parent.is_dir():
        raise ApdbError(f"there is no folder {path.parent} for the APDB's file", remedy="create it first")
    if not path.exists():
        return NamespaceContents()
    with reporting_errors(target), make_engine(target).connect() as connection:
        return inspect_namespace(connection, None)


def _look_into_postgres(target: ApdbTarget, roles: tuple[str, ...]) -> NamespaceContents:
    namespace = target.namespace
    if namespace is None:
        raise ApdbError(
            "an APDB in PostgreSQL needs a namespace (its schema)", remedy="name one with --namespace"
        )
    check_namespace(namespace)
    with reporting_errors(target), make_engine(target).connect() as connection:
        unknown = missing_roles(connection, roles)
        if unknown:
            raise ApdbError(
                f"the server has no role {', '.join(unknown)}",
                remedy="create it (CREATE ROLE) or leave its grant out",
            )
        found = _check_rights(connection, target, namespace)
        return found or inspect_namespace(connection, namespace)


def _check_rights(connection: Connection, target: ApdbTarget, namespace: str) -> NamespaceContents | None:
    """Make sure that tables may be created; return empty contents if there is no such namespace yet."""
    if namespace in sqlalchemy.inspect(connection).get_schema_names():
        query = "has_schema_privilege(:name, 'CREATE') AND has_schema_privilege(:name, 'USAGE')"
        what, found = f"in {target.place}", None
        right = f"GRANT CREATE, USAGE ON SCHEMA {namespace}"
    else:
        query = "has_database_privilege(current_database(), 'CREATE')"
        what, found = f"namespaces in {target.database}", NamespaceContents()
        right = "GRANT CREATE ON DATABASE, or for a namespace"
    if not connection.execute(sqlalchemy.text(f"SELECT {query}"), {"name": namespace}).scalar_one():
        user = connection.execute(sqlalchemy.text("SELECT current_user")).scalar_one()
        raise ApdbError(
            f"role {user!r} may not create {what}",
            remedy=f"ask its owner for {right}, or name another with "
            f"{'--namespace' if found is None else '--db'}",
        )
    return found
