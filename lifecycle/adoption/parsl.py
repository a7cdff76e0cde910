"""Jobs of a run that Parsl has executed: from the workflow that BPS's plugin has pickled, and Parsl's logs."""

__all__ = ["WORKFLOW", "find_parsl_logs", "find_process", "read_parsl_jobs"]

import pickle
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ...common.errors import LedgerError
from ...ledger import Node, Workflow, keep_dimensions
from .jobs import DataId, PreparedJobs, join_data_ids, read_data_ids

#: In it the plugin keeps the jobs, in a submit directory.
WORKFLOW = "parsl_workflow.pickle"

# Where Parsl puts its logs, below where it was started: by default, and at CC-IN2P3.
_RUN_FOLDERS = ("runinfo", "parsl_runinfo")
# Who follows our documents starts BPS in the folder in which the submit directory is, or above it.
_MOST_ABOVE = 8

_PROCESS = re.compile(r"\bMainProcess-(\d+) ")


class _Inert:
    """An object of whatever class in a pickle, of which only the values are read: no code of the pickle's runs."""

    parts: tuple[Any, ...]
    values: dict[str, Any]

    def __new__(cls, *parts: Any, **_: Any) -> "_Inert":
        made = super().__new__(cls)
        made.parts, made.values = parts, {}
        return made

    def __setstate__(self, state: Any) -> None:
        for each in state if isinstance(state, tuple) else (state,):
            if isinstance(each, dict):
                self.values |= each

    def __setitem__(self, key: Any, value: Any) -> None:
        """Take an item of a mapping that is not needed."""


class _InertUnpickler(pickle.Unpickler):
    """Reads a pickle of others without importing or calling anything that it names."""

    def find_class(self, module: str, name: str) -> Any:
        return Counter if (module, name) == ("collections", "Counter") else type(name, (_Inert,), {})


def read_parsl_jobs(folder: Path, graph: Path) -> PreparedJobs:
    """Read the jobs of a run.

    Parameters
    ----------
    folder
        The submit directory.
    graph
        Its quantum graph, which is whole.

    Raises
    ------
    LedgerError
        If the plugin's workflow cannot be read.
    RepositoryError
        If the graph cannot be read.
    """
    file = folder / WORKFLOW
    try:
        with file.open("rb") as stream:
            _, _, _, jobs, parents, _, final = _InertUnpickler(stream).load().parts
        generic = {name: job.parts[0].values for name, job in jobs.items()}
        last = final.parts[0].values if final is not None else None
        data_ids = read_data_ids(graph)
        nodes = {
            name: _describe(job, folder, data_ids, parents=sorted(map(str, parents[name])))
            for name, job in generic.items()
        }
        if last is not None:
            nodes[str(last["name"])] = _describe(last, folder, data_ids, final=True)
    except (
        OSError,
        EOFError,
        pickle.UnpicklingError,
        LookupError,
        AttributeError,
        TypeError,
        ValueError,
    ) as error:
        raise LedgerError(
            f"{file} cannot be read as the workflow of BPS's plugin for Parsl: {type(error).__name__}: {error}"
        ) from error
    quanta: Counter[str] = Counter()
    for node in nodes.values():
        quanta.update(node.quanta)
    return PreparedJobs(
        workflow=Workflow(nodes=nodes),
        jobs=dict(Counter(node.label for node in nodes.values())),
        quanta=dict(quanta),
    )


def _describe(
    job: Mapping[str, Any],
    folder: Path,
    data_ids: Mapping[str, DataId],
    *,
    parents: Iterable[str] = (),
    final: bool = False,
) -> Node:
    ids = str(job["cmdvals"].get("qgraphNodeId", "")).split(",")
    memory = job["request_memory"]
    return Node(
        name=str(job["name"]),
        label=str(job["label"]),
        folder=folder,
        tags=keep_dimensions(job["tags"])
        or join_data_ids(data_ids[each] for each in ids if each in data_ids),
        quanta=dict(job["quanta_counts"]),
        parents=tuple(parents),
        request_memory=float(memory) if memory else None,
        request_cpus=int(job["request_cpus"] or 1),
        final=final,
    )


def find_parsl_logs(folder: Path, written: str, run_folder: str) -> tuple[Path, ...]:
    """Find the logs of Parsl that are of a run: Parsl puts them where it was started, and BPS does not say where.

    Parameters
    ----------
    folder
        The submit directory.
    written
        The same as BPS has written it down: it may have been moved since.
    run_folder
        Parsl's ``run_dir``, if the run's site names one.

    Returns
    -------
    logs
        One for each time that it was started, the oldest first.
    """
    places = [Path.cwd(), folder, *folder.parents[:_MOST_ABOVE]]
    names = dict.fromkeys((run_folder, *_RUN_FOLDERS)) if run_folder else dict.fromkeys(_RUN_FOLDERS)
    found = {log.resolve() for place in places for name in names for log in _list_logs(place / name)}
    marks = tuple(f" {place}/logs/" for place in {written.rstrip("/"), str(folder)} if place)
    return tuple(sorted((log for log in found if _mentions(log, marks)), key=_read_begin))


def _list_logs(folder: Path) -> Iterator[Path]:
    yield from folder.glob("[0-9]*/parsl.log")


def _mentions(log: Path, marks: tuple[str, ...]) -> bool:
    try:
        with log.open(encoding="utf-8", errors="replace") as stream:
            return any(mark in line for line in stream for mark in marks)
    except OSError:
        return False


def _read_begin(log: Path) -> str:
    with log.open(encoding="utf-8", errors="replace") as stream:
        return stream.readline(40)


def find_process(log: Path) -> int | None:
    """Find the process of this host that writes a log of Parsl; `None` if there is none any more."""
    with log.open(encoding="utf-8", errors="replace") as stream:
        found = _PROCESS.search(stream.readline(200))
    if found is None:
        return None
    process = Path("/proc") / found[1]
    try:
        handles = list((process / "fd").iterdir())
        mine = any(handle.exists() and handle.samefile(log) for handle in handles)
    except OSError:  # it is gone, or somebody else's
        return None
    return int(found[1]) if mine else None
