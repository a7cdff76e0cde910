"""Description of an APDB: its location, content, versions and grants."""

__all__ = ["ApdbInfo", "describe_apdb"]

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy.engine import Connection

from .connection import reporting_errors
from .grants import read_grants
from .locate import ApdbPlace, Reference, find_apdb, missing_apdb
from .namespace import NamespaceContents, count_objects, inspect_namespace
from .target import ApdbTarget

if TYPE_CHECKING:
    from lsst.dax.apdb import ApdbSqlConfig


@dataclass(frozen=True)
class ApdbInfo:
    """A description of an APDB.

    Parameters
    ----------
    target
        Where it is.
    tables
        Number of rows of each table.
    dia_objects
        Number of DiaObjects, of which the table has a row for each version; `None` if it does not tell.
    foreign
        Tables and views in the same namespace that are not the APDB's.
    metadata
        Its metadata: ``version:schema``, ``instrument``, who made it and when, …
    compatible
        Whether the installed software can use it.
    versions
        Versions of the installed software: of the schema, of the code, and of the package.
    visits, visit_detectors
        How many visits, and how many (visit, detector)s, have DiaSources.
    time_range
        Earliest and latest middle of an exposure among the DiaSources, MJD TAI; `None` if there are none.
    grants
        Rights of other roles than the owner: role → rights.
    owner
        The role the namespace belongs to; `None` for SQLite.
    """

    target: ApdbTarget
    tables: Mapping[str, int]
    foreign: tuple[str, ...]
    metadata: Mapping[str, str]
    compatible: bool
    versions: Mapping[str, str]
    visits: int
    visit_detectors: int
    time_range: tuple[float, float] | None
    grants: Mapping[str, list[str]]
    owner: str | None
    dia_objects: int | None = None

    @property
    def instrument(self) -> str | None:
        """The instrument that the APDB is for."""
        return self.metadata.get("instrument")

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            **self.target.as_dict(),
            "instrument": self.instrument,
            "tables": dict(self.tables),
            "dia_objects": self.dia_objects,
            "foreign": list(self.foreign),
            "metadata": dict(self.metadata),
            "compatible": self.compatible,
            "versions": dict(self.versions),
            "visits": self.visits,
            "visit_detectors": self.visit_detectors,
            "time_range": None if self.time_range is None else list(self.time_range),
            "grants": dict(self.grants),
            "owner": self.owner,
        }


def describe_apdb(reference: Reference, namespace: str | None = None) -> ApdbInfo:
    """Describe an APDB, also one that the installed software cannot use.

    Parameters
    ----------
    reference, namespace
        Which one, as for `apcampaign.apdb.find_apdb`.

    Raises
    ------
    ApdbError
        If it cannot be found or read.
    """
    place = find_apdb(reference, namespace)
    with reporting_errors(place.target), place.engine().connect() as connection:
        found = inspect_namespace(connection, place.target.namespace, place.config.prefix)
        if not found.has_apdb:
            raise missing_apdb(place.target)
        visits, visit_detectors, time_range = _summarise(connection, place, found)
        objects = count_objects(connection, place.target.namespace, place.config.prefix)
        grants = read_grants(connection, place.target.namespace)
        owner = _owner(connection, place.target.namespace)
    versions = _installed(place.config)
    return ApdbInfo(
        place.target,
        found.tables,
        found.foreign,
        found.metadata,
        _is_compatible(found.metadata, versions),
        versions,
        visits,
        visit_detectors,
        time_range,
        grants,
        owner,
        objects,
    )


def _summarise(
    connection: Connection, place: ApdbPlace, found: NamespaceContents
) -> tuple[int, int, tuple[float, float] | None]:
    if not found.tables.get("DiaSource"):
        return 0, 0, None
    names = ("visit", "detector", "midpointMjdTai")
    sources = sqlalchemy.table(
        f"{place.config.prefix}DiaSource",
        *(sqlalchemy.column(name) for name in names),
        schema=place.target.namespace,
    )
    func = sqlalchemy.func
    each = (
        sqlalchemy.select(
            sources.c.visit,
            sources.c.detector,
            func.min(sources.c.midpointMjdTai).label("first"),
            func.max(sources.c.midpointMjdTai).label("last"),
        )
        .group_by(sources.c.visit, sources.c.detector)
        .subquery()
    )
    query = sqlalchemy.select(
        func.count(sqlalchemy.distinct(each.c.visit)),
        func.count(),
        func.min(each.c.first),
        func.max(each.c.last),
    ).select_from(each)
    visits, visit_detectors, first, last = connection.execute(query).one()
    return int(visits), int(visit_detectors), (float(first), float(last))


def _owner(connection: Connection, namespace: str | None) -> str | None:
    if connection.dialect.name != "postgresql":
        return None
    query = sqlalchemy.text(
        "SELECT pg_get_userbyid(nspowner) FROM pg_catalog.pg_namespace "
        "WHERE nspname = coalesce(:namespace, current_schema())"
    )
    return str(connection.execute(query, {"namespace": namespace}).scalar_one())


def _installed(config: "ApdbSqlConfig") -> dict[str, str]:
    import lsst.dax.apdb
    from lsst.dax.apdb import ApdbSql
    from lsst.dax.apdb.apdbSchema import ApdbSchema

    schema = ApdbSchema(config.schema_file, config.ss_schema_file)
    return {
        "schema": str(schema.schemaVersion()),
        "ApdbSql": str(ApdbSql.apdbImplementationVersion()),
        # Not asked of the package's metadata: with lsst_distrib there is none.
        "lsst.dax.apdb": str(lsst.dax.apdb.__version__),
    }


def _is_compatible(metadata: Mapping[str, str], versions: Mapping[str, str]) -> bool:
    """Compare versions as the APDB's own code does when it opens one."""
    from lsst.dax.apdb import VersionTuple

    for name in ("schema", "ApdbSql"):
        theirs = metadata.get(f"version:{name}")
        if theirs is None:
            return False
        ours = VersionTuple.fromString(versions[name])
        try:
            found = VersionTuple.fromString(theirs)
        except ValueError:  # it is no version
            return False
        if not ours.checkCompatibility(found):
            return False
    return True
