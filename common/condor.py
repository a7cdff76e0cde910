"""HTCondor access: its queue and its pool, asked through its Python bindings, whose errors are translated here.

`condor_submission` is the only other module that imports them.
"""

__all__ = [
    "HoldReason",
    "JobMark",
    "JobStatus",
    "PlacedJob",
    "Slot",
    "advise",
    "allows_environment",
    "dag_descendants",
    "find_below",
    "find_holds",
    "find_marked",
    "name_schedd",
    "open_schedd",
    "query_slots",
    "quote",
    "remove_below",
    "remove_marked",
]

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

from .errors import SchedulerError
from .own_servers import find_stopped_pool

_SCHEDULER = 7  # the universe of jobs that run on the submit host as part of the scheduler


class JobStatus(IntEnum):
    """HTCondor's JobStatus of a job."""

    IDLE = 1
    RUNNING = 2
    REMOVED = 3
    COMPLETED = 4
    HELD = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A machine's slot: what it can give in all, and what of that is free, in MiB and cores."""

    memory: float
    cpus: int
    free_memory: float
    free_cpus: int

    def fits(self, memory: float, cpus: int) -> bool:
        """Tell whether a job that requests this memory (MiB) and these cores would fit if the slot were empty."""
        return cpus <= self.cpus and memory <= self.memory


@dataclass(frozen=True)
class HoldReason:
    """A held job: the DAG's name for it (or its id), and HTCondor's words."""

    job: str
    reason: str


@dataclass(frozen=True)
class JobMark:
    """What tells some jobs from all others: the value of one of some attributes of their ads.

    A number does not: it may be that of somebody else's job, after a pool was made anew or on another submit host.
    """

    attributes: tuple[str, ...]
    value: str

    def matches(self, ad: Any) -> bool:
        """Tell whether a job has it."""
        return any(str(ad.get(name, "")) == self.value for name in self.attributes)

    def __str__(self) -> str:
        """Write it as an expression of ClassAds."""
        return " || ".join(f"{name} =?= {quote(self.value)}" for name in self.attributes)


@dataclass(frozen=True, kw_only=True)
class PlacedJob:
    """A job in the queue, known by the folder that it was submitted in.

    Parameters
    ----------
    id
        Its id.
    folder
        Its working directory.
    parent
        The id of the DAGMan job that has submitted it; empty if none has.
    is_dagman
        Whether it is a DAGMan job itself.
    """

    id: str
    folder: Path
    parent: str = ""
    is_dagman: bool = False


def advise() -> str:
    """Say what to do if HTCondor does not answer."""
    command = find_stopped_pool()
    return f"start its servers with `{command}`" if command else "see whether `condor_q` works here"


@contextmanager
def open_schedd() -> Iterator[Any]:
    """Give the scheduler of this host, as `htcondor2.Schedd`.

    Raises
    ------
    SchedulerError
        If HTCondor's Python package is not here, or HTCondor does not answer, at any time inside of the block.
    """
    try:
        import htcondor2
    except ImportError as error:
        raise SchedulerError(
            f"HTCondor's Python package is not here: {error}", remedy="install the package 'htcondor'"
        ) from error
    try:
        yield htcondor2.Schedd()
    except SchedulerError:
        raise
    except (htcondor2.HTCondorException, RuntimeError, OSError) as error:
        raise SchedulerError(f"HTCondor does not answer: {error}", remedy=advise()) from error


def name_schedd() -> str:
    """Name the scheduler of this host, as its jobs' ``GlobalJobId`` does; raises as `open_schedd`."""
    with open_schedd():  # for its errors
        import htcondor2

        return str(htcondor2.Collector().locate(htcondor2.DaemonType.Schedd)["Name"])


def allows_environment() -> bool:
    """Tell whether jobs may take along the environment of whoever submits them; raises as `open_schedd`."""
    with open_schedd():  # for its errors
        import htcondor2

        return str(htcondor2.param.get("SUBMIT_ALLOW_GETENV", "true")).strip().lower() not in (
            "false",
            "f",
            "0",
        )


def query_slots() -> tuple[Slot, ...]:
    """Ask the collector for the pool's slots, dynamic ones counted with the one they were cut from.

    Raises
    ------
    SchedulerError
        If it does not answer.
    """
    with open_schedd():  # for its errors
        import htcondor2

        ads = htcondor2.Collector().query(
            htcondor2.AdType.Startd,
            constraint='SlotType =!= "Dynamic"',
            projection=["TotalSlotMemory", "TotalSlotCpus", "Memory", "Cpus"],
        )
    return tuple(
        Slot(
            memory=float(ad.get("TotalSlotMemory", ad.get("Memory", 0))),
            cpus=int(ad.get("TotalSlotCpus", ad.get("Cpus", 0))),
            free_memory=float(ad.get("Memory", 0)),
            free_cpus=int(ad.get("Cpus", 0)),
        )
        for ad in ads
    )


