"""What becomes of each command when any of its calls fails: every operation, with every fault that it can have.

``python benchmarks/faults.py FOLDER [COMMAND…] [--seconds N] [--table FILE]`` makes small campaigns in FOLDER,
runs each command undisturbed, and then once for every operation that it does (a kind of call, of one file, by one
line of the code) with every fault of that kind (`tests/support/system_faults.py`), each in a fork of this process.
What came of it is kept in FOLDER/results, one file a command, so that it can be run in pieces; with ``--table``
the tables between the marks of a document are written anew from all that is kept. ``--seconds`` limits the time
of each command: then faults are drawn at random.
"""

import argparse
import errno
import json
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

import yaml  # noqa: E402
from apcampaign.sandbox.create import STORAGE_CLASSES, Sandbox, create_sandbox  # noqa: E402
from apcampaign.sandbox.survey import SandboxSize  # noqa: E402
from apcampaign.scripts.cli import main as apcampaign  # noqa: E402
from raw_runs import leave_raw_runs  # noqa: E402
from retired_ground import make_ground  # noqa: E402
from system_faults import KINDS, Call, Fault, SystemFaults, damage  # noqa: E402

MARKS = "<!-- made by benchmarks/faults.py -->", "<!-- end -->"
HANGS = 40  # seconds after which a command is taken for one that never ends
SIZE = SandboxSize(visits=2, detectors=(94,))


@dataclass(frozen=True)
class Ground:
    """A folder with a campaign, as it is to be before each run of a command."""

    name: str
    folder: Path
    make: Callable[[Path], None]

    @property
    def work(self) -> Path:
        return self.folder / "work" / self.name

    @property
    def kept(self) -> Path:
        return self.folder / "kept" / self.name

    def prepare(self) -> None:
        if not self.kept.exists():
            shutil.rmtree(self.work, ignore_errors=True)
            self.work.mkdir(parents=True)
            self.make(self.work)
            shutil.copytree(self.work, self.kept, symlinks=True)
        self.restore()

    def look(self) -> dict[Path, tuple[int, int]]:
        """Give all files with their sizes and times, and all folders."""
        return {path.relative_to(self.work): _stamp(path) for path in self.work.rglob("*")}

    def restore(self, but: Path | None = None) -> None:
        """Make it what it was, copying what has changed only; all but one file."""
        kept = {path.relative_to(self.kept): path for path in self.kept.rglob("*")}
        self.work.mkdir(parents=True, exist_ok=True)
        for path in sorted(self.work.rglob("*"), reverse=True):
            if path == but:
                continue
            source = kept.get(path.relative_to(self.work))
            if source is None or _stamp(source)[0] != _stamp(path)[0] or _stamp(source) != _stamp(path):
                if path.is_dir() and not path.is_symlink():
                    if source is None or not source.is_dir():
                        shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)
        for name, source in sorted(kept.items()):
            target = self.work / name
            if source.is_dir() and not source.is_symlink():
                target.mkdir(exist_ok=True)
            elif target != but and not target.exists():
                shutil.copy2(source, target, follow_symlinks=False)


def _stamp(path: Path) -> tuple[int, int]:
    with suppress(OSError):
        if path.is_symlink() or not path.is_dir():
            status = path.lstat()
            return status.st_size, status.st_mtime_ns
    return -1, 0


@dataclass(frozen=True)
class Command:
    """A command, and where it is given."""

    ground: str
    words: tuple[str, ...]

    @property
    def name(self) -> str:
        return " ".join(self.words)


@dataclass(frozen=True)
class Outcome:
    """What a command has said, what it has ended with, and what it has done to files."""

    code: int
    said: str
    files: Mapping[Path, tuple[int, int]]
    calls: tuple[Call, ...] = ()
    seconds: float = 0.0

    @cached_property
    def lines(self) -> Mapping[str, str]:
        """What it has said, by what of it is the same each time."""
        return {_plain(line): line for line in self.said.splitlines() if _plain(line)}


def _plain(line: str) -> str:
    return re.sub(r"[^\w.,;:/%+*()'`=\[\]-]+|\d[\d.:]*", " ", line).strip()


