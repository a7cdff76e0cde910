"""Location of an APDB that is named by its configuration file, a label, or URL and namespace."""

__all__ = [
    "ApdbPlace",
    "Reference",
    "count_dia_objects",
    "count_rows",
    "find_apdb",
    "missing_apdb",
    "open_apdb",
]

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy
from sqlalchemy.engine import Engine

from ..common.errors import ApdbError, UnsupportedApdbError
from ..common.secrets import redact
from .connection import credentials_error, make_creator, make_engine, reporting_errors
from .namespace import count_objects, inspect_namespace
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
            If it cannot be reached, does not exist, or has another schema version.
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
                raise missing_apdb(self.target, f" (no table {exc})") from exc
            except IncompatibleVersionError as exc:
                raise ApdbError(
                    f"the APDB in {self.target.place} does not fit the installed software: {exc}",
                    remedy="use the software it was created with, or create a new APDB",
                ) from exc
            except DbAuthError as exc:
                raise credentials_error(exc) from exc
            except (ValueError, LookupError, TypeError, RuntimeError) as exc:
                said = redact(" ".join(str(exc).split()))[:300]
                raise ApdbError(
                    f"the metadata of the APDB in {self.target.place} cannot be used: "
                    f"{type(exc).__name__}: {said}",
                    remedy="see them with `apcampaign apdb info`, and correct the row of its table 'metadata'",
                ) from exc


def find_apdb(reference: Reference, namespace: str | None = None) -> ApdbPlace:
    """Find out which APDB is meant, without connecting to it.

    Parameters
    ----------
    reference
        Path or URI of a configuration, ``label:NAME`` (an entry of the index in ``DAX_APDB_INDEX_URI``), a
        database URL, or a target.
    namespace
        PostgreSQL schema; only with a URL.

    Raises
    ------
    ApdbError
        If there is no such configuration.
    UnsupportedApdbError
        If it is not in an SQL database.
    """
    from lsst.dax.apdb import ApdbConfig, ApdbSqlConfig

    if isinstance(reference, str) and "://" in reference and reference.startswith(("postgres", "sqlite")):
        reference = ApdbTarget.from_url(reference, namespace)
    elif namespace is not None:
        raise ApdbError(
            f"namespace {namespace!r} was given with {reference}, which names its own",
            remedy="leave it out, or give a database URL",
        )
    if isinstance(reference, ApdbTarget):
        return ApdbPlace(reference, ApdbSqlConfig(db_url=reference.url, namespace=reference.namespace))
    with _reading(str(reference)):
        config = ApdbConfig.from_uri(str(reference))
    if not isinstance(config, ApdbSqlConfig):
        raise UnsupportedApdbError(
            f"{reference} is the configuration of an APDB in Cassandra, which can be filled, but not inspected"
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
        Name of each table that exists → number of rows.
    """
    place = find_apdb(reference, namespace)
    with reporting_errors(place.target), place.engine().connect() as connection:
        contents = inspect_namespace(connection, place.target.namespace, place.config.prefix)
    if not contents.has_apdb:
        raise missing_apdb(place.target)
    return dict(contents.tables)


def count_dia_objects(reference: Reference, namespace: str | None = None) -> int | None:
    """Count the DiaObjects, of which the table has a row for each version; parameters and errors as `find_apdb`.

    Returns
    -------
    objects
        Versions that no later one replaces; `None` if the table does not tell.
    """
    place = find_apdb(reference, namespace)
    with reporting_errors(place.target), place.engine().connect() as connection:
        return count_objects(connection, place.target.namespace, place.config.prefix)


def missing_apdb(target: ApdbTarget, detail: str = "") -> ApdbError:
    """Make the error that there is no APDB, ``detail`` being what is known besides."""
    return ApdbError(
        f"there is no APDB in {target.place}{detail}",
        remedy="create one with `apcampaign apdb init`, or correct the URL or namespace",
    )


@contextmanager
def _reading(reference: str) -> Iterator[None]:
    """Explain what is wrong with a configuration, or with a label."""
    import yaml
    from pydantic import ValidationError

    try:
        yield
    except FileNotFoundError as exc:
        raise ApdbError(
            f"there is no APDB configuration {reference}",
            remedy="create the APDB with `apcampaign apdb init`, or correct the name",
        ) from exc
    except OSError as exc:
        raise ApdbError(
            f"the APDB configuration {reference} cannot be read: {exc.strerror or exc}",
            remedy="correct its path or its permissions",
        ) from exc
    except ValidationError as exc:
        # Its own text would repeat the values, a URL with a password among them.
        wrong = ", ".join(".".join(map(str, error["loc"])) for error in exc.errors())
        raise ApdbError(
            f"{reference} is not an APDB configuration: wrong or missing: {wrong}",
            remedy="name the file that `apcampaign apdb init` or `apdb-cli` wrote",
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError, TypeError, LookupError, ValueError, RuntimeError) as exc:
        raise ApdbError(
            f"{reference} does not lead to an APDB configuration: {redact(str(exc))}",
            remedy="correct the path, URI or label",
        ) from exc
