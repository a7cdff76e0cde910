"""Where an APDB is: URLs as people write them, and the password that goes nowhere."""

import dataclasses
import json
import pickle
from pathlib import Path

import pytest
from apcampaign.apdb import ApdbTarget, check_namespace, find_apdb, namespace_for
from apcampaign.common.errors import ApdbError
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine import URL

SECRET = "p@ss/w:rd %"


@pytest.mark.parametrize(
    "given_url",
    [
        "postgresql://rubin@db.example:5433/lsst-devl",
        "postgres://rubin@db.example:5433/lsst-devl",
        "postgresql+psycopg2://rubin@db.example:5433/lsst-devl",
    ],
)
def test_postgres_gets_the_driver_that_store_works_with(given_url):
    target = ApdbTarget.from_url(given_url, "ns")
    assert target.url == "postgresql+psycopg2://rubin@db.example:5433/lsst-devl"
    assert not target.is_sqlite
    assert target.password is None


def test_options_of_the_url_are_kept():
    target = ApdbTarget.from_url("postgresql://u@h/d?sslmode=require&password=hush")
    assert target.url == "postgresql+psycopg2://u@h/d?sslmode=require"
    assert target.password.get_secret_value() == "hush"


@pytest.mark.parametrize(
    ("url", "written", "database"),
    [
        (
            "postgresql://u@/d?host=db.example&port=5433",
            "u@db.example:5433/d",
            "database 'd' on db.example:5433",
        ),
        ("postgresql:///?host=db.example&user=u&dbname=d", "u@db.example/d", "database 'd' on db.example"),
        ("postgresql://u@[::1]:5433/d", "u@[::1]:5433/d", "database 'd' on [::1]:5433"),
        ("postgresql://u@/d?host=/run/pg", "u@/d?host=%2Frun%2Fpg", "database 'd' on /run/pg"),
        ("postgresql:///?service=apdb", "/?service=apdb", "the database of service apdb"),
        ("postgresql://u@/d?hostaddr=10.0.0.1", "u@/d?hostaddr=10.0.0.1", "database 'd' on 10.0.0.1"),
        ("postgresql://u@/d", "u@/d", "database 'd' on the local server"),
    ],
)
def test_the_server_is_named_however_it_is_given(url, written, database, monkeypatch):
    for name in ("PGHOST", "PGHOSTADDR", "PGSERVICE"):
        monkeypatch.delenv(name, raising=False)
    target = ApdbTarget.from_url(url)
    assert target.url == f"postgresql+psycopg2://{written}"
    assert target.database == database
    if "the local server" in database:
        monkeypatch.setenv("PGHOST", "elsewhere")
        assert target.database == "database 'd' on elsewhere"


def test_a_relative_sqlite_path_becomes_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert ApdbTarget.from_url("sqlite:///sub/x.db").sqlite_path == tmp_path / "sub/x.db"
    assert ApdbTarget.from_url(f"sqlite:////{tmp_path}/x.db").sqlite_path == tmp_path / "x.db"


def test_the_form_that_the_apdb_code_writes_is_read(tmp_path):
    path = tmp_path / "x.db"
    written = URL.create("sqlite", database=f"file:{path}", query={"mode": "rw", "uri": "true"})
    assert ApdbTarget.from_url(written.render_as_string()) == ApdbTarget.from_url(f"sqlite:///{path}")