@dataclass(frozen=True)
class Result:
    """What came of one fault."""

    kind: str
    fault: str
    path: str
    line: str
    verdict: str
    code: int
    said: str
    left: tuple[str, ...] = ()


#: The commands, by the ground on which each has most to do.
COMMANDS = [
    Command(ground, tuple(words.split()))
    for ground, lines in {
        "recorded": (
            "status",
            "status --json",
            "failures",
            "runs",
            "report",
            "cancel",
            "generate",
            "lint campaign.yaml",
            "archive records.tar.gz",
            "start-over again.yaml",
        ),
        "small": (
            "summary",
            "doctor",
            "doctor --fix",
            "resume --dry-run",
            "completeness",
            "retire --dry-run --everything",
            "retire --intermediates --yes",
            "retire --everything --yes",
            "apdb info",
            "apdb verify",
            "apdb rollback --visit 2 --detector 0 --yes",
            "apdb lightcurve --at 0 0 --radius 1e6",
            "apdb export exported",
            "compare campaign.yaml theirs.yaml",
        ),
        "raw": ("adopt --dry-run {templates} {diffim}", "adopt {templates} {diffim}"),
        "sandbox": (
            "apdb init",
            "check",
            "plan",
            "inspect",
            "lint --butler configs/ApTemplate-DC2-bps.yaml",
            "init new.yaml --butler {repo} --site local",
            "submit --dry-run",
            "submit templates --no-check --campaign broken.yaml",
        ),
    }.items()
    for words in lines
]


def make_recorded(folder: Path) -> None:
    """A templates run with failures, as HTCondor has left it."""
    shutil.copytree(ROOT / "tests/support/recorded/troubled", folder / "runs" / "troubled")
    _write_campaign(
        folder, name="troubled", butler="/nowhere/repo", inCollection="2.2i/defaults", site="local"
    )


def make_small(folder: Path) -> None:
    """Two campaigns that have ended, with datasets in a repository and rows in an APDB."""
    make_ground(folder, {name: f"sqlite:///{folder}/{name}.db" for name in ("mine", "theirs")})
    (folder / "mine.yaml").rename(folder / "campaign.yaml")


def make_raw(folder: Path) -> None:
    """Two runs of ``bps submit``."""
    found = leave_raw_runs(folder)
    (folder / "places.json").write_text(
        json.dumps({"templates": str(found.templates), "diffim": str(found.diffim)})
    )


def make_sandbox(folder: Path) -> None:
    """A miniature DC2, with a campaign that has not begun."""
    sandbox = create_sandbox(folder / "dc2", SIZE)
    content = {**sandbox.campaign(), "site": "parsl-local", "apdb": {"url": f"sqlite:///{folder}/apdb.db"}}
    (folder / "campaign.yaml").write_text(yaml.safe_dump(content))
    # One that BPS cannot prepare, since its jobs would take longer than all that a command does itself.
    (folder / "broken-pipeline.yaml").write_text("description: broken\nimports: [nowhere.yaml]\n")
    content["templates"] = {"pipeline": str(folder / "broken-pipeline.yaml")}
    (folder / "broken.yaml").write_text(yaml.safe_dump({**content, "name": "broken"}))
    with _environment(Sandbox(folder / "dc2", SIZE).environment):
        run_command(folder, ("generate",))
    (folder / "places.json").write_text(json.dumps({"repo": str(sandbox.butler)}))


def _write_campaign(folder: Path, **content: object) -> None:
    apdb = {"url": f"sqlite:///{folder}/apdb.db"}
    (folder / "campaign.yaml").write_text(yaml.safe_dump({"tracts": [3828], "apdb": apdb, **content}))


