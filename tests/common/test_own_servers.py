"""What starts the servers of a sandbox that do not answer, and only those."""

import json
import os
from pathlib import Path

import pytest
from apcampaign.apdb.connection import make_engine, reporting_errors
from apcampaign.apdb.target import ApdbTarget
from apcampaign.common.condor import advise
from apcampaign.common.errors import ApdbError
from apcampaign.common.own_servers import find_stopped_database, find_stopped_pool
from apcampaign.sandbox.servers.process_record import ProcessRecord


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A demo's folder whose servers have been stopped, of a shell that has read its variables."""
    folder = tmp_path / "my demo"
    for name in ("condor", "postgres"):
        (folder / name).mkdir(parents=True)
    (folder / "env.sh").touch()
    (folder / "condor" / "pool.json").write_text("{}")
    (folder / "postgres" / "pgpass").touch()
    (folder / "postgres" / "port").write_text("54321\n")
    monkeypatch.chdir("/")
    monkeypatch.setenv("APCAMPAIGN_SANDBOX", str(folder))
    monkeypatch.setenv("CONDOR_CONFIG", str(folder / "condor" / "condor_config"))
    return folder


def test_a_stopped_server_of_a_sandbox_is_started_with_it(
    demo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passfile = str(demo / "postgres" / "pgpass")
    assert find_stopped_pool() == find_stopped_database(passfile, 54321) == "apcampaign sandbox start"
    assert advise() == "start its servers with `apcampaign sandbox start`"
    monkeypatch.delenv("APCAMPAIGN_SANDBOX")  # another shell, in another folder
    assert find_stopped_database(passfile, 54321) == f"apcampaign sandbox start '{demo}'"
    monkeypatch.delenv("CONDOR_CONFIG")
    assert find_stopped_pool() == ""
    monkeypatch.chdir(demo)
    assert find_stopped_pool() == ". ./env.sh && apcampaign sandbox start"
    monkeypatch.setenv("CONDOR_CONFIG", str(demo / "condor" / "condor_config"))
    (demo / "env.sh").unlink()  # a pool of its own
    assert find_stopped_pool() == f"apcampaign sandbox condor --state '{demo / 'condor'}' start"


def test_servers_that_run_and_those_of_others_are_not_ours_to_start(
    demo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passfile = demo / "postgres" / "pgpass"
    running = ProcessRecord.of(os.getpid())
    assert running is not None
    running.save(demo / "postgres" / "server.json")
    running.save(demo / "condor" / "master.json")
    assert find_stopped_pool() == find_stopped_database(str(passfile), 54321) == ""
    # What a machine that went down leaves.
    before = {"pid": os.getpid(), "started": "another boot:1"}
    (demo / "postgres" / "server.json").write_text(json.dumps(before))
    assert find_stopped_database(str(passfile), 54321)
    assert find_stopped_database(str(passfile), 5432) == ""
    assert find_stopped_database(str(Path.home() / ".pgpass"), 54321) == find_stopped_database("", None) == ""
    monkeypatch.setenv("CONDOR_CONFIG", "/etc/condor/condor_config")
    assert advise() == "see whether `condor_q` works here"


def test_a_database_that_cannot_be_reached_names_what_starts_it(demo: Path) -> None:
    port = 9  # nobody listens there
    (demo / "postgres" / "port").write_text(f"{port}\n")
    for passfile, remedy in (
        (demo / "postgres" / "pgpass", "start its server with `apcampaign sandbox start`"),
        ("/nowhere/pgpass", "check the host and the port"),
    ):
        target = ApdbTarget.from_url(f"postgresql://me@127.0.0.1:{port}/apdb?passfile={passfile}")
        with pytest.raises(ApdbError, match="Connection refused") as caught, reporting_errors(target):
            make_engine(target).connect()
        assert caught.value.remedy.startswith(remedy)
