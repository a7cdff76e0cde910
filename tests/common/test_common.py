"""Files that are whole or not there, and passwords that stay where they are."""

import os
import stat
import string
from pathlib import Path

import pytest
from apcampaign.common.files import write_atomically
from apcampaign.common.secrets import redact, split_password
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine import URL


def test_a_file_is_replaced_whole(tmp_path: Path):
    path = tmp_path / "new folder" / "file.yaml"
    write_atomically(path, "one")
    write_atomically(path, "two", mode=0o600)
    assert path.read_text() == "two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path):
    path = tmp_path / "file"
    write_atomically(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "\ud800")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_process_mask_is_kept(tmp_path: Path):
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "file", "")
        assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)


@given(st.text(string.printable.strip(), min_size=1), st.text(string.ascii_letters, min_size=1, max_size=5))
def test_any_password_is_taken_out_of_a_url(password, user):
    url = URL.create("postgresql", user, password, "dbhost", 5432, "db").render_as_string(hide_password=False)
    bare, found = split_password(url)
    assert bare == f"postgresql://{user}@dbhost:5432/db"
    assert found == password
    assert redact(f"cannot reach {url}: no") == f"cannot reach postgresql://{user}:***@dbhost:5432/db: no"


@pytest.mark.parametrize("option", ["password", "sslpassword"])
def test_a_password_among_the_options_of_a_url_is_taken_out_too(option):
    url = f"postgresql://me@host/db?sslmode=require&{option}=a%20b"
    assert split_password(url) == ("postgresql://me@host/db?sslmode=require", "a b")
    assert redact(url) == f"postgresql://me@host/db?sslmode=require&{option}=***"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("host=h password = word dbname=d", "host=h password = *** dbname=d"),
        (r"password='a \' b' dbname=d", "password=*** dbname=d"),
        ('[{"password": "a b", "url": "u"}]', '[{"password": ***, "url": "u"}]'),
        ("PGPASSWORD=word", "PGPASSWORD=***"),
        ("password: expected a reference", "password: expected a reference"),
    ],
)
def test_a_password_in_a_connection_string_is_hidden(text, shown):
    assert redact(text) == shown


@pytest.mark.parametrize(
    "url", ["postgresql://me@host/db", "sqlite:////tmp/x.db", "postgresql:///db", "label:x"]
)
def test_a_url_without_password_stays_as_it_is(url):
    assert split_password(url) == (url, None)
    assert redact(url) == url