@contextmanager
def _environment(changes: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(changes)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def run_command(
    folder: Path,
    words: tuple[str, ...],
    faults: SystemFaults | None = None,
    at: int | None = None,
    fault: Fault = 0,
) -> Outcome:
    """Run a command in a fork of this process; one that does not end is killed."""
    with tempfile.TemporaryDirectory() as place:
        said, calls = Path(place) / "said", Path(place) / "calls"
        begin = time.monotonic()
        child = os.fork()
        if child == 0:
            _become(folder, words, said, calls, faults, at, fault)
        while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0):
            if time.monotonic() - begin > HANGS:
                os.killpg(child, signal.SIGKILL)
                ended = os.waitpid(child, 0)
                break
            time.sleep(0.005)
        done = [Call(*each) for each in json.loads(calls.read_text())] if calls.exists() else []
        return Outcome(
            code=os.waitstatus_to_exitcode(ended[1]),
            said=said.read_text(errors="replace"),
            files={},
            calls=tuple(done),
            seconds=time.monotonic() - begin,
        )


def _become(
    folder: Path,
    words: tuple[str, ...],
    said: Path,
    calls: Path,
    faults: SystemFaults | None,
    at: int | None,
    fault: Fault,
) -> None:
    """Be the command, with what it says in a file; does not return."""
    code = 99
    try:
        os.setpgid(0, 0)
        os.chdir(folder)
        stream = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for number in (1, 2):
            os.dup2(stream, number)
        sys.stdout, sys.stderr = (os.fdopen(number, "w", closefd=False) for number in (1, 2))
        sys.argv = ["apcampaign", *words]
        try:
            if faults is None:
                apcampaign()
            else:
                with faults.failing(at, fault):
                    apcampaign()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 98
        except BaseException:
            import traceback

            traceback.print_exc()
        sys.stdout.flush()
        if faults is not None:
            calls.write_text(json.dumps(faults.calls))
    finally:
        os._exit(code)


def try_command(command: Command, ground: Ground, seconds: float) -> dict[str, Any]:
    """Run one command with every fault; give the results, and how many were left out."""
    ground.prepare()
    places = ground.work / "places.json"
    named = json.loads(places.read_text()) if places.exists() else {}
    words = tuple(word.format(**named) for word in command.words)
    faults = SystemFaults(ground.work)
    warm_up(ground, words)

    def attempt(at: int | None, fault: Fault) -> Outcome:
        outcome = run_command(ground.work, words, faults, at, fault)
        return replace(outcome, files=ground.look())

    plain = []
    for _ in range(2):
        ground.restore()
        before = ground.look()
        plain.append(attempt(None, 0))
    first, second = plain
    stable = frozenset(first.lines.keys() & second.lines.keys())
    todo = list_faults(ground, first.calls)
    random.Random(command.name).shuffle(todo)  # noqa: S311 - no secret
    results: list[Result] = []
    began = time.monotonic()
    for at, fault in todo:
        if time.monotonic() - began > seconds:
            break
        if first.files != before or (results and results[-1].left):
            ground.restore()
        outcome = attempt(at, fault)
        results.append(judge(first, stable, before, outcome, first.calls[at], fault))
    ground.restore()
    opened = {ground.work / call.path for call in first.calls if call.kind == "open" and call.path}
    for path in sorted(path for path in opened if path.is_file() and path.is_relative_to(ground.work)):
        ground.restore()
        for kind in damage(path) if time.monotonic() - began < seconds * 1.3 else ():
            outcome = attempt(None, 0)
            results.append(judge(first, stable, before, outcome, Call("content", str(path), ""), kind))
            if first.files != before:  # it may have done all that it does
                ground.restore(but=path)
    ground.restore()
    return {
        "command": command.name,
        "code": first.code,
        "seconds": round(first.seconds, 2),
        "operations": len({key_of(ground, call) for call in first.calls}),
        "faults": len(todo),
        "tried": min(len(todo), sum(result.kind != "content" for result in results)),
        "results": [asdict(result) for result in results],
    }


