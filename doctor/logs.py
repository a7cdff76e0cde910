"""Logs of DAGs that have ended: whether events are missing in them, and how they are filled in again.

DAGMan has the events of all jobs written to one log, ``*.nodes.log``, which tells afterwards what became of them.
Each job's own log has the same events.
"""

__all__ = ["fill_log", "is_cut"]

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..common.files import write_atomically
from ..common.reading import read_text
from ..monitor import read_exit

_END = "\n...\n"
_HEAD = re.compile(r"(\d{3}) \((-?\d+)\.\d+\.\d+\) (\S+[ T]\S+)")
_SUBMITTED, _ENDS = "000", ("005", "009")


def is_cut(dag: Path) -> bool:
    """Tell whether the log of a DAG that has ended lacks events; false while it is active."""
    if read_exit(dag) is None:
        return False
    text = _read(_log_of(dag))
    if text and not text.endswith(_END):
        return True
    heads = list(_heads(text))
    submitted = {cluster for kind, cluster, _ in heads if kind == _SUBMITTED}
    ended = {cluster for kind, cluster, _ in heads if kind in _ENDS}
    return bool(submitted - ended) or len(submitted) < _count_submitted(dag)


def fill_log(dag: Path, sources: Iterable[Path]) -> int:
    """Fill in the events that the log of a DAG lacks.

    Parameters
    ----------
    dag
        The DAG.
    sources
        The logs of its jobs.

    Returns
    -------
    events
        How many it has more now.
    """
    log = _log_of(dag)
    whole = [(_HEAD.match(event), event) for event in _split(_read(log))]
    ended = {head[2] for head, _ in whole if head and head[1] in _ENDS}
    first = int(_read_metrics(dag).get("dagman_id", 0))
    filled: dict[str, list[str]] = {}
    for source in sources:
        for event in _split(_read(source)):
            head = _HEAD.match(event)
            # Jobs of an earlier DAGMan have smaller ids: what became of them is in its rescue DAG.
            if head and int(head[2]) > first and head[2] not in ended:
                filled.setdefault(head[2], []).append(event)
    kept = [event for head, event in whole if not head or head[2] not in filled]
    events = [event for cluster in sorted(filled, key=int) for event in filled[cluster]]
    write_atomically(log, _END.join([*kept, *events, ""]))
    return len(kept) + len(events) - len(whole)


def _log_of(dag: Path) -> Path:
    return dag.with_name(f"{dag.name}.nodes.log")


def _read(path: Path) -> str:
    try:
        return read_text(path, errors="replace")
    except FileNotFoundError:
        return ""


def _split(text: str) -> list[str]:
    """Split a log into its events; one that is cut off is none."""
    return text.split(_END)[:-1]


def _heads(text: str) -> Iterator[tuple[str, str, str]]:
    for event in _split(text):
        if head := _HEAD.match(event):
            yield head[1], head[2], head[3]


def _read_metrics(dag: Path) -> dict[str, int]:
    try:
        content: dict[str, int] = json.loads(_read(dag.with_name(f"{dag.name}.metrics")))
    except ValueError:
        return {}
    return content


def _count_submitted(dag: Path) -> int:
    """Count the jobs that DAGMan says it has submitted; not known for a DAG with nodes that do nothing."""
    return 0 if " NOOP" in _read(dag) else int(_read_metrics(dag).get("jobs_submitted", 0))
