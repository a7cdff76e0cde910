"""DAGMan's own files: whether a DAG began, how it ended, which nodes failed, what a rescue DAG lists."""

__all__ = [
    "find_damaged_rescue",
    "has_begun",
    "is_dag_alive",
    "read_errors",
    "read_exit",
    "read_rescue",
]

import os
import re
import time
from pathlib import Path

from ..common.files import find_files
from ..common.reading import open_binary, open_text, read_bytes, read_text

_ERROR = re.compile(rb'Node = "([^"]+)";\s+NodeStatus = 6;[^\n]*\s+StatusDetails = "([^"]*)"')


_SILENT = 1800.0  # seconds; while it waits for jobs, DAGMan says every ten minutes which
#: Events in the log of a job: it terminated, it was removed; and these, or it was submitted, or it runs.
_LEFT = ("005", "009")
_LIFE = ("000", "001", *_LEFT)
_PREMARKED = re.compile(r"# Nodes premarked DONE: (\d+)")


def is_dag_alive(dag: Path, record: Path) -> bool:
    """Tell from its files whether the DAGMan of a DAG goes on, on whatever host.

    Parameters
    ----------
    dag
        The DAG.
    record
        What was written when it was submitted.
    """
    if read_exit(dag) is not None:
        return False
    said = _output(dag) if has_begun(dag) else record
    return said.exists() and time.time() - said.stat().st_mtime < _SILENT


def has_begun(dag: Path) -> bool:
    """Tell whether a DAGMan was ever started for a DAG."""
    return _output(dag).exists()


def read_exit(dag: Path) -> int | None:
    """Read the exit code of the DAGMan of a DAG; `None` while it is active, or before.

    A DAGMan that crashes while it is removed, or is killed, does not say that it exits: then the log of its own
    job tells. If it was removed without an exit code, that is 1.
    """
    try:
        with open_binary(_output(dag)) as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - 500))
            last = stream.read().splitlines()[-1:]
    except FileNotFoundError:
        return None
    found = re.search(rb"EXITING WITH STATUS (\d+)", last[0]) if last else None
    return int(found[1]) if found else _read_end(dag)


def _read_end(dag: Path) -> int | None:
    """Read from HTCondor's log of a DAGMan job how it left the queue; `None` if it has not."""
    try:
        text = read_text(dag.with_name(f"{dag.name}.dagman.log"), errors="replace")
    except OSError:
        return None
    events = [event for event in text.split("\n...\n") if event[:3] in _LIFE]
    if not events or events[-1][:3] not in _LEFT:
        return None
    found = re.search(r"return value (\d+)", events[-1])
    # Whatever it would have said: it has not done all.
    return int(found[1]) if found else 1


def read_errors(dag: Path) -> dict[str, str]:
    """Read which nodes failed, and what DAGMan says of them."""
    try:
        text = read_bytes(dag.with_suffix(".node_status"))
    except FileNotFoundError:
        return {}
    return {found[1].decode(): found[2].decode() for found in _ERROR.finditer(text)}


def read_rescue(dag: Path) -> frozenset[str] | None:
    """Read which nodes were done when a DAG ended before; `None` if it has not."""
    rescues = find_files(dag.parent, f"{dag.name}.rescue[0-9][0-9][0-9]")
    if not rescues:
        return None
    with open_text(rescues[-1], errors="replace") as stream:
        return frozenset(line.split()[1] for line in stream if re.match(r"DONE +\S", line))


def find_damaged_rescue(dag: Path) -> Path | None:
    """Find the rescue DAG from which a DAG would go on, if it is cut off: it lists fewer nodes than it says.

    DAGMan would run again what is done, or refuse it.
    """
    rescues = find_files(dag.parent, f"{dag.name}.rescue[0-9][0-9][0-9]")
    if not rescues:
        return None
    text = read_text(rescues[-1], errors="replace")
    said = _PREMARKED.search(text)
    listed = sum(1 for line in text.splitlines() if re.match(r"DONE +\S", line))
    whole = said and int(said[1]) == listed and text.endswith("\n")
    return None if whole else rescues[-1]


def _output(dag: Path) -> Path:
    return dag.with_name(f"{dag.name}.dagman.out")
