"""Processes of this host that execute jobs of a run of Parsl, also when the one that submitted it is gone."""

__all__ = ["find_parsl_processes"]

from collections.abc import Iterable, Iterator
from pathlib import Path

#: What the command line of a worker of Parsl, or of a job of BPS, has besides the folder that it works in.
_WORKER, _JOB = "process_worker_pool.py", "run-qbb"
#: How Parsl calls the process that hands jobs to the workers. It names no folder, but writes a log.
_INTERCHANGE = "parsl: HTEX interchange"


def find_parsl_processes(submit: Path, logs: Iterable[Path]) -> tuple[int, ...]:
    """Find the workers and the jobs of a run.

    Jobs go on to their end, and workers wait for others for ever, when the process that submitted them was killed.

    Parameters
    ----------
    submit
        The submit directory.
    logs
        Parsl's logs of the run.

    Returns
    -------
    processes
        Their ids; those of other hosts, and those that may not be looked at, are not among them.
    """
    places = tuple(f"{place}/" for place in {submit.resolve(), *(log.resolve().parent for log in logs)})
    return tuple(process for process, words in _list_commands() if _is_meant(process, words, places))


def _is_meant(process: int, words: list[str], places: tuple[str, ...]) -> bool:
    if words[0].startswith(_INTERCHANGE):
        return any(name.startswith(places) for name in _list_open(process))
    if _JOB not in words and not any(word.endswith(f"/{_WORKER}") for word in words):
        return False
    return any(place in word for word in words for place in places)


def _list_open(process: int) -> list[str]:
    """List the files that a process has open; none if it is gone, or somebody else's."""
    try:
        return [str(handle.readlink()) for handle in Path(f"/proc/{process}/fd").iterdir()]
    except OSError:
        return []


def _list_commands() -> Iterator[tuple[int, list[str]]]:
    """List the processes of this host with their command lines."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue  # it has ended
        yield int(folder.name), words
