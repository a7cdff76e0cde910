"""Repositories that cannot be read, or not now, and what is said while they are."""

import contextlib
import sqlite3
from pathlib import Path

import pytest
from apcampaign.common import butler
from apcampaign.common.butler import (
    butler_errors,
    open_butler,
    query_visits,
    refresh_statistics,
    reuse_butlers,
)
from apcampaign.common.errors import RepositoryError
from apcampaign.sandbox.create import Sandbox


@pytest.mark.slow
@pytest.mark.parametrize("writeable", [False, True])
def test_a_locked_registry_is_told_soon(untouched_sandbox: Sandbox, monkeypatch, writeable: bool):
    monkeypatch.setattr(butler, "_PATIENCE", 0.1)
    (file,) = Path(untouched_sandbox.butler).glob("*.sqlite3")
    locked = r"cannot be read: its registry .*sqlite3 has been locked .* see with `fuser"
    repository = str(untouched_sandbox.butler)
    holder = sqlite3.connect(file, isolation_level=None)
    try:
        holder.execute("BEGIN IMMEDIATE" if writeable else "BEGIN EXCLUSIVE")
        with (
            pytest.raises(RepositoryError, match=locked),
            open_butler(repository, "it cannot be read", writeable=writeable),
        ):
            pass
        holder.execute("ROLLBACK")
    finally:
        holder.close()
    with open_butler(repository, "it cannot be read", writeable=writeable) as opened:
        assert opened.collections.query("*")


@pytest.mark.slow
def test_sqlite_knows_how_many_rows_there_are_where_it_can_be_told(tmp_path: Path):
    from lsst.daf.butler import Butler

    Butler.makeRepo(str(tmp_path))
    (file,) = tmp_path.glob("*.sqlite3")

    def count() -> int:
        with contextlib.closing(sqlite3.connect(file)) as connection:
            (number,) = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'sqlite_stat1'")
        return int(number[0])

    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        refresh_statistics(str(tmp_path))  # without an error, and soon
        holder.execute("ROLLBACK")
    assert count() == 0
    refresh_statistics(str(tmp_path))
    assert count() == 1
    refresh_statistics(str(tmp_path / "nowhere"))


@pytest.mark.slow
def test_who_only_reads_shares_an_open_repository_and_sees_what_others_write(tmp_path: Path):
    from lsst.daf.butler import Butler

    repository = str(tmp_path)
    Butler.makeRepo(repository)

    @reuse_butlers()
    def look() -> None:
        with open_butler(repository, "it cannot be read") as first:
            assert not first.collections.query("*")
        with open_butler(repository, "it cannot be changed", writeable=True) as writing:
            writing.collections.register("new")
        with reuse_butlers(), open_butler(repository, "it cannot be read") as second:
            assert second is first
            assert second.collections.query("*") == ["new"]
        with (
            pytest.raises(RepositoryError, match="it cannot be read: KeyError"),
            open_butler(repository, "it cannot be read") as third,
        ):
            raise KeyError(third)

    look()
    with open_butler(repository, "it is read") as one, open_butler(repository, "it is read") as other:
        assert one is not other


def test_what_a_user_can_do_nothing_about_is_not_said(caplog: pytest.LogCaptureFixture):
    from lsst.utils import packages

    def ask() -> None:
        packages.getEnvironmentPackages.cache_clear()
        assert packages.getEnvironmentPackages() == {}

    with butler_errors("it cannot be read"):
        with butler_errors("nor can this"):
            ask()
        ask()
        packages.log.warning("the rest is said")
    assert caplog.messages == ["the rest is said"]
    ask()
    assert len(caplog.messages) == 2


@pytest.mark.parametrize("content", ["[1, 2]\n", "a: [1\nb: }\n", "\x00"])
def test_a_repository_whose_configuration_is_damaged_is_told_as_that(tmp_path: Path, content: str):
    (tmp_path / "butler.yaml").write_text(content)
    with (
        pytest.raises(
            RepositoryError, match=r"the configuration of .* is damaged .* correct its butler\.yaml"
        ),
        open_butler(str(tmp_path), "it cannot be read"),
    ):
        pass


@pytest.mark.slow
def test_visits_are_found_however_many_are_asked_for(untouched_sandbox: Sandbox):
    with open_butler(str(untouched_sandbox.butler), "visits cannot be found") as opened:
        known = [visit.id for visit in opened.query_dimension_records("visit", instrument="LSSTCam-imSim")]
        asked = {*known, *range(1, 1500)}
        found = [visit.id for visit in query_visits(opened, "visit", "LSSTCam-imSim", asked)]
    assert sorted(found) == sorted(known)


@pytest.mark.slow
def test_a_condition_that_is_too_large_for_sqlite_is_told_with_what_to_write(untouched_sandbox: Sandbox):
    listed = ", ".join(str(number) for number in range(1, 3000, 2))
    with (
        pytest.raises(RepositoryError) as refused,
        open_butler(str(untouched_sandbox.butler), "the data query cannot be run") as opened,
    ):
        opened.query_dimension_records(
            "visit", where=f"visit IN ({listed})", instrument="LSSTCam-imSim", explain=False
        )
    assert "ranges such as visit IN (1000..1999)" in refused.value.remedy
