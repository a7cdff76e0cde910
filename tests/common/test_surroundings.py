"""What jobs and other programs get of the surroundings of a command."""

import os
import re
import subprocess

import pytest
from apcampaign.common.environment import environment_for_batch
from apcampaign.common.identity import user_name
from apcampaign.common.text import printable
from operators import ROOT
from strangers import NEEDS_ROOT, as_stranger

SECRET = "hunter2"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PGPASSWORD", SECRET),
        ("DB", f"postgresql://me:{SECRET}@host/db"),
        ("SOMEBODYS_URL", f"postgresql+psycopg2://me:{SECRET}@host/db"),
        ("DSN", f"host=h dbname=d password={SECRET}"),
        ("DSN", f"host=h password = '{SECRET}' dbname=d"),
        ("LSST_DB_AUTH_CREDENTIALS", "[]"),
        ("SOMEBODYS_AUTH", f'[{{"url": "postgresql://h", "password":"{SECRET}"}}]'),
        ("SOMEBODYS_YAML", f"- url: postgresql://h\n  password: {SECRET}"),
        ("SOMEBODYS_PASSWORD", SECRET),
        ("MAKEFLAGS", rf" -- DB=postgresql://me:{SECRET}@host/db TRACTS=3828\ 3829"),
        ("MFLAGS", f"-- DB={SECRET}"),
        ("MAKEOVERRIDES", "${-*-command-variables-*-}"),
        ("SLACK_WEBHOOK_URL", f"https://hooks/{SECRET}"),
        ("MYSQL_URL", f"mysql://me:{SECRET}@host/db"),
    ],
)
def test_no_job_gets_a_password(name, value):
    assert environment_for_batch({name: value, "LOGNAME": "me"}).keys() == {"LOGNAME", "PATH"}


def test_jobs_keep_what_they_need():
    needed = {
        "LOGNAME": "me",
        "http_proxy": "http://me:word@proxy:3128",
        "PGPASSFILE": "/home/me/.pgpass",
        "PWD": "/home/me",
        "AWS_SECRET_ACCESS_KEY": "key",
        "DAF_BUTLER_REPOSITORY_INDEX": "/index.yaml",
        "APCAMPAIGN_DB": "postgresql://me@host/db?passfile=%2Fp",
    }
    assert needed.items() <= environment_for_batch(needed).items()


def test_make_hands_values_down_as_they_are(tmp_path):
    """Nothing in a value is run: by Make on its command line or from the environment, nor by the shell."""
    planted = tmp_path / "planted"
    values = {
        "TRACTS": f"$(shell touch {planted})",
        "BANDS": "$$x $(HOME) ${HOME} `id` \"'",
        "DB": f"postgresql://me:p$a$(shell touch {planted})@host/db",
    }
    shown = tmp_path / "show"
    shown.write_text("#!/bin/sh\nenv -0\n")
    shown.chmod(0o755)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("APCAMPAIGN_")}
    for words, environment in (([f"{key}={value}" for key, value in values.items()], {}), ([], values)):
        done = subprocess.run(
            ["make", "-s", "apdb-init", f"APCAMPAIGN={shown}", *words],
            cwd=ROOT,
            env={**clean, **environment},
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
        got = dict(line.partition("=")[::2] for line in done.stdout.split("\0"))
        assert {key: got[f"APCAMPAIGN_{key}"] for key in values} == values
        assert "DB" not in got
        assert not planted.exists()


def test_make_takes_the_command_of_a_stack_that_is_set_up_and_leaves_its_own_environment_alone(tmp_path):
    def make(*words, path=f"{tmp_path}:/usr/bin:/bin"):
        environment = {"PATH": path, "SETUP_CTRL_BPS": "ctrl_bps g123 -f Linux64"}
        done = subprocess.run(
            ["make", "-s", *words], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=30
        )
        return done.returncode, done.stdout + done.stderr

    code, said = make("status")
    assert code
    assert f"it has no apcampaign: pip install --user {ROOT}" in said
    (tmp_path / "apcampaign").write_text("#!/bin/sh\necho of the stack: $*\n")
    (tmp_path / "apcampaign").chmod(0o755)
    assert make("submit-diffim") == (0, "of the stack: submit diffim --wait\n")
    code, said = make("demo")
    assert code
    assert said.startswith("lsst_distrib is set up in this shell, and .venv must not see it")


def test_no_default_of_an_argument_is_the_environment():
    """The help of a notebook shows defaults, passwords and all."""
    default = re.compile(r"^\s*(?:def \w+\(.*)?\w+: [^=\n]*= os\.environ\b(?![.\[])", re.MULTILINE)
    assert default.search("def load(path: Path, environment: Mapping[str, str] = os.environ) -> None:")
    folders = [ROOT / "src", *(file.parent for file in ROOT.glob("*/__init__.py"))]
    files = [file for folder in folders for file in folder.rglob("*.py") if "tests" not in file.parts]
    assert len(files) > 200
    assert [file for file in files if default.search(file.read_text())] == []


@NEEDS_ROOT
def test_a_user_without_a_name_is_called_by_the_number():
    assert as_stranger(user_name) == "uid-54321"
    assert "LOGNAME=uid-54321" in as_stranger(
        lambda: "LOGNAME=" + environment_for_batch(dict(os.environ))["LOGNAME"]
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain – Σ\n\tend", "plain – Σ\n\tend"),
        ("\x1b]0;title\x07\x1b[2Jgone", "\\x1b]0;title\\x07\\x1b[2Jgone"),
        ("all good\rFAILED", "all good\\rFAILED"),
        ("\x9b31m", "\\x9b31m"),  # one byte of the older control sets
        ("abc\u202edcba", "abc\\u202edcba"),  # turns the order round
        ("a\udc80b", "a\\udc80b"),  # a byte of a file name that is no UTF-8
        ("a\u2028b\x00", "a\\u2028b\\x00"),
    ],
)
def test_what_commands_a_terminal_is_shown_as_an_escape(text, shown):
    assert printable(text) == shown
    assert printable(shown) == shown
