"""Connections to the database of an APDB, and translation of the database's errors."""

__all__ = ["connect_arguments", "credentials_error", "make_creator", "make_engine", "reporting_errors"]

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy.engine import URL, Engine
from sqlalchemy.pool import NullPool

from ..common.errors import ApdbError
from ..common.identity import user_name
from ..common.own_servers import find_stopped_database
from ..common.secrets import redact
from .target import ApdbTarget

DEFAULT_TIMEOUT = 15

# Host, port, database, user and password; a colon or a backslash in one of them has a backslash before it.
_PASSFILE_LINE = re.compile(r"((?:\\.|[^:\\])*):" * 4 + "(.*)")

_LOOKED_UP_IN = (
    "~/.pgpass (chmod 600), the file named in PGPASSFILE or in LSST_DB_AUTH, or the variable PGPASSWORD"
)


def connect_arguments(target: ApdbTarget, timeout: int = DEFAULT_TIMEOUT) -> dict[str, Any]:
    """Return keyword arguments for the database driver's ``connect``, with the password.

    A password in the URL that was given comes first, or in the password file that it names, then ``LSST_DB_AUTH``
    as `lsst.utils.db_auth` reads it; without them libpq looks into ``PGPASSWORD``, ``PGPASSFILE`` and
    ``~/.pgpass`` itself. (It would prefer ``PGPASSWORD``, which is for no server, to a file that the URL names.)

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
    """Make an engine that opens a connection when one is needed, and keeps none.

    An SQLite file that does not exist is not created.
    """
    return sqlalchemy.create_engine(target.url, creator=make_creator(target, timeout), poolclass=NullPool)


def make_creator(target: ApdbTarget, timeout: int = DEFAULT_TIMEOUT) -> Callable[[], Any]:
    """Return a function that opens a connection of the database driver.

    It keeps the password out of every URL that may be printed.
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
    if (password := _find_in_passfile(url)) is not None:
        return url.set(password=password)
    from lsst.utils.db_auth import DbAuth, DbAuthError, DbAuthNotFoundError

    try:
        user, password = DbAuth().getAuth(
            url.get_backend_name(), url.username, url.host, url.port, url.database
        )
    except DbAuthNotFoundError:
        return url
    except DbAuthError as exc:
        raise credentials_error(exc) from exc
    return url.set(username=user, password=password)


def _find_in_passfile(url: URL) -> str | None:
    """Find the password of a URL in the password file that it names, if that is nobody else's to read."""
    path = Path(str(url.query.get("passfile", "")))
    try:
        if not path.is_file() or path.stat().st_mode & 0o077:
            return None  # libpq says why
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    wanted = [url.host, str(url.port or 5432), url.database, url.username or user_name()]
    for line in lines:
        if found := _PASSFILE_LINE.fullmatch(line):
            *fields, password = (re.sub(r"\\(.)", r"\1", field) for field in found.groups())
            if all(field in ("*", value) for field, value in zip(fields, wanted, strict=True)):
                return password
    return None


def credentials_error(reason: Exception) -> ApdbError:
    """Describe why the file of credentials cannot be used."""
    said = str(reason).rstrip(".")
    return ApdbError(
        f"the database credentials cannot be used: {said}", remedy="correct that file (chmod 600)"
    )


@contextmanager
def reporting_errors(target: ApdbTarget) -> Iterator[None]:
    """Turn what the database says into an error that a person can act on.

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
        raise _explain(target, exc) from exc


def _explain(target: ApdbTarget, exc: Exception) -> ApdbError:
    original = getattr(exc, "orig", None) or exc
    said = redact(str(original).strip() or type(original).__name__)
    first = said.splitlines()[0].strip()
    if target.is_sqlite:
        error = _explain_sqlite(target, first)
    else:
        error = _explain_login(target, said) or _explain_postgres(target, said, first)
    return error or ApdbError(f"{target.place}: the database says: {first}")


def _explain_login(target: ApdbTarget, said: str) -> ApdbError | None:
    """Explain why the server cannot be reached, or does not let the user in."""
    server, user = target.server, _user(target)
    match = re.search(r'database "([^"]*)" does not exist', said)
    if match:
        return ApdbError(
            f"{server} has no database {match[1]!r}",
            remedy=f"create it (createdb {match[1]}) or correct the URL",
        )
    if re.search(r'role "([^"]*)" does not exist', said) and "FATAL" in said:
        return ApdbError(
            f"{server} has no role {user!r}",
            remedy="name another user in the URL: postgresql://user@host/database",
        )
    if "password authentication failed" in said or "no password supplied" in said:
        missing = "no password supplied" in said
        # The server does not tell these two from each other, so that nobody can find out who has a role.
        what = "no password was found" if missing else "the password is wrong, or there is no such role"
        return ApdbError(
            f"{server} does not let {user!r} in: {what}", remedy=f"give the password in {_LOOKED_UP_IN}"
        )
    if "pg_hba.conf" in said:
        return ApdbError(
            f"{server} does not let {user!r} in from this machine",
            remedy="ask its administrator (pg_hba.conf)",
        )
    if re.search(
        "Connection refused|could not translate host|No route to host|timeout expired|timed out", said
    ):
        reason = re.split(r"failed: |: ", said.splitlines()[0])[-1].strip()
        remedy = _start_again(target) or "check the host and the port, and that PostgreSQL runs there"
        return ApdbError(f"{server} cannot be reached: {reason}", remedy=remedy)
    return None


def _explain_postgres(target: ApdbTarget, said: str, first: str) -> ApdbError | None:
    """Explain what went wrong on a connection that was made."""
    user = _user(target)
    if "permission denied" in said:
        return ApdbError(f"{user!r} lacks a right on {target.place}: {first}", remedy="ask the owner for it")
    if "must be owner of" in said:
        return ApdbError(
            f"{user!r} does not own the tables of {target.place}, and only their owner may drop them",
            remedy="connect as the owner (`apcampaign apdb info` names it), or choose another namespace",
        )
    if "lock timeout" in said:
        return ApdbError(
            f"{target.place} is in use: somebody holds a lock on its tables",
            remedy="try again when they have finished",
        )
    if re.search("no results to fetch|connection already closed|closed the connection", said):
        return ApdbError(
            f"{target.server} closed the connection: {first}",
            remedy=_start_again(target) or "see whether the server still runs",
        )
    return None


def _explain_sqlite(target: ApdbTarget, said: str) -> ApdbError | None:
    path = target.sqlite_path
    if "locked" in said:
        return ApdbError(
            f"{path} is locked: another process is writing to it", remedy="try again when it has finished"
        )
    if "unable to open" in said and path.parent.is_dir() and not path.exists():
        return ApdbError(
            f"there is no file {path}",
            remedy="create an APDB there with `apcampaign apdb init`, or correct the name",
        )
    if "unable to open" in said:
        return ApdbError(
            f"{path} cannot be opened", remedy="check that its folder exists and that you may write to it"
        )
    if "not a database" in said:
        return ApdbError(f"{path} is not an SQLite database", remedy="name another file")
    if "readonly" in said:
        return ApdbError(f"{path} is read-only", remedy="correct its permissions or name another file")
    return None


def _start_again(target: ApdbTarget) -> str:
    """Say how to start the server, if it is one of ours; empty if it is not."""
    url = target.secret_url()
    command = find_stopped_database(str(url.query.get("passfile", "")), url.port)
    return f"start its server with `{command}`" if command else ""


def _user(target: ApdbTarget) -> str:
    return target.secret_url().username or "(your login name)"
