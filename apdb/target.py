"""Database URL and namespace of an APDB, existing or planned, with the password kept apart from both."""

__all__ = ["ApdbTarget", "check_namespace", "namespace_for"]

import importlib.util
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from pydantic import SecretStr
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from ..common.errors import ApdbError

# With psycopg 3, the other driver of SQLAlchemy, Apdb.store() fails: DatatypeMismatch on validityEndMjdTai.
_DRIVER = "postgresql+psycopg2"
_EXPECTED = "postgresql://user@host/database or sqlite:///path/of/file.db"
# What of a URL's options names a server; libpq looks for each in the environment too.
_PLACES = ("host", "hostaddr", "service")
_NAMESPACE = re.compile(r"[a-z_][a-z0-9_]*")
# PostgreSQL cuts longer identifiers off, silently.
_LONGEST = 63


@dataclass(frozen=True)
class ApdbTarget:
    """A place for one APDB.

    Parameters
    ----------
    url
        SQLAlchemy URL with its driver (``postgresql+psycopg2://…``, ``sqlite:////absolute/path``), without
        a password.
    namespace
        PostgreSQL schema that holds the APDB's tables; `None` for the default schema, and for SQLite.
    password
        Password that was given in the URL. No other attribute and no representation holds it.

    Notes
    -----
    Make one with `from_url`, which validates the URL.
    """

    url: str
    namespace: str | None = None
    password: SecretStr | None = field(default=None, repr=False, compare=False)

    @classmethod
    def from_url(cls, url: str, namespace: str | None = None) -> Self:
        """Read a database URL as people write it.

        Parameters
        ----------
        url
            ``postgresql://user[:password]@host[:port]/database`` or ``sqlite:///file``. The driver
            becomes psycopg2. A relative path of an SQLite file is taken from the working directory.
        namespace
            PostgreSQL schema.

        Raises
        ------
        ApdbError
            If the URL cannot be used; the message holds no password.
        """
        parsed, password = _parse(url)
        backend = parsed.get_backend_name()
        if parsed.drivername in ("postgres", "postgresql", _DRIVER):
            return cls(_postgres_url(parsed), namespace, password)
        if parsed.drivername in ("sqlite", "sqlite+pysqlite"):
            if namespace is not None:
                raise ApdbError(
                    f"namespace {namespace!r} was given for the SQLite file {parsed.database!r}, and SQLite "
                    "has no namespaces",
                    remedy="leave it out, or use PostgreSQL",
                )
            return cls(_sqlite_url(parsed), None, None)
        if backend == "postgresql":
            raise ApdbError(
                f"the driver of {_show(parsed)!r} cannot be used: lsst.dax.apdb works with psycopg2 only",
                remedy="write postgresql://user@host/database",
            )
        raise ApdbError(f"an APDB cannot be in {_show(parsed)!r}", expected=_EXPECTED)

    @property
    def is_sqlite(self) -> bool:
        """Whether this is an SQLite file."""
        return self.url.startswith("sqlite")

    @property
    def sqlite_path(self) -> Path:
        """The SQLite file; only for such a target."""
        return Path(make_url(self.url).database or "")

    @property
    def place(self) -> str:
        """A description of the target, for messages."""
        if self.is_sqlite:
            return f"the SQLite file {self.sqlite_path}"
        namespace = "the default namespace" if self.namespace is None else f"namespace {self.namespace!r}"
        return f"{namespace} of {self.database}"

    @property
    def database(self) -> str:
        """A description of the database, for messages."""
        name = make_url(self.url).database
        return f"database {name!r} on {self.server}" if name else f"the database of {self.server}"

    @property
    def server(self) -> str:
        """A description of the server, for messages: that of the URL, or where libpq looks for one."""
        url = make_url(self.url)
        asked = {name: url.query.get(name) or os.environ.get(f"PG{name.upper()}") for name in _PLACES}
        if url.host:
            host = f"[{url.host}]" if ":" in url.host else url.host
            return f"{host}:{url.port}" if url.port else host
        for name, words in (("host", ""), ("hostaddr", ""), ("service", "service ")):
            if found := asked[name]:
                return words + (found if isinstance(found, str) else ", ".join(found))
        return f"the local server{f':{url.port}' if url.port else ''}"

    def secret_url(self) -> URL:
        """Return the URL with the password, for a database driver; it must never be written or shown."""
        url = make_url(self.url)
        return url if self.password is None else url.set(password=self.password.get_secret_value())

    def as_dict(self) -> dict[str, Any]:
        """Return what may be shown, for JSON."""
        return {"url": self.url, "namespace": self.namespace}


