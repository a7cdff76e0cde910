"""A sandbox's folder in a new shell: what ``env.sh`` gives it, and its servers as they were left."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import psycopg2
import pytest
import yaml
from apcampaign.common.errors import PreconditionError, SandboxError
from apcampaign.sandbox.create import Sandbox
from apcampaign.sandbox.folder import SandboxFolder
from apcampaign.sandbox.servers import CondorPool
from apcampaign.sandbox.servers.process_record import ProcessRecord
from apcampaign.sandbox.survey import SandboxSize
from apcampaign.scripts.cli import command
from click.testing import CliRunner

COMMAND = Path(sys.executable).parent / "apcampaign"
SHELLS = [name for name in ("sh", "bash", "zsh", "dash") if shutil.which(name)]
#: A shell of somebody who has logged in just now.
BARE = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": os.environ.get("HOME", "/"), "LANG": "C.UTF-8"}


@pytest.fixture
def place(hostile_path: Path) -> SandboxFolder:
    """A demo's folder without its data."""
    return SandboxFolder(hostile_path, Sandbox(hostile_path / "dc2", SandboxSize()))


def in_a_new_shell(line: str, *, shell: str = "bash", good: bool = True) -> str:
    done = subprocess.run(
        [shell, "-c", line], cwd="/", env=BARE, capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode == 0) == good, f"{line}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("shell", SHELLS)
def test_any_shell_in_any_folder_gets_all_variables_and_the_command_itself(
    place: SandboxFolder, shell: str
) -> None:
    file = place.write_environment()
    script = ". " + str(file).replace("'", "\\'").replace(" ", "\\ ")
    names = [*place.environment(), "PATH"]
    printing = '; printf "%s\\n" ' + " ".join(f'"${name}"' for name in names)
    once, twice = (in_a_new_shell(times + printing, shell=shell) for times in (script, f"{script}; {script}"))
    assert once == twice
    values = dict(zip(names, once.splitlines(), strict=True))
    assert values["PATH"].split(":")[0] == str(COMMAND.parent)
    assert {name: values[name] for name in place.environment()} == place.environment()
    assert values["APCAMPAIGN_CAMPAIGN"] == str(place.folder / "campaign.yaml")


def test_a_shell_finds_the_pool_that_the_folder_has_had(tmp_path: Path) -> None:
    place = SandboxFolder(tmp_path, Sandbox(tmp_path / "dc2", SandboxSize()))
    assert "CONDOR_CONFIG" not in place.environment()
    (tmp_path / "condor").mkdir()
    facts = {
        "prefix": "/opt/condor",
        "version": "25.1.0",
        "settings": {"cpus": 7, "memory": 99, "tuned": False},
    }
    (tmp_path / "condor" / "pool.json").write_text(json.dumps(facts))
    assert place.environment()["CONDOR_CONFIG"] == str(tmp_path / "condor" / "condor_config")
    path = in_a_new_shell(f'. {place.write_environment()}; echo "$PATH"')
    assert {"/opt/condor/usr/bin", "/opt/condor/usr/sbin"} <= set(path.strip().split(":"))
    # It starts as it was, unless something else is wanted.
    assert (place.pool().settings.cpus, place.pool().settings.tuned) == (7, False)
    assert place.pool(cpus=3).settings.cpus == 3
    assert CondorPool.reopen(tmp_path / "elsewhere") is None


def test_a_folder_without_a_sandbox_is_refused_with_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match=r"no sandbox in .*; expected a folder that `apcampaign demo`"):
        SandboxFolder.open(tmp_path)
    done = CliRunner().invoke(command, ["sandbox", "status", str(tmp_path)])
    assert isinstance(done.exception, PreconditionError)


@pytest.mark.slow
@pytest.mark.postgres
def test_a_database_is_there_again_in_a_new_shell_after_a_restart_of_the_machine(
    sandbox: Sandbox, tmp_path: Path, postgres_server: object
) -> None:
    folder = tmp_path / "demo"
    folder.mkdir()
    (folder / "dc2").symlink_to(sandbox.folder)  # as a demo has it
    (folder / "campaign.yaml").write_text(yaml.safe_dump({**sandbox.campaign(), "site": "parsl-local"}))
    said = in_a_new_shell(f"{COMMAND} sandbox start demo --time-to-live 5".replace("demo", str(folder)))
    assert "PostgreSQL: running as process" in said
    assert "stops by itself at" in said
    assert "HTCondor" not in said
    shell = f". {folder}/env.sh"
    assert shell in said
    place = SandboxFolder.open(folder)
    url = place.database().url("apdb")
    with psycopg2.connect(url) as session, session.cursor() as cursor:
        cursor.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    session.close()
    assert in_a_new_shell(f"{shell} && apcampaign sandbox stop") == "stopped PostgreSQL\n"
    status = in_a_new_shell(f"{shell} && apcampaign sandbox status", good=False)
    assert "PostgreSQL: not running" in status
    assert "env.sh" not in status  # this shell has read it
    older = f"{shell} && unset DRP_PIPE_DIR && apcampaign sandbox status"
    assert f"to use it in this shell: {shell}" in in_a_new_shell(older, good=False)
    # What a machine that went down leaves.
    ProcessRecord(os.getpid(), "another boot:1").save(folder / "postgres" / "server.json")
    (folder / "postgres" / "cluster" / "postmaster.pid").write_text(f"{os.getpid()}\n")
    started = json.loads(in_a_new_shell(f"{shell} && apcampaign sandbox start --json"))
    try:
        assert [(each["name"], each["running"], each["ends"]) for each in started["servers"]] == [
            ("PostgreSQL", True, None)
        ]
        with psycopg2.connect(url) as session, session.cursor() as cursor:
            cursor.execute("SELECT answer FROM kept")
            assert cursor.fetchone() == (42,)
        session.close()
    finally:
        place.stop()
    (password,) = (line.rpartition(":")[2] for line in (folder / "postgres" / "pgpass").read_text().split())
    assert password not in (folder / "env.sh").read_text()
