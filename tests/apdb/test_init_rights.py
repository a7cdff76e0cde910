"""Making an APDB on a server that wants passwords: who may do what, and secrets stay secret."""

import json
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

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
from apdb_init import make, name_of, run_sql

DEADLINE = 60
SECRET = "s3cr3t-p@ss"


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
        (owner, "ns", {"options": ApdbOptions(read_sources_months=10**9)}, "expected 0 to 1,200"),
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
        from apcampaign.scripts.process import hide_passwords
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
