"""Connections to the database of an APDB, and the one boundary where its errors become sentences."""

__all__ = ["connect_arguments", "credentials_sentence", "make_engine", "reporting_errors"]

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy
from sqlalchemy.engine import URL, Engine
from sqlalchemy.pool import NullPool

from ..common.errors import ApdbError
from ..common.secrets import redact
from .target import ApdbTarget

DEFAULT_TIMEOUT = 15

_WHERE_LOOKED = (
    "~/.pgpass (chmod 600), the file named in PGPASSFILE or in LSST_DB_AUTH, or the variable PGPASSWORD"
)


def connect_arguments(target: ApdbTarget, timeout: int = DEFAULT_TIMEOUT) -> dict[str, Any]:
    """Return keyword arguments for the database driver's ``connect``, with the password.

    A password in the URL that was given comes first, then ``LSST_DB_AUTH`` as `lsst.utils.db_auth`
    reads it; without either libpq looks into ``PGPASSWORD``, ``PGPASSFILE`` and ``~/.pgpass`` itself.

    Parameters
    ----------
    target
        The place to connect to.
    timeout
        Seconds to wait: for an answer of the server, or for the lock of an SQLite file.

    Raises
    ------
    ApdbError
        If the file of credentials cannot be used.
    """
    url = _authenticated(target)
    dialect = url.get_dialect()()
    _, arguments = dialect.create_connect_args(url)
    arguments["timeout" if target.is_sqlite else "connect_timeout"] = timeout
    return dict(arguments)


def make_engine(target: ApdbTarget, timeout: int = DEFAULT_TIMEOUT) -> Engine:
    """Make an engine that opens a connection when one is asked for, and keeps none.

    An SQLite file that does not exist is not made.
    """
    return sqlalchemy.create_engine(target.url, creator=make_creator(target, timeout), poolclass=NullPool)


def make_creator(target: ApdbTarget, timeout: int = DEFAULT_TIMEOUT) -> Callable[[], Any]:
    """Return a function that opens a connection of the database driver.

    It keeps the password out of every URL that somebody might print.
    """
    if target.is_sqlite:
        return lambda: _connect_sqlite(target, timeout)

    def create() -> Any:
        import psycopg2

        return psycopg2.connect(**connect_arguments(target, timeout))

    return create


def _connect_sqlite(target: ApdbTarget, timeout: int) -> Any:
    import sqlite3

    connection = sqlite3.connect(
        f"{target.sqlite_path.as_uri()}?mode=rw", uri=True, timeout=timeout, check_same_thread=False
    )
    connection.execute("PRAGMA foreign_keys=ON")
    return connection


def _authenticated(target: ApdbTarget) -> URL:
    url = target.secret_url()
    if target.is_sqlite or url.password is not None or url.host is None:
        return url
    from lsst.utils.db_auth import DbAuth, DbAuthError, DbAuthNotFoundError

    try:
        user, password = DbAuth().getAuth(
            url.get_backend_name(), url.username, url.host, url.port, url.database
        )
    except DbAuthNotFoundError:
        return url
    except DbAuthError as exc:
        raise ApdbError(credentials_sentence(exc)) from exc
    return url.set(username=user, password=password)


def credentials_sentence(reason: Exception) -> str:
    """Say that the file of credentials cannot be used, and what to do."""
    said = str(reason).rstrip(".")
    return f"the database credentials cannot be used: {said}; correct that file (chmod 600)"


@contextmanager
def reporting_errors(target: ApdbTarget) -> Iterator[None]:
    """Turn what the database says into a sentence that a person can act on.

    Raises
    ------
    ApdbError
        Instead of any error of SQLAlchemy or of a database driver.
    """
    import sqlite3

    drivers: tuple[type[Exception], ...] = (sqlalchemy.exc.SQLAlchemyError, sqlite3.Error)
    if not target.is_sqlite:
        import psycopg2

        drivers = (*drivers, psycopg2.Error)
    try:
        yield
    except drivers as exc:
        raise ApdbError(_sentence(target, exc)) from exc


def _sentence(target: ApdbTarget, exc: Exception) -> str:
    original = getattr(exc, "orig", None) or exc
    said = redact(str(original).strip() or type(original).__name__)
    first = said.splitlines()[0]
    sentence = _sqlite(target, first) if target.is_sqlite else _postgres(target, said)
    return sentence or f"{target.place}: the database says: {first}"


def _postgres(target: ApdbTarget, said: str) -> str | None:
    url = target.secret_url()
    where = f"{url.host or 'the local server'}{f':{url.port}' if url.port else ''}"
    user = url.username or "(your login name)"
    match = re.search(r'database "([^"]*)" does not exist', said)
    if match:
        return f"{where} has no database {match[1]!r}; create it (createdb {match[1]}) or correct the URL"
    if re.search(r'role "([^"]*)" does not exist', said) and "FATAL" in said:
        return (
            f"{where} knows no role {user!r}; name another user in the URL: postgresql://user@host/database"
        )
    if "password authentication failed" in said or "no password supplied" in said:
        missing = "no password supplied" in said
        # The server does not tell these two from each other, so that nobody can find out who has a role.
        what = "no password was found" if missing else "the password is wrong, or there is no such role"
        return f"{where} does not let {user!r} in: {what}; passwords come from {_WHERE_LOOKED}"
    if "pg_hba.conf" in said:
        return f"{where} does not let {user!r} in from this machine; ask its administrator (pg_hba.conf)"
    if re.search(
        "Connection refused|could not translate host|No route to host|timeout expired|timed out", said
    ):
        reason = re.split(r"failed: |: ", said.splitlines()[0])[-1].strip()
        return f"{where} cannot be reached: {reason}; is the host right, and does PostgreSQL run there?"
    if "permission denied" in said:
        return (
            f"{user!r} lacks a right on {target.place}: {said.splitlines()[0].strip()}; ask the owner for it"
        )
    if "must be owner of" in said:
        return (
            f"{user!r} does not own the tables of {target.place}, and only their owner may drop them; connect as "
            "the owner (apcampaign apdb info names it), or choose another namespace"
        )
    if "lock timeout" in said:
        return f"{target.place} is in use: somebody holds a lock on its tables; try again when they are done"
    if (
        "no results to fetch" in said
        or "connection already closed" in said
        or "closed the connection" in said
    ):
        return f"{where} closed the connection: {said.splitlines()[0].strip()}"
    return None


def _sqlite(target: ApdbTarget, said: str) -> str | None:
    path = target.sqlite_path
    if "locked" in said:
        return f"{path} is locked: another process is writing to it; try again when it is done"
    if "unable to open" in said and path.parent.is_dir() and not path.exists():
        return f"there is no file {path}; make an APDB there with apcampaign apdb init, or correct the name"
    if "unable to open" in said:
        return f"{path} cannot be opened; is the folder there, and may you write to it?"
    if "not a database" in said:
        return f"{path} is not an SQLite database; name another file"
    if "readonly" in said:
        return f"{path} may not be written to; correct its permissions or name another file"
    return None