def namespace_for(name: str) -> str:
    """Derive a namespace from a campaign's name: ``dc2-test-med-1`` → ``dc2_test_med_1``."""
    namespace = re.sub(r"[^a-z0-9_]+", "_", name.lower()).strip("_")[:_LONGEST]
    if not namespace or namespace[0].isdigit() or namespace.startswith("pg_"):
        namespace = f"apdb_{namespace}"[:_LONGEST].rstrip("_")
    return namespace


def check_namespace(namespace: str) -> None:
    """Refuse a name for a new namespace that PostgreSQL does not take, or that SQL would have to quote.

    Raises
    ------
    ApdbError
        If the name is unusable; the message proposes another.
    """
    if namespace.startswith("pg_") or namespace == "information_schema":
        raise ApdbError(
            f"namespace {namespace!r} is reserved by PostgreSQL",
            remedy=f"choose another, such as {namespace_for(namespace)!r}",
        )
    if not _NAMESPACE.fullmatch(namespace) or len(namespace) > _LONGEST:
        raise ApdbError(
            f"{namespace!r} cannot be a namespace",
            expected=f"at most {_LONGEST} lower-case letters, digits and '_', not starting with a digit, such as "
            f"{namespace_for(namespace)!r}",
        )


def _parse(text: str) -> tuple[URL, SecretStr | None]:
    try:
        parsed = make_url(text.strip())
    except (ArgumentError, ValueError):
        # Neither the text nor the reason is repeated: both may hold a password.
        raise ApdbError("the database URL cannot be read", expected=_EXPECTED) from None
    if parsed.password is not None and text.count("@") > 1:
        # What follows the first one would be taken for the host, and be shown and written.
        raise ApdbError(
            "the database URL has more than one '@', and a password",
            remedy="write each '@' of the user name and the password as %40, or keep the password in ~/.pgpass",
        )
    if "sslpassword" in parsed.query:
        raise ApdbError(
            "the database URL has the option sslpassword, which would be written to files",
            remedy="put it in a service file (~/.pg_service.conf, chmod 600) and name that service: ?service=NAME",
        )
    # libpq also takes a password among the URL's options.
    hidden = parsed.query.get("password")
    password = parsed.password or (hidden if isinstance(hidden, str) else None)
    # URL.set() takes None for "leave it as it is".
    bare = parsed._replace(password=None).difference_update_query(["password"])
    return bare, None if password is None else SecretStr(password)


def _postgres_url(parsed: URL) -> str:
    parsed = _put_in_place(parsed)
    if not parsed.database and "service" not in parsed.query:
        raise ApdbError(f"{_show(parsed)!r} names no database", expected=_EXPECTED)
    if importlib.util.find_spec("psycopg2") is None:
        raise ApdbError(
            "the Python package psycopg2 is missing, and lsst.dax.apdb works with no other PostgreSQL driver",
            remedy="install psycopg2-binary",
        )
    return _show(parsed.set(drivername=_DRIVER))


def _put_in_place(parsed: URL) -> URL:
    """Write host, port, user and database where a URL has them, if they are among its options as libpq takes them.

    There credentials are looked up by them, here and in the jobs. A folder of sockets, or several hosts, stay.
    """
    places = {"host": "host", "port": "port", "user": "username", "dbname": "database"}
    for option, part in places.items():
        given = parsed.query.get(option)
        if not isinstance(given, str) or getattr(parsed, part) or given.startswith("/") or "," in given:
            continue
        if option == "port" and not (given.isdecimal() and parsed.host):
            continue
        value: dict[str, Any] = {part: int(given) if option == "port" else given}
        parsed = parsed.difference_update_query([option])._replace(**value)
    return parsed


def _sqlite_url(parsed: URL) -> str:
    database = parsed.database or ""
    # The form that lsst.dax.apdb writes: file:/path?mode=rw&uri=true
    path = database.removeprefix("file:")
    if not path or path.startswith(":") or parsed.query.get("mode") == "memory":
        raise ApdbError(
            f"{_show(parsed)!r} names no file, and jobs cannot share an APDB in memory", expected=_EXPECTED
        )
    # Too many leading slashes are a common mistake.
    absolute = Path(re.sub("^/+", "/", path)).absolute()
    return URL.create("sqlite", database=str(absolute)).render_as_string()


def _show(parsed: URL) -> str:
    return parsed.render_as_string(hide_password=False)
