"""What making an APDB will do, and every reason not to: read before anything is changed."""

__all__ = ["ApdbOptions", "InitPlan", "plan_init", "tables_to_drop"]

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args

import sqlalchemy
from sqlalchemy.engine import Connection

from ..common.errors import ApdbError
from .connection import make_engine, reporting_errors
from .contents import APDB_TABLES, NamespaceContents, inspect_namespace
from .grants import missing_roles
from .target import ApdbTarget, check_namespace

DiaObjectIndex = Literal["baseline", "pix_id_iov", "last_object_table"]

# The deepest level of lsst.sphgeom.HtmPixelization.
_MAX_HTM_LEVEL = 24


@dataclass(frozen=True)
class ApdbOptions:
    """What `lsst.dax.apdb` offers for a new APDB; `None` leaves it its default.

    Parameters
    ----------
    replica
        Make the tables for replication to the PPDB.
    dia_object_index
        How DiaObject is indexed, and whether there is a DiaObjectLast.
    htm_level
        Level of the HTM pixels of the spatial index, 0–24.
    read_sources_months, read_forced_sources_months
        How far back the pipeline reads a DiaObject's history, months of 30 days.
    connection_timeout
        Seconds a pipeline waits for the database; written to the config file.
    """

    replica: bool = False
    dia_object_index: DiaObjectIndex | None = None
    htm_level: int | None = None
    read_sources_months: int | None = None
    read_forced_sources_months: int | None = None
    connection_timeout: int | None = None

    def check(self) -> None:
        """Refuse values that the APDB's code would trip over later.

        Raises
        ------
        ApdbError
            If a value is out of range.
        """
        if self.dia_object_index not in (None, *get_args(DiaObjectIndex)):
            raise ApdbError(
                f"{self.dia_object_index!r} is not a DiaObject index; expected one of "
                f"{', '.join(get_args(DiaObjectIndex))}"
            )
        if self.htm_level is not None and not 0 <= self.htm_level <= _MAX_HTM_LEVEL:
            raise ApdbError(f"HTM level {self.htm_level} is out of range; expected 0 to {_MAX_HTM_LEVEL}")
        for name in ("read_sources_months", "read_forced_sources_months", "connection_timeout"):
            value = getattr(self, name)
            if value is not None and value < 0:
                raise ApdbError(f"{name.replace('_', ' ')} cannot be {value}; expected 0 or more")


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
        What kind of APDB.
    readers, writers
        PostgreSQL roles that will get rights.
    reset
        Whether an APDB that is there is replaced.
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
    options: ApdbOptions = ApdbOptions()
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
        """Say in sentences what will be done, in order."""
        lines = []
        if self.dropped:
            rows = ", ".join(f"{name} ({rows} rows)" for name, rows in self.dropped.items())
            lines.append(f"drop the APDB tables of {self.target.place}: {rows}")
        if self.found.foreign:
            lines.append(f"leave alone what is no APDB's: {', '.join(self.found.foreign)}")
        # An option of 0 is one.
        given = {
            name: value
            for name, value in asdict(self.options).items()
            if value is not None and value is not False
        }
        kind = ", ".join(f"{name}={value}" for name, value in given.items())
        lines.append(f"create an empty APDB in {self.target.place}{f' with {kind}' if kind else ''}")
        lines.append(f"set its instrument to {self.instrument}")
        lines += [f"let role {role} read it" for role in self.readers]
        lines += [f"let role {role} read it and associate" for role in self.writers]
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
    """Look whether an APDB can be made, and say what making it will do. Changes nothing.

    Parameters
    ----------
    target
        Where.
    instrument
        The instrument's name, such as ``LSSTCam-imSim``.
    config
        Where to write the configuration for pipelines.
    options
        What kind of APDB.
    readers, writers
        PostgreSQL roles to give rights to.
    reset
        Drop the tables of an APDB that is there.
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
            "the APDB needs the instrument's name, such as LSSTCam-imSim; give it with --instrument"
        )
    config = config.absolute()
    if config.is_dir():
        raise ApdbError(f"{config} is a folder; name a file for the APDB's configuration, ending in .yaml")
    if not replace_config:
        _check_config(config, target)
    if target.is_sqlite:
        found = _look_into_sqlite(target, readers + writers)
    else:
        found = _look_into_postgres(target, readers + writers)
    tables_to_drop(target, found, reset=reset)
    return InitPlan(
        target, instrument, config, options, readers, writers, reset, replace_config, campaign, found
    )


def tables_to_drop(target: ApdbTarget, found: NamespaceContents, *, reset: bool) -> list[str]:
    """Decide whether a namespace can take an APDB.

    Parameters
    ----------
    target
        The place, for messages.
    found
        What is there.
    reset
        Whether the user wants an APDB that is there to be dropped.

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
    clash = sorted(set(found.foreign) & set(APDB_TABLES))
    if found.foreign and (not found.has_apdb or clash):
        shown = ", ".join(clash or found.foreign[:5]) + (", …" if len(clash or found.foreign) > 5 else "")
        raise ApdbError(
            f"{place} holds {len(found.foreign)} tables or views that are no APDB's ({shown}); choose another "
            f"{'file' if target.is_sqlite else 'namespace'}"
        )
    if not found.has_apdb or reset:
        return list(found.tables)
    if found.filled:
        rows = ", ".join(f"{count} rows in {name}" for name, count in found.filled.items())
        raise ApdbError(
            f"{place} already holds an APDB with {rows}; choose another "
            f"{'file' if target.is_sqlite else 'namespace'}, or drop all of it with --reset"
        )
    maker = found.metadata.get("apcampaign:created_by", "somebody")
    when = found.metadata.get("apcampaign:created_at", "an unknown time")
    raise ApdbError(
        f"{place} already holds an empty APDB, made by {maker} at {when}; use it, or make it anew with --reset"
    )


