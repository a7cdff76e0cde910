"""Making an APDB: whole or not at all, in a free place only, and secrets stay secret."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psycopg2
import pytest
import sqlalchemy
import yaml
from apcampaign.apdb import (
    ApdbOptions,
    ApdbTarget,
    count_rows,
    describe_apdb,
    init_apdb,
    open_apdb,
    plan_init,
)
from apcampaign.apdb.connection import make_engine
from apcampaign.common.errors import ApdbError
from apcampaign.sandbox.servers import PostgresServer

DEADLINE = 60
SECRET = "s3cr3t-p@ss"


def target_of(database: str, namespace: str = "camp") -> ApdbTarget:
    return ApdbTarget.from_url(database, None if database.startswith("sqlite") else namespace)


def make(target: ApdbTarget, folder: Path, **more):
    return init_apdb(plan_init(target, instrument="LSSTCam-imSim", config=folder / "apdb.yaml", **more))


def run_sql(target: ApdbTarget, *statements: str) -> None:
    with make_engine(target).begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def name_of(target: ApdbTarget, table: str) -> str:
    return f'"{table}"' if target.is_sqlite else f'{target.namespace}."{table}"'


def put_rows(target: ApdbTarget, count: int) -> None:
    table = name_of(target, "DiaObject_To_Object_Match")
    run_sql(
        target,
        *[f'INSERT INTO {table} ("diaObjectId", "objectId") VALUES ({i}, {i})' for i in range(count)],  # noqa: S608
    )


def tables_in(target: ApdbTarget) -> set[str]:
    if target.is_sqlite and not target.sqlite_path.exists():
        return set()
    return set(sqlalchemy.inspect(make_engine(target)).get_table_names(target.namespace))


def test_a_new_apdb_is_empty_and_says_what_it_is(database, tmp_path):
    target = target_of(database)
    created = make(target, tmp_path, campaign="dc2-test")
    apdb = open_apdb(created.config)
    assert apdb.metadata.get("instrument") == "LSSTCam-imSim"
    rows = count_rows(created.config)
    assert rows.pop("metadata") == len(created.metadata)
    assert set(rows) == {"DiaObject", "DiaSource", "DiaForcedSource", "DiaObject_To_Object_Match"}
    assert not any(rows.values())
    for key in ("created_by", "created_at", "created_with", "schema_version", "campaign"):
        assert apdb.metadata.get(f"apcampaign:{key}")
    assert count_rows(target)["metadata"] == len(created.metadata)
    json.dumps(created.as_dict())


def test_options_reach_the_apdb_and_its_configuration(database, tmp_path):
    options = ApdbOptions(
        replica=True,
        dia_object_index="last_object_table",
        htm_level=14,
        read_sources_months=3,
        read_forced_sources_months=2,
        connection_timeout=7,
    )
    created = make(target_of(database), tmp_path, options=options)
    config = open_apdb(created.config).getConfig()
    assert config.enable_replica
    assert config.dia_object_index == "last_object_table"
    assert config.pixelization.htm_level == 14
    assert (config.read_sources_months, config.read_forced_sources_months) == (3, 2)
    assert config.connection_config.connection_timeout == 7
    assert {"DiaObjectLast", "ApdbReplicaChunks", "DiaSourceChunks"} <= set(created.tables)


def test_a_hostile_folder_does_no_harm(hostile_path):
    created = make(ApdbTarget.from_url(f"sqlite:///{hostile_path}/a b'c.db"), hostile_path)
    assert created.target.sqlite_path.parent == hostile_path
    assert count_rows(created.config)["DiaSource"] == 0
    assert sorted(path.name for path in hostile_path.iterdir()) == ["a b'c.db", "apdb.yaml"]


def test_planning_changes_nothing(database, tmp_path):
    target = target_of(database)
    plan = plan_init(target, instrument="X", config=tmp_path / "apdb.yaml")
    assert plan.describe()[0] == f"create an empty APDB in {target.place}"
    told = dataclasses.replace(plan, options=ApdbOptions(replica=True, connection_timeout=0)).describe()
    assert told[0].endswith(" with replica=True, connection_timeout=0")
    json.dumps(plan.as_dict())
    assert tables_in(target) == set()
    assert not (tmp_path / "apdb.db").exists()
    assert not plan.config.exists()


def test_an_empty_apdb_is_not_made_twice(database, tmp_path):
    target = target_of(database)
    make(target, tmp_path)
    with pytest.raises(ApdbError, match=r"already holds an empty APDB, created by \S+@\S+ at 20"):
        make(target, tmp_path)


def test_an_apdb_with_rows_is_refused_and_reset_drops_it(database, tmp_path):
    target = target_of(database)
    make(target, tmp_path, options=ApdbOptions(replica=True, dia_object_index="last_object_table"))
    put_rows(target, 3)
    with pytest.raises(ApdbError, match="already holds an APDB with 3 rows in DiaObject_To_Object_Match"):
        make(target, tmp_path)
    plan = plan_init(target, instrument="Other", config=tmp_path / "apdb.yaml", reset=True)
    assert "DiaObject_To_Object_Match (3 rows)" in plan.describe()[0]
    created = init_apdb(plan)
    assert created.dropped["DiaObject_To_Object_Match"] == 3
    # What only the former kind of APDB had is gone too.
    assert tables_in(target) == set(created.tables)
    assert "DiaObjectLast" not in created.tables
    assert open_apdb(created.config).metadata.get("instrument") == "Other"


def test_rows_that_came_after_the_plan_are_not_dropped(database, tmp_path):
    target = target_of(database)
    make(target, tmp_path)
    plan = plan_init(target, instrument="X", config=tmp_path / "apdb.yaml", reset=True)
    put_rows(target, 1)
    with pytest.raises(
        ApdbError, match="has changed since the plan was made: it held no rows and now holds 1"
    ):
        init_apdb(plan)
    assert count_rows(target)["DiaObject_To_Object_Match"] == 1


def test_foreign_tables_are_refused_and_never_dropped(database, tmp_path):
    target = target_of(database)
    make(target, tmp_path)
    run_sql(
        target,
        f"CREATE TABLE {name_of(target, 'mine')} (x INTEGER)",
        f"INSERT INTO {name_of(target, 'mine')} VALUES (7)",  # noqa: S608
        f"CREATE VIEW {name_of(target, 'view')} AS SELECT x FROM {name_of(target, 'mine')}",  # noqa: S608
    )
    make(target, tmp_path, reset=True)
    with make_engine(target).connect() as connection:
        query = f"SELECT x FROM {name_of(target, 'view')}"  # noqa: S608
        assert connection.exec_driver_sql(query).scalar_one() == 7
    for table in count_rows(target):
        run_sql(target, f"DROP TABLE {name_of(target, table)}")
    for reset in (False, True):
        with pytest.raises(
            ApdbError, match=r"holds 2 tables or views that do not belong to an APDB \(mine, view\)"
        ):
            make(target, tmp_path, reset=reset)


def test_a_foreign_table_named_like_one_of_an_apdb_is_not_taken_for_it(database, tmp_path):
    target = target_of(database)
    if not target.is_sqlite:
        run_sql(target, f"CREATE SCHEMA {target.namespace}")
    else:
        target.sqlite_path.touch()
    run_sql(target, f"CREATE TABLE {name_of(target, 'metadata')} (id INTEGER, content TEXT)")
    with pytest.raises(ApdbError, match=r"do not belong to an APDB \(metadata\)"):
        make(target, tmp_path, reset=True)
    assert tables_in(target) == {"metadata"}


def test_a_configuration_of_another_apdb_is_not_overwritten(database, tmp_path):
    config = tmp_path / "apdb.yaml"
    config.write_text("implementation_type: sql\ndb_url: sqlite:////elsewhere.db\n")
    target = target_of(database)
    with pytest.raises(ApdbError, match="exists and is not the configuration of"):
        make(target, tmp_path)
    assert "elsewhere" in config.read_text()
    make(target, tmp_path, replace_config=True)
    assert "elsewhere" not in config.read_text()


def test_without_a_place_for_the_configuration_nothing_is_made(database, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    target = target_of(database)
    plan = plan_init(target, instrument="X", config=blocked / "apdb.yaml")
    with pytest.raises(ApdbError, match=r"cannot be written to .*, so no APDB was created"):
        init_apdb(plan)
    assert tables_in(target) == set()
    assert not (tmp_path / "apdb.db").exists()


_TOGETHER = """
import sys, time
from pathlib import Path
from apcampaign.apdb import *
from apcampaign.common.errors import ApdbError
import lsst.dax.apdb
url, namespace, folder, start = sys.argv[1:]
target = ApdbTarget.from_url(url, namespace or None)
plan = plan_init(target, instrument="X", config=Path(folder) / "apdb.yaml")
print("ready", flush=True)
sys.stdin.readline()
try:
    init_apdb(plan)
    print("won")