def warm_up(ground: Ground, words: tuple[str, ...]) -> None:
    """Import here what the command imports, so that no fork has to."""
    import contextlib
    import io

    before, here, mask = sys.argv, Path.cwd(), os.umask(0o022)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    sys.argv = ["apcampaign", *words]
    os.chdir(ground.work)
    with (
        suppress(SystemExit),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        apcampaign()
    sys.argv = before
    os.chdir(here)
    os.umask(mask)
    import logging

    logging.getLogger("apcampaign").handlers.clear()
    for number, handler in handlers.items():
        signal.signal(number, handler)


def key_of(ground: Ground, call: Call) -> tuple[str, str, str]:
    """Name an operation: calls of one kind, of files of one name, from one line of the code."""
    path = call.path.removeprefix(f"{ground.work}/")
    return call.kind, call.line, re.sub(r"(?<=\.)\w{8}$|[0-9a-f-]{36}|\d+", "0", Path(path).name)


def list_faults(ground: Ground, calls: Iterable[Call]) -> list[tuple[int, Fault]]:
    """List each operation's first place in the order of calls, with each of its faults."""
    places: dict[tuple[str, str, str], int] = {}
    for place, call in enumerate(calls):
        places.setdefault(key_of(ground, call), place)
    return [(place, fault) for (kind, *_), place in places.items() for fault in KINDS[kind]]


def judge(
    plain: Outcome,
    stable: frozenset[str],
    before: Mapping[Path, tuple[int, int]],
    outcome: Outcome,
    call: Call,
    fault: Fault,
) -> Result:
    """Say what came of a fault."""
    more = [line for key, line in outcome.lines.items() if key not in plain.lines]
    told = _names_cause("\n".join(more), call, fault)
    if outcome.code < 0:
        verdict = "never ends"
    elif "Traceback" in outcome.said or outcome.code in (98, 99):
        verdict = "traceback"
    elif "was not expected" in outcome.said:
        verdict = "unexpected"
    elif outcome.code == plain.code and stable <= outcome.lines.keys():
        verdict = "goes on, says it" if more and told else "as undisturbed"
    elif outcome.code == plain.code == 0:
        verdict = "goes on, says it" if told else "silent"
    elif more and told:
        verdict = "sentence"
    else:
        verdict = "sentence (other)" if more else "silent"
    left = sorted(
        str(path)
        for path in outcome.files.keys() - before.keys() - plain.files.keys()
        if _normal(path) not in {_normal(each) for each in plain.files}
    )
    lost = sorted(f"-{path}" for path in before.keys() - outcome.files.keys() if path in plain.files)
    cut = sorted(
        f"={path}"
        for path, stamp in outcome.files.items()
        if path in before
        and stamp != before[path]
        and (stamp[0] == 0 or plain.files.get(path) == before[path])
    )
    return Result(
        call.kind,
        errno.errorcode.get(fault, str(fault)) if isinstance(fault, int) else fault,
        call.path,
        call.line,
        verdict,
        outcome.code,
        "\n".join(more)[:600],
        () if call.kind == "content" else tuple(left + lost + cut),
    )


def _normal(path: Path) -> str:
    return re.sub(r"\d{8}T\d{6}Z", "T", str(path))


_WORDS = {
    "full": "No space left",
    "locked": "locked",
    "disk": "disk I/O error",
    "damaged": "malformed",
    "read-only": "read-only",
}
_REWORDED = {errno.EISDIR: "is a folder", errno.ENAMETOOLONG: "is too long"}


def _names_cause(said: str, call: Call, fault: Fault) -> bool:
    """Tell whether what was said names the reason, the file or program, or the folder of a damaged file."""
    reason = os.strerror(fault) if isinstance(fault, int) else _WORDS.get(fault, "\0")
    reworded = _REWORDED.get(fault, "\0") if isinstance(fault, int) else "\0"
    path = Path(call.path)
    named = bool(call.path) and path.name in said
    return (
        reason in said or reworded in said or named or (call.kind == "content" and str(path.parent) in said)
    )


def show(folder: Path) -> str:
    """Write the tables of all that is kept."""
    kept = [json.loads(path.read_text()) for path in sorted((folder / "results").glob("*.json"))]
    order = {command.name: place for place, command in enumerate(COMMANDS)}
    kept.sort(key=lambda each: order.get(each["command"], 99))
    lines = [
        "| command | operations | faults | tried | damaged files | a sentence | goes on, and says so"
        " | no difference | silent | traceback | left behind |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    total: Counter[str] = Counter()
    for each in kept:
        counts = Counter(_column(result) for result in each["results"])
        counts["left"] = sum(bool(result["left"]) for result in each["results"])
        contents = sum(result["kind"] == "content" for result in each["results"])
        row = {"operations": each["operations"], "faults": each["faults"], "content": contents, **counts}
        row["tried"] = len(each["results"]) - contents
        total.update(row)
        lines.append(_row(f"`{each['command']}`", row))
    lines.append(_row("all", total))
    by_kind: dict[tuple[str, str], Counter[str]] = {}
    for each in kept:
        for result in each["results"]:
            by_kind.setdefault((result["kind"], result["fault"]), Counter())[_column(result)] += 1
    lines += [
        "",
        "| operation | fault | times | a sentence | goes on, and says so | no difference | silent | traceback |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    for (kind, fault), counts in sorted(by_kind.items()):
        cells = [str(counts[name] or "") for name in ("sentence", "says", "same", "silent", "traceback")]
        lines.append(f"| {NAMES.get(kind, kind)} | {fault} | {sum(counts.values())} | {' | '.join(cells)} |")
    return "\n".join(lines)


NAMES = {
    "open": "open a file",
    "fill": "write into a file",
    "write": "bring a file to the disk",
    "replace": "put a file in the place of another",
    "remove": "remove a file or a folder",
    "mkdir": "make a folder",
    "lock": "lock a file",
    "look": "look at a file",
    "list": "list a folder",
    "start": "start a program",
    "statement": "a statement of a database",
    "content": "read a file that is damaged",
}


def _row(name: str, row: Mapping[str, int]) -> str:
    cells = (
        "operations",
        "faults",
        "tried",
        "content",
        "sentence",
        "says",
        "same",
        "silent",
        "traceback",
        "left",
    )
    return (
        f"| {name} | " + " | ".join(f"{row.get(cell, 0):,}" if row.get(cell) else "" for cell in cells) + " |"
    )


def _column(result: Mapping[str, Any]) -> str:
    verdict = result["verdict"]
    if verdict in ("traceback", "unexpected", "never ends"):
        return "traceback"
    if verdict.startswith("sentence"):
        return "sentence"
    return {"as undisturbed": "same", "silent": "silent"}.get(verdict, "says")


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("commands", nargs="*", help="beginnings of commands; all by default")
    parser.add_argument("--seconds", type=float, default=1e9)
    parser.add_argument("--table", type=Path)
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    for name in [name for name in os.environ if name.startswith("APCAMPAIGN_")]:
        del os.environ[name]
    os.environ["DAF_BUTLER_CONFIG_PATH"] = STORAGE_CLASSES
    makers = {"recorded": make_recorded, "small": make_small, "raw": make_raw, "sandbox": make_sandbox}
    grounds = {name: Ground(name, folder, make) for name, make in makers.items()}
    (folder / "results").mkdir(parents=True, exist_ok=True)
    wanted = [
        command
        for command in COMMANDS
        if not arguments.commands or any(command.name.startswith(name) for name in arguments.commands)
    ]
    for command in wanted:
        extra = Sandbox(folder / "work/sandbox/dc2", SIZE).environment if command.ground == "sandbox" else {}
        with _environment(extra):
            found = try_command(command, grounds[command.ground], arguments.seconds)
        verdicts = Counter(result["verdict"] for result in found["results"])
        left = sum(bool(result["left"]) for result in found["results"])
        print(
            f"{command.name}: {found['tried']} of {found['faults']}; {dict(verdicts)}; left {left}",
            flush=True,
        )
        name = re.sub(r"\W+", "-", command.name)
        (folder / "results" / f"{name}.json").write_text(json.dumps(found, indent=1))
    if arguments.table:
        text = arguments.table.read_text()
        head, _, rest = text.partition(MARKS[0])
        tail = rest.partition(MARKS[1])[2]
        arguments.table.write_text(f"{head}{MARKS[0]}\n{show(folder)}\n{MARKS[1]}{tail}")


if __name__ == "__main__":
    main()
