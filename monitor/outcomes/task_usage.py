"""Time and memory of tasks from their own metadata: exact, where HTCondor only samples."""

__all__ = ["Spread", "TaskUsage", "read_clusters", "read_task_usage"]

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import fmean
from typing import Any

import yaml

from ...common.butler import open_butler, query_run
from ...common.errors import LedgerError
from ...common.reading import read_text
from ...ledger import RunRecord

#: How many quanta of each task are looked at, spread over all of them.
_SAMPLE = 60
# Files are read in parallel: on a cluster's file system each takes milliseconds, nearly all of it waiting.
_THREADS = 8
_MIB = 1024**2


@dataclass(frozen=True)
class Spread:
    """The distribution of some values.

    Parameters
    ----------
    count
        How many there are.
    mean
        Their average.
    least, lower, median, upper, high, most
        Minimum, quartiles, 95th percentile and maximum.
    """

    count: int
    mean: float
    least: float
    lower: float
    median: float
    upper: float
    high: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread | None":
        """Summarise some values; `None` if there are none."""
        if not values:
            return None
        ordered = sorted(map(float, values))
        quantiles = (_quantile(ordered, share) for share in (0, 0.25, 0.5, 0.75, 0.95, 1))
        return cls(len(ordered), fmean(ordered), *quantiles)


def _quantile(ordered: Sequence[float], share: float) -> float:
    """Interpolate linearly between the two values next to a share of them, as numpy does."""
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


@dataclass(frozen=True, kw_only=True)
class TaskUsage:
    """What the quanta of a task took.

    Parameters
    ----------
    quanta
        How many were done.
    seconds
        From the start of a quantum's preparation to its end.
    memory
        The largest resident set of its process until then, MiB: of all quanta before it in the same job.
    """

    quanta: int
    seconds: Spread
    memory: Spread | None


def read_task_usage(records: Iterable[RunRecord]) -> dict[str, TaskUsage]:
    """Read what the tasks of some runs took from a sample of their metadata.

    Parameters
    ----------
    records
        The runs. Their outputs are in the repository when their final jobs have ended.

    Returns
    -------
    usage
        By task label, put together over the runs, without the tasks of which nothing is there.

    Raises
    ------
    RepositoryError
        If a repository cannot be read.
    """
    by_repository: dict[str, list[RunRecord]] = {}
    for record in records:
        by_repository.setdefault(record.butler, []).append(record)
    quanta: dict[str, int] = {}
    taken: dict[str, list[tuple[float, float | None]]] = {}
    for repository, runs in by_repository.items():
        purpose = f"the metadata of tasks cannot be read from {repository}"
        with open_butler(repository, purpose) as butler, ThreadPoolExecutor(_THREADS) as pool:
            metadata = _find_metadata(butler, runs)
            for label in dict.fromkeys(label for record in runs for label in record.quanta):
                refs = metadata.get(f"{label}_metadata", [])
                step = max(1, len(refs) // _SAMPLE)
                found = pool.map(lambda ref: _read(butler, ref), refs[::step])
                taken.setdefault(label, []).extend(each for each in found if each)
                quanta[label] = quanta.get(label, 0) + len(refs)
    usage = {}
    for label, values in taken.items():
        if seconds := Spread.of([each for each, _ in values]):
            memory = Spread.of([each for _, each in values if each is not None])
            usage[label] = TaskUsage(quanta=quanta[label], seconds=seconds, memory=memory)
    return usage


def read_clusters(record: RunRecord) -> dict[str, tuple[str, ...]]:
    """Read which tasks the clusters of a run are made of, from its BPS config.

    Returns
    -------
    clusters
        The labels of tasks by that of the cluster.

    Raises
    ------
    LedgerError
        If the config cannot be read.
    """
    try:
        config = yaml.safe_load(read_text(Path(record.config)))
        clusters: Mapping[str, Any] = config.get("cluster") or {}
        return {
            label: tuple(str(section.get("pipetasks", "")).replace(",", " ").split())
            for label, section in clusters.items()
        }
    except (OSError, UnicodeDecodeError, yaml.YAMLError, AttributeError) as error:
        raise LedgerError(f"the BPS config {record.config} cannot be read: {error}") from error


def _find_metadata(butler: Any, records: Iterable[RunRecord]) -> dict[str, list[Any]]:
    """Find the metadata of tasks by dataset type."""
    from lsst.daf.butler import MissingCollectionError

    found: dict[str, list[Any]] = {}
    for record in records:
        try:
            for name, refs in query_run(butler, record.output_run, ("_metadata",)):
                found.setdefault(name, []).extend(refs)
        except MissingCollectionError:  # the run's first job, which makes it, has not run
            continue
    return found


def _read(butler: Any, ref: Any) -> tuple[float, float | None] | None:
    """Read seconds and MiB of a quantum; `None` if its metadata does not have them."""
    try:
        quantum: Mapping[str, Any] = butler.get(ref)["quantum"]
    except (KeyError, FileNotFoundError):
        return None
    begin, end, memory = (_first(quantum, name) for name in ("prepUtc", "endUtc", "endMaxResidentSetSize"))
    if begin is None or end is None:
        return None
    seconds = (datetime.fromisoformat(str(end)) - datetime.fromisoformat(str(begin))).total_seconds()
    return seconds, None if memory is None else float(memory) / _MIB


def _first(quantum: Mapping[str, Any], name: str) -> Any:
    try:
        value = quantum[name]
    except KeyError:
        return None
    return value[0] if isinstance(value, list | tuple) else value