except ApdbError as error:
    print("told", error)
"""


@pytest.mark.slow
def test_of_two_at_once_one_wins_and_the_other_is_told(database, tmp_path):
    target = target_of(database)
    script = [sys.executable, "-c", _TOGETHER, target.url, target.namespace or ""]
    both = [
        subprocess.Popen(
            [*script, str(tmp_path / str(i)), "0"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for i in range(2)
    ]
    try:
        for one in both:
            assert one.stdout.readline() == "ready\n"
        for one in both:
            one.stdin.write("go\n")
            one.stdin.flush()
        said = sorted(one.communicate(timeout=DEADLINE)[0].strip() for one in both)
    finally:
        for one in both:
            one.kill()
            one.wait()
    assert said[1] == "won"
    assert said[0].startswith("told")
    assert "at this moment" in said[0] or "already holds an empty APDB" in said[0]
    assert count_rows(target)["DiaSource"] == 0
    assert len(list(tmp_path.glob("*/apdb.yaml"))) == 1


# Children of one warm process kill themselves: at the n-th statement, or when the transaction would end.
_KILLED = """
import os, signal, sys
from pathlib import Path
import sqlalchemy
from apcampaign.apdb import *
import lsst.dax.apdb
plans = {
    point: plan_init(ApdbTarget.from_url(url, namespace or None), instrument="X", config=Path(config))
    for point, url, namespace, config in (line.split("|") for line in sys.argv[1:])
}
def die():
    os.kill(os.getpid(), signal.SIGKILL)