def find_marked(marks: Collection[JobMark]) -> Mapping[JobMark, tuple[str, ...]]:
    """Find the ids of the jobs in the queue that have each of some marks, the oldest first.

    Marks that no job has are left out.

    Raises
    ------
    SchedulerError
        As `open_schedd`.
    """
    ads = _query(marks, "True")
    found = {mark: sorted(int(ad["ClusterId"]) for ad in ads if mark.matches(ad)) for mark in marks}
    return {mark: tuple(map(str, ids)) for mark, ids in found.items() if ids}


def dag_descendants(clusters: Iterable[str]) -> frozenset[str]:
    """Find what is in the queue of some DAGMan jobs: themselves and all below them; raises as `open_schedd`."""
    with open_schedd() as schedd:
        ads = schedd.query("True", projection=["ClusterId", "DAGManJobId"])
    parent_of = {str(ad["ClusterId"]): str(ad.get("DAGManJobId", "")) for ad in ads}
    family: set[str] = set()
    front = set(clusters)
    while front:
        family |= front & set(parent_of)
        front = {child for child, parent in parent_of.items() if parent in front and child not in family}
    return frozenset(family)


def find_holds(marks: Collection[JobMark]) -> tuple[HoldReason, ...]:
    """Find the held jobs that have one of some marks; raises as `open_schedd`."""
    ads = _query(marks, f"JobStatus == {JobStatus.HELD}", "DAGNodeName", "HoldReason")
    return tuple(
        HoldReason(str(ad.get("DAGNodeName", ad["ClusterId"])), str(ad.get("HoldReason", "no reason given")))
        for ad in ads
    )


def remove_marked(marks: Collection[JobMark], reason: str) -> None:
    """Remove the jobs that have one of some marks from the queue; raises as `open_schedd`."""
    with open_schedd() as schedd:
        import htcondor2

        schedd.act(htcondor2.JobAction.Remove, _any_of(marks), reason=reason)


def _query(marks: Collection[JobMark], constraint: str, *attributes: str) -> list[Any]:
    names = {name for mark in marks for name in mark.attributes}
    with open_schedd() as schedd:
        return list(
            schedd.query(
                f"({_any_of(marks)}) && {constraint}", projection=["ClusterId", *sorted(names), *attributes]
            )
        )


def quote(text: str) -> str:
    """Write a text as ClassAds do."""
    import classad2

    quoted: str = classad2.quote(text)
    return quoted


def _any_of(marks: Collection[JobMark]) -> str:
    return " || ".join(map(str, marks)) or "False"


def find_below(folder: Path) -> tuple[PlacedJob, ...]:
    """Find the jobs in the queue whose working directory is below a folder; raises as `open_schedd`."""
    names = ["ClusterId", "Iwd", "DAGManJobId", "JobUniverse", "Cmd"]
    with open_schedd() as schedd:
        ads = list(schedd.query(_is_below(folder), projection=names))
    return tuple(
        PlacedJob(
            id=str(ad["ClusterId"]),
            folder=Path(str(ad["Iwd"])),
            parent=str(ad.get("DAGManJobId", "")),
            is_dagman=ad.get("JobUniverse") == _SCHEDULER
            and Path(str(ad.get("Cmd", ""))).name == "condor_dagman",
        )
        for ad in sorted(ads, key=lambda ad: int(ad["ClusterId"]))
    )


def remove_below(folder: Path, ids: Collection[str], reason: str) -> None:
    """Remove jobs with some ids from the queue, if their working directory is below a folder.

    Raises
    ------
    SchedulerError
        As `open_schedd`.
    """
    these = " || ".join(f"ClusterId == {int(id_)}" for id_ in ids) or "False"
    with open_schedd() as schedd:
        import htcondor2

        schedd.act(htcondor2.JobAction.Remove, f"({these}) && {_is_below(folder)}", reason=reason)


def _is_below(folder: Path) -> str:
    """Write an expression of ClassAds that is true for the jobs of a folder, unless they are removed already."""
    prefix = f"{folder}/"
    # Lengths of texts are counted in bytes.
    here = f"substr(Iwd, 0, {len(prefix.encode())}) == {quote(prefix)}"
    return f"({here}) && JobStatus != {JobStatus.REMOVED} && JobStatus != {JobStatus.COMPLETED}"
