"""What came of faults, and the tables of it (see `faults`)."""

__all__ = ["Result", "judge", "show"]

import errno
import json
import os
import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fault_runs import Outcome

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from system_faults import Call, Fault

_WORDS = {
    "full": "No space left",
    "locked": "locked",
    "disk": "disk I/O error",
    "damaged": "malformed",
    "read-only": "read-only",
}
_REWORDED = {errno.EISDIR: "is a folder", errno.ENAMETOOLONG: "is too long"}

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
        # To be told that all is well is worse than nothing.
        verdict = "sentence (other)" if more and (outcome.code or not plain.code) else "silent"
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


def _names_cause(said: str, call: Call, fault: Fault) -> bool:
    """Tell whether what was said names the reason, the file or program, or the folder of a damaged file."""
    reason = os.strerror(fault) if isinstance(fault, int) else _WORDS.get(fault, "\0")
    reworded = _REWORDED.get(fault, "\0") if isinstance(fault, int) else "\0"
    path = Path(call.path)
    named = bool(call.path) and path.name in said
    return (
        reason in said or reworded in said or named or (call.kind == "content" and str(path.parent) in said)
    )


def show(folder: Path, commands: Sequence[str]) -> str:
    """Write the tables of all that is kept."""
    kept = [json.loads(path.read_text()) for path in sorted((folder / "results").glob("*.json"))]
    order = {name: place for place, name in enumerate(commands)}
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
