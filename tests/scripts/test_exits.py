"""How commands end: with exit codes that tell «no» from «not known», and errors that machines can read."""

import errno
import json
import os
import sqlite3
import subprocess
import sys

import click
import pytest
from apcampaign.bps.lint import Finding, Severity
from apcampaign.common.errors import BusyError, LedgerError, PreconditionError
from apcampaign.common.explain import explain_briefly
from apcampaign.scripts.cli import command
from apcampaign.scripts.exits import run
from apcampaign.scripts.options.campaign import confirm, say
from operators import COMMAND


@pytest.fixture
def end(tmp_path, monkeypatch, capfd):
    """Run the command line in an empty folder; give exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith("APCAMPAIGN_"):
            monkeypatch.delenv(name)

    def call(*words: str, command: click.Command = command) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["apcampaign", *words])
        code = run(command)
        said = capfd.readouterr()
        return code, said.out, said.err

    return call


def lsst_error() -> Exception:
    from lsst.daf.butler import MissingCollectionError

    return MissingCollectionError("u/x")


def raising(error: BaseException) -> click.Command:
    @click.command()
    @click.option("--json", "as_json", is_flag=True)
    def failing(as_json: bool) -> None:
        raise error

    return failing


@pytest.mark.parametrize(
    ("words", "code", "part"),
    [
        (["--version"], 0, ""),
        (["failures"], 3, "no campaign file"),
        (["failures", "--quantum"], 2, "--quanta"),
        (["lint"], 2, "FILE"),
        (["lint", "nosuch.yaml"], 3, ""),
        (["submit", "--night", "2026"], 2, "'--night': these are no nights: 2026 is not a night"),
        (["check", "--tracts", "38x"], 2, "'--tracts': '38x' is not a whole number"),
        (["check", "--bands", "g,!"], 2, "'--bands': '!' is not a band"),
        (["check", "--day-obs", "2026"], 2, "'--day-obs': 2026 is not a night"),
        (["check", "--site", "s3fd"], 2, "'--site': there is no site 's3fd'; did you mean 's3df'?"),
        (["archive", "x.zip"], 2, "does not say how to compress"),
        (
            ["apdb", "lightcurve", "x", "--at", "400", "200"],
            2,
            "'--at': there is no place at right ascension 400",
        ),
        (["apdb", "lightcurve", "x", "--object", "9" * 20], 2, "'--object'"),
        (["apdb", "rollback", "x", "--visit", "9" * 20, "--detector", "1"], 2, "'--visit'"),
        (["check", "--tracts", "9" * 20], 2, "'--tracts': there is no tract 99999999999999999999"),
        (["sandbox", "create", "x", "--visits", "9" * 20], 2, "at most 10,000 visits"),
        (["sandbox", "create", "x", "--visits", "0"], 2, "--visits: visits 0 cannot be used"),
        (["sandbox", "create", "x", "--bands", "q"], 2, "bands q cannot be used"),
        (["sandbox", "create", "x", "--template-visits", "50"], 2, "--template-visits: template visits 50"),
        (["sandbox", "create", "x", "--tracts", "3830..3828"], 2, "--tracts"),
        (["sandbox", "status"], 1, "make one with `apcampaign sandbox create FOLDER`"),
    ],
)
def test_the_exit_code_tells_usage_from_what_is_not_known(end, words, code, part):
    ended, _, err = end(*words)
    assert ended == code
    assert part in err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (PreconditionError("it is active"), 1),
        (BusyError("it is active"), 4),
        (LedgerError("no runs"), 3),
        (RuntimeError("oh"), 3),
        (KeyboardInterrupt(), 130),
        (click.Abort(), 1),
        (BrokenPipeError(), 141),
        (SystemExit(5), 5),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value),
)
def test_every_end_has_its_exit_code(end, monkeypatch, error, code):
    monkeypatch.setattr(os, "dup2", lambda *_: None)  # standard output is needed by the tests after this
    assert end(command=raising(error))[0] == code


def test_a_traceback_is_shown_to_those_who_ask_for_it(end, monkeypatch):
    said = end(command=raising(ZeroDivisionError("x")))[2]
    assert "Traceback" not in said
    assert "ZeroDivisionError: x (test_exits.py:" in said
    assert "--debug" in said
    monkeypatch.setenv("APCAMPAIGN_DEBUG", "1")
    assert "Traceback" in end(command=raising(LedgerError("postgresql://me:hush@host/db")))[2]
    assert "hush" not in end(command=raising(LedgerError("postgresql://me:hush@host/db")))[2]
    assert os.environ["APCAMPAIGN_DEBUG"]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ImportError("libx.so: failed to map segment"), "a Python package cannot be loaded: libx.so"),
        (OSError(errno.EFBIG, "File too large", "x.yaml"), "x.yaml: File too large; allow larger files"),
    ],
)
def test_a_limit_of_the_shell_is_told_with_what_raises_it(end, error, told):
    code, _, said = end(command=raising(error))
    assert code == 3
    assert told in said
    assert "ulimit" in said


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            sqlite3.OperationalError("no such table: x"),
            "a database says: no such table: x; see with `apcampaign check`",
        ),
        (subprocess.CalledProcessError(2, ["butler"], stderr="no"), "exit code 2: no; call it by itself"),
        (
            UnicodeDecodeError("utf-8", b"a\nname: \xff", 8, 9, "invalid"),
            "after 'name: '; expected UTF-8; write the",
        ),
        (lsst_error(), "MissingCollectionError: u/x; see with `apcampaign check`"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_a_library_raises_is_told_with_what_to_do(end, error, told):
    code, _, said = end(command=raising(error))
    assert code == 3
    assert told in said


def test_what_is_left_out_is_told_as_a_clause():
    said = explain_briefly(PermissionError(errno.EACCES, "Permission denied", "/nowhere/x"))
    assert "/nowhere/x: Permission denied; / is of root" in said
    assert explain_briefly(ZeroDivisionError("postgresql://me:hush@host/db")) == (
        "ZeroDivisionError: postgresql://me:***@host/db"
    )


@pytest.mark.parametrize("place", ["/dev/full", "&-"])
def test_output_that_cannot_be_written_ends_with_a_sentence_or_not_at_all(place):
    command = f"{COMMAND} --version >{place}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, timeout=60)
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    told = "what this command says cannot be written: No space left" in done.stderr
    assert told == (place == "/dev/full")
    assert told or (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("words", ["--help", "schema", "sites"], ids=["click", "echo", "rich"])
def test_who_has_had_enough_of_the_output_is_no_answer(words):
    command = f"{COMMAND} {words} | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (141, "")


def test_an_error_is_json_where_json_was_asked_for(end):
    _, out, err = end("status", "--json")
    told = json.loads(out)
    assert (told["exit_code"], told["error"]["kind"]) == (3, "SettingsError")
    assert "--campaign" in told["error"]["remedy"]
    assert "there is no campaign file" in err
    _, out, _ = end("status")
    assert out == ""
    assert json.loads(end("check", "--format", "json")[1])["exit_code"] == 3


def test_findings_and_passwords_of_an_error_are_what_they_should_be_in_json(end):
    finding = Finding(
        severity=Severity.ERROR, rule="rule", what="what", why="why", remedy="remedy", file="x.yaml", line=3
    )
    error = PreconditionError("postgresql://me:hush@host/db is refused", findings=[finding])
    _, out, err = end("--json", command=raising(error))
    told = json.loads(out)["error"]
    assert told["findings"][0]["line"] == 3
    assert "hush" not in out + err


def test_where_make_was_used_its_targets_are_named(capsys, monkeypatch):
    text = "next: `apcampaign submit diffim --wait`, or `apcampaign apdb info`"
    say(text)
    monkeypatch.setenv("APCAMPAIGN_FROM_MAKE", "1")
    say(text)
    assert capsys.readouterr().out.splitlines() == [
        text,
        "next: `make submit-diffim`, or `apcampaign apdb info`",
    ]


@pytest.mark.parametrize(
    ("words", "expected", "remedy"),
    [
        (["check", "--step", "x"], "one of templates, diffim", "see `apcampaign check --help`"),
        (["check", "--quanta"], "", "see `apcampaign check --help`"),
        (["check", "--stepp"], "", "did you mean --step or --site or --help?"),
        (["sandbox", "creat"], "", "did you mean 'create' or 'score'?"),
        (["check", "--day-obs", "2026"], "YYYYMMDD, such as 20260905", "see `apcampaign check --help`"),
    ],
)
def test_what_is_wrong_with_the_command_line_is_json_in_its_parts(end, words, expected, remedy):
    code, out, _ = end(*words, "--json")
    error = json.loads(out)["error"]
    assert (code, error["kind"], error["expected"], error["remedy"]) == (2, "UsageError", expected, remedy)
    assert "; " not in error["what"]


def test_whom_nobody_can_answer_is_told_how_not_to_be_asked(end, monkeypatch):
    @click.command()
    def asking() -> None:
        confirm("Remove it?")

    monkeypatch.setattr(sys, "stdin", None)
    code, _, err = end(command=asking)
    assert code == 1
    assert err == (
        "Remove it? Nobody can answer: standard input is closed; --yes does it without asking\nnothing was done\n"
    )
