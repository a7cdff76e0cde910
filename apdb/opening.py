"""Opening an APDB that is there, however it is named: config file, label, or URL and namespace."""

__all__ = ["ApdbPlace", "count_rows", "find_apdb", "open_apdb"]

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy
from sqlalchemy.engine import Engine

from ..common.errors import ApdbError, ForeignApdbError
from ..common.secrets import redact
from .connection import credentials_sentence, make_creator, make_engine, reporting_errors
from .contents import inspect_namespace
from .target import ApdbTarget

if TYPE_CHECKING:
    from lsst.dax.apdb import Apdb, ApdbSql, ApdbSqlConfig

Reference = str | Path | ApdbTarget


@dataclass(frozen=True)
class ApdbPlace:
    """Where an APDB is, and how its configuration says to read it.

    Parameters
    ----------
    target
        Database and namespace.
    config
        The configuration; its URL holds no password.
    """

    target: ApdbTarget
    config: "ApdbSqlConfig"

    def engine(self) -> Engine:
        """Make an engine for statements of our own."""
        return make_engine(self.target)

    def open(self) -> "ApdbSql":
        """Open it with `lsst.dax.apdb`.

        Raises
        ------
        ApdbError
            If it cannot be reached, is not there, or is of another schema version.
        """
        from lsst.dax.apdb import ApdbSql, IncompatibleVersionError
        from lsst.utils.db_auth import DbAuthError

        config = self.config.model_copy(deep=True)
        config.connection_config.extra_parameters["creator"] = make_creator(self.target)
        # An idle connection is in the way of an administrator, and of a copy of the database.
        config.connection_config.connection_pool = False
        with reporting_errors(self.target):
            try:
                return ApdbSql(config)
            except sqlalchemy.exc.NoSuchTableError as exc:
                raise ApdbError(
                    f"there is no APDB in {self.target.place} (no table {exc}); make one with "
                    "apcampaign apdb init, or correct the namespace"
                ) from exc
            except IncompatibleVersionError as exc:
                raise ApdbError(
                    f"the APDB in {self.target.place} and this software do not fit: {exc}; use the software it "
                    "was made with, or make a new APDB"
                ) from exc
            except DbAuthError as exc:
                raise ApdbError(credentials_sentence(exc)) from exc


def find_apdb(reference: Reference, namespace: str | None = None) -> ApdbPlace:
    """Find out which APDB is meant. Does not connect to it.

    Parameters
    ----------
    reference
        Path or URI of a configuration, ``label:NAME`` (an entry of the index in ``DAX_APDB_INDEX_URI``), a
        database URL, or a target.
    namespace
        PostgreSQL schema; only beside a URL.

    Raises
    ------
    ApdbError
        If there is no such configuration.
    ForeignApdbError
        If it is not of an SQL database.
    """
    from lsst.dax.apdb import ApdbConfig, ApdbSqlConfig

    if isinstance(reference, str) and "://" in reference and reference.startswith(("postgres", "sqlite")):
        reference = ApdbTarget.from_url(reference, namespace)
    elif namespace is not None:
        raise ApdbError(f"namespace {namespace!r} goes with a database URL only; {reference} names its own")
    if isinstance(reference, ApdbTarget):
        return ApdbPlace(reference, ApdbSqlConfig(db_url=reference.url, namespace=reference.namespace))
    with _reading(str(reference)):
        config = ApdbConfig.from_uri(str(reference))
    if not isinstance(config, ApdbSqlConfig):
        raise ForeignApdbError(
            f"{reference} is the configuration of an APDB in Cassandra; only those in PostgreSQL and SQLite "
            "can be looked into"
        )
    target = ApdbTarget.from_url(config.db_url, config.namespace)
    return ApdbPlace(target, config.model_copy(update={"db_url": target.url}))


def open_apdb(reference: Reference, namespace: str | None = None) -> "Apdb":
    """Open an APDB with `lsst.dax.apdb`; parameters and errors as `find_apdb`."""
    return find_apdb(reference, namespace).open()


def count_rows(reference: Reference, namespace: str | None = None) -> dict[str, int]:
    """Count the rows of each table of an APDB; parameters and errors as `find_apdb`.

    Returns
    -------
    rows
        Name of each table that is there → number of rows.
    """
    place = find_apdb(reference, namespace)
    with reporting_errors(place.target), place.engine().connect() as connection:
        contents = inspect_namespace(connection, place.target.namespace, place.config.prefix)
    if not contents.has_apdb:
        raise ApdbError(f"there is no APDB in {place.target.place}; make one with apcampaign apdb init")
    return dict(contents.tables)


@contextmanager
def _reading(reference: str) -> Iterator[None]:
    """Explain what is wrong with a configuration, or with a label."""
    import yaml
    from pydantic import ValidationError

    try:
        yield
    except FileNotFoundError as exc:
        raise ApdbError(
            f"there is no APDB configuration {reference}; make one with apcampaign apdb init, or correct the name"
        ) from exc
    except OSError as exc:
        raise ApdbError(f"the APDB configuration {reference} cannot be read: {exc.strerror or exc}") from exc
    except ValidationError as exc:
        # Its own text would repeat the values, a URL with a password among them.
        wrong = ", ".join(".".join(map(str, error["loc"])) for error in exc.errors())
        raise ApdbError(f"{reference} is no APDB configuration: wrong or missing: {wrong}") from None
    except (yaml.YAMLError, UnicodeDecodeError, TypeError, LookupError, ValueError, RuntimeError) as exc:
        raise ApdbError(f"{reference} does not lead to an APDB configuration: {redact(str(exc))}") from exc
