"""A single transaction around code that opens database engines of its own.

`lsst.dax.apdb` creates an APDB through engines that it makes itself from a URL and commits as it goes: if it is
killed halfway, a part stays behind. Here that URL names an SQLAlchemy plugin which gives every such engine one
and the same database connection, on which nothing but `held_transaction` can commit. PostgreSQL and SQLite both
roll back the creation of tables, so at any moment there is either everything or nothing.
"""

__all__ = ["HeldTransaction", "held_transaction"]

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy.dialects import plugins
from sqlalchemy.engine import URL, Connection, CreateEnginePlugin
from sqlalchemy.pool import StaticPool

from .connection import DEFAULT_TIMEOUT, connect_arguments, reporting_errors
from .target import ApdbTarget

# Seconds to wait for another user of a table that is to be changed.
_LOCK_TIMEOUT = 5

_PLUGIN = "apcampaign_held"
_QUERY = "apcampaign_held_as"

# The connections that are held right now, by a random name that the URL of an engine carries.
_held: dict[str, Any] = {}


@dataclass(frozen=True)
class HeldTransaction:
    """A transaction that is open until the block of `held_transaction` ends.

    Parameters
    ----------
    connection
        For statements of our own.
    url
        For foreign code: an engine made from it works inside this transaction. It names no server.
    """

    connection: Connection
    url: str


@contextmanager
def held_transaction(target: ApdbTarget, timeout: int = DEFAULT_TIMEOUT) -> Iterator[HeldTransaction]:
    """Run a block in one transaction: commit at its end, roll everything back if it raises.

    Parameters
    ----------
    target
        Where. An SQLite file that does not exist is made, and removed again if the block raises.
    timeout
        Seconds to wait for the server's answer, or for the lock of an SQLite file.

    Raises
    ------
    ApdbError
        If the database cannot be reached or refuses.
    """
    with reporting_errors(target):
        raw = _open_sqlite(target, timeout) if target.is_sqlite else _open_postgres(target, timeout)
        name = secrets.token_hex(8)
        _held[name] = raw
        try:
            scheme = "sqlite:///file:held" if target.is_sqlite else "postgresql+psycopg2:///"
            url = f"{scheme}?plugin={_PLUGIN}&{_QUERY}={name}"
            with sqlalchemy.create_engine(url).connect() as connection:
                if not target.is_sqlite:
                    connection.execute(sqlalchemy.text(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}s'"))
                yield HeldTransaction(connection, url)
            raw.finish(commit=True)
        except BaseException:
            raw.finish(commit=False)
            raise
        finally:
            del _held[name]


class _HeldPlugin(CreateEnginePlugin):
    """Gives an engine the held connection instead of a new one."""

    def __init__(self, url: URL, kwargs: dict[str, Any]) -> None:
        raw = _held[str(url.query[_QUERY])]
        # Resetting on return would roll the transaction back.
        kwargs.update(creator=lambda: raw, poolclass=StaticPool, pool_reset_on_return=None)

    def update_url(self, url: URL) -> URL:
        return url.difference_update_query([_QUERY])


plugins.register(_PLUGIN, __name__, _HeldPlugin.__name__)


class _HeldSqlite(sqlite3.Connection):
    """An SQLite connection whose transaction only `finish` ends."""

    #: The file that this transaction has made, if it did.
    made: Path | None = None

    def commit(self) -> None:
        """Do nothing."""

    def rollback(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""

    def finish(self, *, commit: bool) -> None:
        if commit:
            super().commit()
        else:
            if self.made is not None:
                # Before the lock is released: whoever waits for it then sees that the file is gone.
                self.made.unlink(missing_ok=True)
            super().rollback()
        super().close()


def _open_sqlite(target: ApdbTarget, timeout: int) -> _HeldSqlite:
    path = target.sqlite_path
    while True:
        made = not path.exists()
        raw = sqlite3.connect(
            path, timeout=timeout, isolation_level=None, check_same_thread=False, factory=_HeldSqlite
        )
        try:
            raw.execute("PRAGMA foreign_keys=ON")
            raw.execute("SELECT count(*) FROM sqlite_master")
            opened = _inode(path)
            raw.execute("BEGIN IMMEDIATE")
            if _inode(path) == opened:
                # Another process may have made it too, and put something into it before the lock was ours.
                raw.made = path if made and path.stat().st_size == 0 else None
                return raw
        except BaseException:
            raw.finish(commit=False)
            raise
        # Whoever held the lock has removed the file.
        raw.finish(commit=False)


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None


def _open_postgres(target: ApdbTarget, timeout: int) -> Any:
    import psycopg2
    from psycopg2.extensions import connection

    class HeldPostgres(connection):
        def commit(self) -> None:
            pass

        def rollback(self) -> None:
            pass

        def close(self) -> None:
            pass

        def finish(self, *, commit: bool) -> None:
            try:
                if commit:
                    super().commit()
            finally:
                # Closing rolls back what was not committed.
                super().close()

    return psycopg2.connect(connection_factory=HeldPostgres, **connect_arguments(target, timeout))
