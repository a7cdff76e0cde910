"""What becomes of each command when any of its calls fails: every operation, with every fault that it can have.

``python benchmarks/faults.py FOLDER [COMMAND…] [--seconds N] [--table FILE]`` makes small campaigns in FOLDER,
runs each command undisturbed, and then once for every operation that it does (a kind of call, of one file, by one
line of the code) with every fault of that kind (`tests/support/system_faults.py`), each in a fork of this process.
What came of it is kept in FOLDER/results, one file a command, so that it can be run in pieces; with ``--table``
the tables between the marks of a document are written anew from all that is kept. ``--seconds`` limits the time
of each command: then faults are drawn at random.
"""

import argparse
import json
import os
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from apcampaign.sandbox.create import STORAGE_CLASSES, Sandbox
from fault_grounds import SIZE, Ground, make_grounds
from fault_runs import Outcome, environment, run_command, warm_up
from fault_verdicts import Result, judge, show

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from system_faults import KINDS, Call, Fault, SystemFaults, damage

MARKS = "<!-- made by benchmarks/faults.py -->", "<!-- end -->"


@dataclass(frozen=True)
class Command:
    """A command, and where it is given."""

    ground: str
    words: tuple[str, ...]

    @property
    def name(self) -> str:
        return " ".join(self.words)


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


def try_command(command: Command, ground: Ground, seconds: float) -> dict[str, Any]:
    """Run one command with every fault; give the results, and how many were left out."""
    ground.prepare()
    places = ground.work / "places.json"
    named = json.loads(places.read_text()) if places.exists() else {}
    words = tuple(word.format(**named) for word in command.words)
    faults = SystemFaults(ground.work)
    warm_up(ground.work, words)

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
    grounds = make_grounds(folder)
    (folder / "results").mkdir(parents=True, exist_ok=True)
    wanted = [
        command
        for command in COMMANDS
        if not arguments.commands or any(command.name.startswith(name) for name in arguments.commands)
    ]
    for command in wanted:
        extra = Sandbox(folder / "work/sandbox/dc2", SIZE).environment if command.ground == "sandbox" else {}
        with environment(extra):
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
        arguments.table.write_text(
            f"{head}{MARKS[0]}\n{show(folder, [command.name for command in COMMANDS])}\n{MARKS[1]}{tail}"
        )


if __name__ == "__main__":
    main()