def child(point, plan):
    count = 0
    def count_statements(*_):
        nonlocal count
        count += 1
        if str(count) == point:
            die()
    def watch(frame, event, _):
        if event == "call" and frame.f_code.co_name == "finish":
            die()
    if point == "end":
        sys.setprofile(watch)
    else:
        sqlalchemy.event.listen(sqlalchemy.Engine, "before_cursor_execute", count_statements)
    init_apdb(plan)
    os._exit(0)
for point, plan in plans.items():
    pid = os.fork()
    if pid == 0:
        child(point, plan)
    print(point, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


@pytest.mark.slow
def test_killed_at_any_moment_it_leaves_nothing(database, tmp_path):
    points = ["3", "40", "end"]
    places = {}
    for point in points:
        url = database.replace("apdb.db", f"{point}.db")
        places[point] = (target_of(url, f"killed_{point}"), tmp_path / point / "apdb.yaml")
    arguments = [
        "|".join([point, target.url, target.namespace or "", str(config)])
        for point, (target, config) in places.items()
    ]
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, *arguments],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=True,
    )
    assert done.stdout.split() == [part for point in points for part in (point, str(-signal.SIGKILL))]
    for target, config in places.values():
        if not target.is_sqlite:
            assert target.namespace not in sqlalchemy.inspect(make_engine(target)).get_schema_names()
        assert tables_in(target) == set()
        make(target, config.parent)
        assert count_rows(config)["DiaSource"] == 0
    assert {path.suffix for path in tmp_path.iterdir()} <= {"", ".db"}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A server that wants passwords."""
    roles = {"owner": SECRET, "reader": "r", "writer": "w", "stranger": "x"}
    data = tmp_path_factory.mktemp("guarded") / "data"
    with PostgresServer(data, user="owner", passwords=roles, time_to_live=30) as server:
        server.create_database("apdb")
        yield server


def url_of(server: PostgresServer, user: str, password: str | None, database: str = "apdb") -> str:
    credentials = user if password is None else f"{user}:{password.replace('@', '%40')}"
    return f"postgresql://{credentials}@127.0.0.1:{server.port}/{database}"


@pytest.mark.postgres
def test_rights_are_those_that_each_role_needs(guarded, tmp_path, monkeypatch):
    target = ApdbTarget.from_url(url_of(guarded, "owner", SECRET), "granted")
    options = ApdbOptions(replica=True, dia_object_index="last_object_table")
    make(target, tmp_path, options=options, readers=("reader",), writers=("writer",))
    info = describe_apdb(target)
    assert info.owner == "owner"
    assert info.grants == {"reader": ["SELECT"], "writer": ["DELETE", "INSERT", "SELECT", "UPDATE"]}
    reader = ApdbTarget.from_url(url_of(guarded, "reader", "r"), "granted")
    assert open_apdb(reader).metadata.get("instrument") == "LSSTCam-imSim"
    assert count_rows(reader)["DiaSource"] == 0
    for user, password, table, refused in [
        ("reader", "r", "DiaSource", True),
        ("stranger", "x", "DiaSource", True),
        ("writer", "w", "metadata", True),
        ("writer", "w", "DiaSource", True),
        ("writer", "w", "DiaObjectLast", False),
    ]:
        other = ApdbTarget.from_url(url_of(guarded, user, password), "granted")
        statement = f"DELETE FROM {name_of(other, table)}"  # noqa: S608
        if refused:
            with pytest.raises(sqlalchemy.exc.ProgrammingError, match="permission denied"):
                run_sql(other, statement)
        else:
            run_sql(other, statement)


@pytest.mark.postgres
def test_each_bad_input_gets_its_sentence_and_nothing_is_made(guarded, tmp_path):
    unused = "127.0.0.1:9"
    owner = url_of(guarded, "owner", SECRET)
    table = [
        (url_of(guarded, "owner", SECRET, "nowhere"), "ns", {}, "has no database 'nowhere'; create it"),
        (url_of(guarded, "owner", "wr0ng"), "ns", {}, "in: the password is wrong, or there is no such role;"),
        (
            url_of(guarded, "nobody", "hush"),
            "ns",
            {},
            "'nobody' in: the password is wrong, or there is no such",
        ),
        (url_of(guarded, "owner", None), "ns", {}, "does not let 'owner' in: no password was found"),
        (url_of(guarded, "stranger", "x"), "ns", {}, "role 'stranger' may not create namespaces in"),
        (url_of(guarded, "stranger", "x"), "ns", {}, "ask its owner for GRANT CREATE ON DATABASE, or for a"),
        (
            f"postgresql://owner:{SECRET[:6]}@{unused}/apdb",
            "ns",
            {},
            f"{unused} cannot be reached: Connection ref",
        ),
        ("postgresql://owner:hush@no.host.invalid/apdb", "ns", {}, "no.host.invalid cannot be reached"),
        ("oracle://owner:hush@h/apdb", "ns", {}, "an APDB cannot be in 'oracle://owner@h/apdb'"),
        (owner, "Bad-Name", {}, "'Bad-Name' cannot be a namespace"),
        (owner, "pg_mine", {}, "namespace 'pg_mine' is reserved by PostgreSQL"),
        (owner, None, {}, "needs a namespace"),
        (owner, "ns", {"readers": ("ghost",)}, "the server has no role ghost"),
        (owner, "ns", {"instrument": ""}, "such as LSSTCam-imSim; give it with --instrument"),
        (owner, "ns", {"options": ApdbOptions(htm_level=99)}, "HTM level 99 is out of range"),
        (owner, "ns", {"options": ApdbOptions(read_sources_months=-1)}, "read sources months cannot be -1"),
        (owner, "ns", {"config": tmp_path}, "is a folder; name a file"),
        (f"sqlite:///{tmp_path}/none/x.db", None, {}, "there is no folder"),
        (f"sqlite:///{tmp_path}/x.db", None, {"writers": ("a",)}, "SQLite has no roles"),
    ]
    for url, namespace, more, message in table:
        arguments = {"instrument": "X", "config": tmp_path / "apdb.yaml", **more}
        with pytest.raises(ApdbError) as caught:
            init_apdb(plan_init(ApdbTarget.from_url(url, namespace), **arguments))
        said = str(caught.value)
        assert message in said
        assert "\n" not in said
        assert not any(secret in said for secret in (SECRET, "s3cr3t", "wr0ng", "hush"))
    assert list(tmp_path.iterdir()) == []
    namespaces = sqlalchemy.inspect(make_engine(ApdbTarget.from_url(owner))).get_schema_names()
    assert not {"ns", "Bad-Name", "pg_mine"} & set(namespaces)


@pytest.mark.postgres
def test_a_namespace_that_the_administrator_made_is_enough(guarded, tmp_path):
    owner = ApdbTarget.from_url(url_of(guarded, "owner", SECRET), "lent")
    run_sql(owner, "CREATE SCHEMA lent")
    stranger = ApdbTarget.from_url(url_of(guarded, "stranger", "x"), "lent")
    with pytest.raises(ApdbError, match=r"'stranger' may not create in namespace 'lent' .*ask its owner for"):
        make(stranger, tmp_path)
    run_sql(owner, "GRANT CREATE, USAGE ON SCHEMA lent TO stranger")
    make(stranger, tmp_path)
    assert count_rows(stranger)["DiaSource"] == 0


@pytest.mark.postgres
def test_only_the_owner_of_an_apdb_may_drop_it(guarded, tmp_path):
    owner = ApdbTarget.from_url(url_of(guarded, "owner", SECRET), "owned")
    make(owner, tmp_path, readers=("stranger",))
    run_sql(owner, "GRANT CREATE ON SCHEMA owned TO stranger")
    stranger = ApdbTarget.from_url(url_of(guarded, "stranger", "x"), "owned")
    with pytest.raises(
        ApdbError, match=r"is not the configuration of .* by postgresql\+psycopg2://stranger@"
    ):
        make(stranger, tmp_path, reset=True)
    with pytest.raises(ApdbError, match="'stranger' does not own the tables of namespace 'owned'"):
        make(stranger, tmp_path / "other", reset=True)
    assert count_rows(owner)["DiaSource"] == 0


@pytest.mark.postgres
@pytest.mark.parametrize("source", ["PGPASSFILE", "PGPASSWORD", "LSST_DB_AUTH"])
def test_a_password_is_found_where_it_may_be(guarded, tmp_path, monkeypatch, source):
    target = ApdbTarget.from_url(url_of(guarded, "owner", None), f"secret_{source.lower()}")
    value = SECRET
    if source != "PGPASSWORD":
        file = tmp_path / "secrets"
        lines = {
            "PGPASSFILE": f"127.0.0.1:{guarded.port}:*:owner:{SECRET}\n",
            "LSST_DB_AUTH": yaml.safe_dump([{"url": "postgresql://owner@127.0.0.1", "password": SECRET}]),
        }
        file.write_text(lines[source])
        file.chmod(0o600)
        value = str(file)
    monkeypatch.setenv(source, value)
    created = make(target, tmp_path)
    assert open_apdb(created.config).metadata.get("instrument") == "LSSTCam-imSim"
    assert "s3cr3t" not in created.config.read_text()


@pytest.mark.postgres
def test_the_password_file_of_a_url_comes_before_a_password_that_is_for_another_server(
    guarded, tmp_path, monkeypatch
):
    monkeypatch.setenv("PGPASSWORD", "of-another-server")
    file = tmp_path / "secrets"
    escaped = SECRET.replace("\\", "\\\\").replace(":", "\\:")
    file.write_text(f"nowhere:*:*:*:x\n127.0.0.1:{guarded.port}:*:owner:{escaped}\n")
    file.chmod(0o600)
    url = f"{url_of(guarded, 'owner', None)}?passfile={file}"
    created = make(ApdbTarget.from_url(url, "passfile"), tmp_path)
    assert open_apdb(created.config).metadata.get("instrument") == "LSSTCam-imSim"


@pytest.mark.postgres
def test_credentials_that_others_may_read_are_refused(guarded, tmp_path, monkeypatch):
    file = tmp_path / "secrets"
    file.write_text(yaml.safe_dump([{"url": "postgresql://owner@127.0.0.1", "password": SECRET}]))
    file.chmod(0o644)
    monkeypatch.setenv("LSST_DB_AUTH", str(file))
    with pytest.raises(ApdbError, match=r"the database credentials cannot be used: .*permissions.*chmod 600"):
        make(ApdbTarget.from_url(url_of(guarded, "owner", None), "open"), tmp_path)


@pytest.mark.postgres
def test_a_password_in_the_url_is_used_and_written_nowhere(guarded, tmp_path):
    """The command as a user runs it, with /proc watched for what ``ps`` would show."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PG", "LSST_DB"))}
    environment["APCAMPAIGN_DB"] = url_of(guarded, "owner", SECRET)
    options = ["--namespace", "secret", "--config", "apdb.yaml", "--instrument", "X", "--json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "apcampaign.scripts.cli", "apdb", "init", *options],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    shown = set()
    end = time.monotonic() + DEADLINE
    while process.poll() is None and time.monotonic() < end:
        shown.add(Path(f"/proc/{process.pid}/cmdline").read_text())
        time.sleep(0.02)
    out, err = process.communicate(timeout=1)
    assert process.returncode == 0, err
    assert json.loads(out)["namespace"] == "secret"
    written = [path.read_text(errors="replace") for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) == 1
    for text in [out, err, *written, *shown]:
        assert "s3cr3t" not in text


@pytest.mark.postgres
def test_a_password_on_the_command_line_is_taken_off_it(guarded, tmp_path):
    script = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from apcampaign.scripts.options.apdb import hide_passwords
        hide_passwords()
        print(Path("/proc/self/cmdline").read_text())
        """
    )
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            script,
            url_of(guarded, "owner", SECRET),
            "postgresql://u@h/d?password=s3cr3t",
        ],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=True,
    )
    assert "s3cr3t" not in done.stdout + done.stderr
    assert "can be seen by others" in done.stderr


@pytest.mark.postgres
def test_a_table_in_use_is_reported_instead_of_waited_for(postgres_url, tmp_path):
    target = target_of(postgres_url)
    make(target, tmp_path)
    plan = plan_init(target, instrument="X", config=tmp_path / "apdb.yaml", reset=True)
    holder = psycopg2.connect(postgres_url)
    try:
        holder.cursor().execute('SELECT count(*) FROM camp."DiaSource"')
        with pytest.raises(ApdbError, match="is in use: somebody holds a lock on its tables"):
            init_apdb(plan)
    finally:
        holder.close()
