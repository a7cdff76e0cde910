"""Whatever the operating system says, a command ends with a sentence, and what was there before is still there."""

import errno
import io
import logging
import os
import re
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from apcampaign.scripts.cli import main
from strangers import NEEDS_ROOT, as_stranger
from system_faults import KINDS, SystemFaults, damage

RECORDED = Path(__file__).parents[1] / "support" / "recorded"
#: What the last resort says of what nobody has thought of.
UNEXPECTED = "not expected"

type Command = Callable[..., tuple[int, str]]


@pytest.fixture
def command(tmp_path: Path, capsys, monkeypatch) -> Iterator[Command]:
    """Run a command in this process; gives its exit code and all that it said."""
    mask = os.umask(0o022)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    ours = logging.getLogger("apcampaign")
    threads = set(threading.enumerate())
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("APCAMPAIGN_"):
            monkeypatch.delenv(name)

    def run(*words: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["apcampaign", *words])
        ours.handlers.clear()
        code: object = 0
        try:
            main()
        except SystemExit as ended:
            code = ended.code
        said = "".join(capsys.readouterr())
        assert "Traceback" not in said, said
        assert UNEXPECTED not in said, said
        assert isinstance(code or 0, int)
        return int(str(code or 0)), said

    yield run
    os.umask(mask)
    for number, handler in handlers.items():
        signal.signal(number, handler)
    ours.handlers.clear()
    ours.propagate = True
    left = set(threading.enumerate()) - threads
    for thread in left:
        thread.join(5)
    assert not [thread for thread in left if thread.is_alive()]


def write(folder: Path, name: str, **changes: object) -> None:
    content = {
        "name": name,
        "butler": str(folder / "nowhere" / "repo"),
        "tracts": [3828],
        "inCollection": "2.2i/defaults",
        "apdb": {"url": f"sqlite:///{folder}/apdb.db"},
        "site": "local",
        **changes,
    }
    (folder / "campaign.yaml").write_text(yaml.safe_dump(content))


#: Commands that read or write below the working directory, and at which calls they fail: at every, or every tenth.
COMMANDS = [
    (("status",), 1),
    (("status", "--json"), 1),
    (("failures",), 1),
    (("runs",), 1),
    (("summary",), 1),
    (("generate",), 1),
    (("submit", "--no-check"), 1),
    (("resume",), 1),
    (("cancel",), 1),
    (("plan",), 1),
    (("inspect",), 1),
    (("lint", "campaign.yaml"), 1),
    (("apdb", "info"), 1),
    (("report",), 10),
    (("check",), 10),
]


@pytest.mark.slow
@pytest.mark.parametrize(("words", "step"), COMMANDS, ids=[" ".join(words) for words, _ in COMMANDS])
def test_each_call_that_fails_gives_a_sentence_and_leaves_what_was_there(words, step, tmp_path, command):
    shutil.copytree(RECORDED / "troubled", tmp_path / "runs" / "troubled")
    write(tmp_path, "troubled")
    faults = SystemFaults(tmp_path)
    with faults.failing():
        command(*words)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    calls = faults.calls
    assert calls
    for place in range(0, len(calls), step):
        call = calls[place]
        fault = KINDS[call.kind][place % len(KINDS[call.kind])]
        with faults.failing(place, fault):
            code, said = command(*words)
        assert code == 0 or said.strip(), (call, fault)
        new = {path for path in tmp_path.rglob("*") if path.is_file()} - before.keys()
        # Where something could not be read, the earlier report is kept beside the poorer one.
        assert {path.name for path in new} <= {"report.fuller.html"}, (call, fault)
    made = ("configs", "report.html", "submission.lock")
    for path, content in before.items():
        assert path.read_bytes() == content or path.name in made or path.parent.name in made, path


@pytest.mark.slow
@pytest.mark.parametrize("name", ["troubled", "resumed", "parsl"])
@pytest.mark.parametrize("words", [("status",), ("failures",), ("runs",)], ids=" ".join)
def test_each_damaged_file_gives_a_sentence(name, words, tmp_path, command):
    shutil.copytree(RECORDED / name, tmp_path / "runs" / name)
    write(tmp_path, name)
    for file in sorted(path for path in (tmp_path / "runs").rglob("*") if path.is_file()):
        for kind in damage(file):
            code, said = command(*words)
            assert code == 0 or said.strip(), (file, kind)


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["generate", "--site", "x" * 300], "x" * 300),
        (["generate", "--output", "file/below"], "file is a file; expected a folder"),
        (["status", "--campaign", "folder"], "folder"),
        (["apdb", "info", "folder"], "Is a directory"),
        (["lint", "file"], "error"),
    ],
    ids=lambda value: " ".join(value)[:30] if isinstance(value, list) else "",
)
def test_what_is_no_file_or_no_folder_is_named(words, part, tmp_path, command):
    write(tmp_path, "any")
    (tmp_path / "file").write_bytes(b"\x80\x81\xff")
    (tmp_path / "folder").mkdir()
    code, said = command(*words)
    assert code
    assert part in said


