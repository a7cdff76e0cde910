"""What tasks took, as they noted it in their metadata: exact, where HTCondor only looks now and then."""

__all__ = ["TaskUsage", "read_task_usage"]

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ...common.errors import SubmissionError
from ..ledger import RunRecord
from .usage import Spread

#: So many quanta of each task are looked at, spread over all of them.
_SAMPLE = 60
# Files are read in parallel: on a cluster's file system each takes milliseconds, nearly all of it waiting.
_THREADS = 8
_MIB = 1024**2


@dataclass(frozen=True, kw_only=True)
class TaskUsage:
    """What the quanta of a task took.

    Parameters
    ----------
    quanta
        How many were done.
    seconds
        From the begin of a quantum's preparation to its end.
    memory
        The largest resident set of its process until then, MiB: of all quanta before it in the same job.
    """

    quanta: int
    seconds: Spread
    memory: Spread | None


def read_task_usage(record: RunRecord, labels: Iterable[str] | None = None) -> dict[str, TaskUsage]:
    """Read what the tasks of a run took from a sample of their metadata.

    Parameters
    ----------
    record
        The run. Its outputs are in the repository when its final job has ended.
    labels
        Of which tasks; all of the run's by default.

    Returns
    -------
    usage
        By task label, without the tasks of which nothing is there.

    Raises
    ------
    SubmissionError
        If the repository cannot be read.
    """
    from lsst.daf.butler import Butler, MissingCollectionError, MissingDatasetTypeError

    usage: dict[str, TaskUsage] = {}
    try:
        with Butler.from_config(record.butler) as butler, ThreadPoolExecutor(_THREADS) as pool:
            for label in labels or record.quanta:
                try:
                    refs = butler.query_datasets(
                        f"{label}_metadata", collections=record.output_run, limit=None, explain=False
                    )
                except (MissingCollectionError, MissingDatasetTypeError):
                    continue
                step = max(1, len(refs) // _SAMPLE)
                found = [each for each in pool.map(lambda ref: _read(butler, ref), refs[::step]) if each]
                if seconds := Spread.of([each[0] for each in found]):
                    memory = Spread.of([each[1] for each in found if each[1] is not None])
                    usage[label] = TaskUsage(quanta=len(refs), seconds=seconds, memory=memory)
    except Exception as error:
        raise SubmissionError(
            f"what the tasks of run {record.output_run} took cannot be read from {record.butler}: "
            f"{type(error).__name__}: {error}"
        ) from error
    return usage


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
