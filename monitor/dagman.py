"""DAGMan's own files: whether a DAG began, how it ended, which nodes failed, what a rescue DAG lists."""

__all__ = ["has_begun", "read_errors", "read_exit", "read_rescue"]

import os
import re
from pathlib import Path

_ERROR = re.compile(rb'Node = "([^"]+)";\s+NodeStatus = 6;[^\n]*\s+StatusDetails = "([^"]*)"')


def has_begun(dag: Path) -> bool:
    """Tell whether a DAGMan was ever started for a DAG."""
    return _output(dag).exists()


def read_exit(dag: Path) -> int | None:
    """Read the exit code of the DAGMan of a DAG; `None` while it is active, or before."""
    try:
        with _output(dag).open("rb") as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - 500))
            last = stream.read().splitlines()[-1:]
    except FileNotFoundError:
        return None
    found = re.search(rb"EXITING WITH STATUS (\d+)", last[0]) if last else None
    return int(found[1]) if found else None


def read_errors(dag: Path) -> dict[str, str]:
    """Read which nodes failed, and what DAGMan says of them."""
    try:
        text = dag.with_suffix(".node_status").read_bytes()
    except FileNotFoundError:
        return {}
    return {found[1].decode(): found[2].decode() for found in _ERROR.finditer(text)}


def read_rescue(dag: Path) -> frozenset[str] | None:
    """Read which nodes were done when a DAG ended before; `None` if it has not."""
    rescues = sorted(dag.parent.glob(f"{dag.name}.rescue[0-9][0-9][0-9]"))
    if not rescues:
        return None
    with rescues[-1].open(encoding="utf-8", errors="replace") as stream:
        return frozenset(line.split()[1] for line in stream if re.match(r"DONE +\S", line))


def _output(dag: Path) -> Path:
    return dag.with_name(f"{dag.name}.dagman.out")