@NEEDS_ROOT
@pytest.mark.parametrize(
    "words", [("generate",), ("report",), ("status",), ("submit", "--no-check")], ids=" ".join
)
def test_a_second_user_in_the_same_folder_is_told_whose_it_is(
    words, public_path, tmp_path, command, monkeypatch, capsys
):
    words = (*words, "--foreground") if "submit" in words else words
    for place in (tmp_path, public_path):
        shutil.copytree(RECORDED / "troubled", place / "runs" / "troubled")
        write(place, "troubled", site="parsl-local", operator="second")
    command(*words)  # imports what the other user may not read
    for folder in (public_path, *(path for path in public_path.rglob("*") if path.is_dir())):
        folder.chmod(0o755)
    monkeypatch.chdir(public_path)
    monkeypatch.setattr(sys, "argv", ["apcampaign", *words])
    mask = os.umask(0o022)
    before = {path for path in public_path.rglob("*")}
    try:
        said = as_stranger(lambda: _told(capsys))
    finally:
        os.umask(mask)
    assert "Traceback" not in said
    assert UNEXPECTED not in said
    assert {path for path in public_path.rglob("*")} == before
    if words in (("generate",), ("report",)):
        assert "it is of root" in said or "is of root, d" in said, said
        assert "and you are uid-54321" in said


def _told(capsys: pytest.CaptureFixture[str]) -> str:
    try:
        main()
    except SystemExit as ended:
        return f"{ended.code}: {''.join(capsys.readouterr())}"
    return "nothing"


def test_a_full_disk_is_told_with_what_is_free(tmp_path, command, monkeypatch):
    write(tmp_path, "any")
    command("generate")
    faults = SystemFaults(tmp_path)
    with faults.failing():
        command("generate")
    place = next(place for place, call in enumerate(faults.calls) if call.kind == "write")
    with faults.failing(place, errno.ENOSPC):
        code, said = command("generate")
    assert code == 3
    assert re.search(
        r"-bps\.yaml cannot be written: No space left on device; in .* [\d.]+ \w+ of [\d.]+ \w+ are free",
        said,
    )


def test_a_text_of_others_sends_no_command_to_a_terminal(tmp_path, command):
    shutil.copytree(RECORDED / "troubled", tmp_path / "runs" / "troubled")
    write(tmp_path, "troubled")
    evil = b"\x1b]0;owned\x07\x1b[2J\xc2\x9b31m\xe2\x80\xae[bold]"
    (dag,) = tmp_path.glob("runs/*/*/*/submit/*.dag")
    for name, folder in re.findall(r'^JOB (\S+) .*DIR "([^"]+)"', dag.read_text(), re.MULTILINE):
        (dag.parent / folder).mkdir(parents=True, exist_ok=True)
        said = b"Traceback (most recent call last):\nRuntimeError: x " + evil + b"\n"
        (dag.parent / folder / f"{name}.stderr").write_bytes(said)
    (nodes,) = tmp_path.glob("runs/*/*/*/submit/*.nodes.log")
    nodes.write_bytes(nodes.read_bytes().replace(b"Job was held.\n\t", b"Job was held.\n\t" + evil))
    for words in (("failures",), ("status",), ("failures", "--json"), ("runs",)):
        _, said = command(*words)
        assert not set("\x1b\x07\x9b\u202e") & set(said), words
    assert "\\x1b]0;owned" in command("failures")[1]


@pytest.mark.parametrize("encoding", ["ascii", "iso8859-1"])
@pytest.mark.parametrize("words", [("status",), ("failures",), ("lint", "campaign.yaml")], ids=" ".join)
def test_a_terminal_of_an_older_encoding_shows_what_it_can(words, encoding, tmp_path, command, monkeypatch):
    shutil.copytree(RECORDED / "troubled", tmp_path / "runs" / "troubled")
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding, errors="strict"))
    monkeypatch.setattr(sys, "stderr", sys.stdout)
    write(tmp_path, "troubled")
    command(*words)
    sys.stdout.flush()
    shown = raw.getvalue()
    assert b"Traceback" not in shown
    assert UNEXPECTED.encode() not in shown
    assert b"makeWarp" in shown or b"campaign.yaml" in shown