def _check_config(path: Path, target: ApdbTarget) -> None:
    """Refuse to overwrite the only trace of another APDB."""
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
        # The same place may be reached in another way, as another user say.
        how = f" by {target.url}" if other is not None and other.place == target.place else ""
        raise ApdbError(
            f"{path} exists and is not the configuration of {target.place}{how}; name another file with "
            "--config, or overwrite it with --replace-config"
        )


def _look_into_sqlite(target: ApdbTarget, roles: tuple[str, ...]) -> NamespaceContents:
    path = target.sqlite_path
    if roles:
        raise ApdbError(f"SQLite has no roles to grant rights to ({', '.join(roles)}); leave them out")
    if not path.parent.is_dir():
        raise ApdbError(f"there is no folder {path.parent} for the APDB's file; make it first")
    if not path.exists():
        return NamespaceContents()
    with reporting_errors(target), make_engine(target).connect() as connection:
        return inspect_namespace(connection, None)


def _look_into_postgres(target: ApdbTarget, roles: tuple[str, ...]) -> NamespaceContents:
    namespace = target.namespace
    if namespace is None:
        raise ApdbError("an APDB in PostgreSQL needs a namespace (its schema); name one with --namespace")
    check_namespace(namespace)
    with reporting_errors(target), make_engine(target).connect() as connection:
        unknown = missing_roles(connection, roles)
        if unknown:
            raise ApdbError(
                f"the server knows no role {', '.join(unknown)}; create it (CREATE ROLE) or leave its grant out"
            )
        found = _check_rights(connection, target, namespace)
        return found or inspect_namespace(connection, namespace)


def _check_rights(connection: Connection, target: ApdbTarget, namespace: str) -> NamespaceContents | None:
    """Make sure that tables may be created; tells at once if there is no such namespace."""
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
            f"role {user!r} may not create {what}; ask its owner for {right}, or name another with "
            f"{'--namespace' if found is None else '--db'}"
        )
    return found
