"""Repositories that cannot be read, or not now."""

import sqlite3
from pathlib import Path

import pytest
from apcampaign.common import butler
from apcampaign.common.butler import open_butler
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
