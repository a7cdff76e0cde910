"""Whatever the operating system says, a command ends with a sentence, and what was there before is still there."""

import logging
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from apcampaign.scripts.cli import main
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
        kind = calls[place]
        number = KINDS[kind][place % len(KINDS[kind])]
        with faults.failing(place, number):
            code, said = command(*words)
        assert code == 0 or said.strip(), (place, kind, number)
        assert {path for path in tmp_path.rglob("*") if path.is_file()} <= before.keys(), (
            place,
            kind,
            number,
        )
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