def test_a_password_is_in_no_representation():
    url = URL.create("postgresql", "rubin", SECRET, "db.example", 5432, "lsst")
    target = ApdbTarget.from_url(url.render_as_string(hide_password=False), "ns")
    assert target.password.get_secret_value() == SECRET
    assert target.secret_url().password == SECRET
    shown = [
        repr(target),
        str(target),
        target.url,
        target.place,
        json.dumps(target.as_dict()),
        json.dumps(dataclasses.asdict(target), default=str),
        repr(find_apdb(target)),
    ]
    for text in shown:
        assert SECRET not in text
        assert "p%40ss" not in text
    assert pickle.loads(pickle.dumps(target)) == target  # noqa: S301


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://u:hush@h/d", "an APDB cannot be in 'mysql://u@h/d'; expected postgresql://"),
        ("postgresql+asyncpg://u:hush@h/d", "the driver of 'postgresql+asyncpg://u@h/d' cannot be used"),
        ("postgresql://u:hush@h", "'postgresql://u@h' names no database"),
        ("postgresql://u:hush@h:port/d", "the database URL cannot be read"),
        ("u:hush@h/d", "the database URL cannot be read"),
        ("postgresql://u@h/d?sslpassword=hush", "has the option sslpassword"),
        ("postgresql://u:a@hush@h/d", "write each '@' of the user name and the password as %40"),
        ("postgresql://u:a@b/hush@h/d", "write each '@' of the user name and the password as %40"),
        ("", "the database URL cannot be read"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
    ],
)
def test_an_unusable_url_is_refused_without_its_password(url, message):
    with pytest.raises(ApdbError) as caught:
        ApdbTarget.from_url(url)
    assert message in str(caught.value)
    assert "hush" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_sqlite_has_no_namespaces():
    with pytest.raises(ApdbError, match="SQLite has no namespaces"):
        ApdbTarget.from_url("sqlite:///x.db", "ns")


@pytest.mark.parametrize(
    ("name", "namespace"),
    [
        ("dc2-test-med-1", "dc2_test_med_1"),
        ("2.2i", "apdb_2_2i"),
        ("PG_Test", "apdb_pg_test"),
        ("---", "apdb"),
    ],
)
def test_a_namespace_is_derived_from_a_campaigns_name(name, namespace):
    assert namespace_for(name) == namespace


@given(st.text())
def test_a_derived_namespace_is_always_usable(name):
    check_namespace(namespace_for(name))


@pytest.mark.parametrize(
    "namespace",
    [
        "pg_catalog",
        "information_schema",
        "Upper",
        "with space",
        'quo"te',
        "9",
        "",
        "a" * 64,
        "ü",
        "a;b",
        "a.b",
    ],
)
def test_a_bad_namespace_is_refused_and_another_proposed(namespace):
    with pytest.raises(ApdbError, match="such as '"):
        check_namespace(namespace)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no APDB configuration"),
        ("", "does not lead to an APDB configuration"),
        ("{", "does not lead to an APDB configuration"),
        ("implementation_type: sql\nnamespace: x\n", "wrong or missing: db_url"),
        ("implementation_type: dragon\n", "Unknown apdb implementation|does not lead"),
        ("implementation_type: sql\ndb_url: mysql://u:hush@h/d\n", "cannot be in 'mysql://u@h/d'"),
    ],
)
def test_a_bad_configuration_is_named(tmp_path: Path, content, message):
    path = tmp_path / "apdb.yaml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ApdbError, match=message) as caught:
        find_apdb(path)
    assert "hush" not in str(caught.value)


def test_a_label_needs_an_index(tmp_path, monkeypatch):
    monkeypatch.delenv("DAX_APDB_INDEX_URI", raising=False)
    with pytest.raises(ApdbError, match="DAX_APDB_INDEX_URI is not set"):
        find_apdb("label:prod")
    config = tmp_path / "apdb.yaml"
    config.write_text(f"implementation_type: sql\ndb_url: sqlite:///{tmp_path}/x.db\n")
    index = tmp_path / "index.yaml"
    index.write_text(f"prod: {config}\n")
    monkeypatch.setenv("DAX_APDB_INDEX_URI", str(index))
    assert find_apdb("label:prod").target.sqlite_path == tmp_path / "x.db"
    with pytest.raises(ApdbError, match="dev"):
        find_apdb("label:dev")


def test_a_namespace_beside_a_configuration_is_refused(tmp_path):
    with pytest.raises(ApdbError, match=r"was given with .*, which names its own"):
        find_apdb(tmp_path / "apdb.yaml", "ns")
