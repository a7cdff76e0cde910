"""Repositories that cannot be read, or not now, and what is said while they are."""

import sqlite3
from pathlib import Path

import pytest
from apcampaign.common import butler
from apcampaign.common.butler import butler_errors, open_butler
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
