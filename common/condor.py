"""HTCondor access: the only module that imports its Python bindings; translates their errors."""

__all__ = [
    "HoldReason",
    "JobMark",
    "JobStatus",
    "Slot",
    "dag_descendants",
    "find_holds",
    "find_marked",
    "open_schedd",
    "query_slots",
    "remove_marked",
    "submit_file",
    "write_dag_path",
    "write_dag_submission",
]

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

from .environment import environment_for_batch
from .errors import PreconditionError, SchedulerError
from .files import write_atomically

_SUBMIT_SECONDS = 120  # a busy scheduler of a large cluster may take its time
_REMEDY = "see whether `condor_q` works here"


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
        return " || ".join(f"{name} =?= {_quote(self.value)}" for name in self.attributes)


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
        raise SchedulerError(f"HTCondor does not answer: {error}", remedy=_REMEDY) from error


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


def _quote(text: str) -> str:
    """Write a text as ClassAds do."""
    import classad2

    quoted: str = classad2.quote(text)
    return quoted


def _any_of(marks: Collection[JobMark]) -> str:
    return " || ".join(map(str, marks)) or "False"


def write_dag_submission(dag: Path, path: Path, *, batch_name: str, attributes: Mapping[str, str]) -> None:
    """Write the submit description of the DAGMan job of a DAG.

    Parameters
    ----------
    dag
        The DAG; its folder becomes the working directory.
    path
        Where the submit description goes.
    batch_name
        Under which name ``condor_q`` shows it.
    attributes
        Attributes of the job's ad, which tell it from others.
    """
    with open_schedd():  # for its errors
        import htcondor2

        description = htcondor2.Submit.from_dag(str(dag), {})
    # The whole environment, so that the nodes find what the process that submits finds.
    description["getenv"] = "True"
    description["batch_name"] = batch_name
    description["initialdir"] = str(dag.parent)
    for name, value in attributes.items():
        description[f"MY.{name}"] = _quote(value)
    write_atomically(path, str(description))


def submit_file(path: Path) -> str:
    """Submit a job, in a process of its own whose environment holds no secrets.

    With ``getenv`` the job takes the environment of the process that submits it along.

    Parameters
    ----------
    path
        The submit description.

    Returns
    -------
    cluster
        The job's id.

    Raises
    ------
    SchedulerError
        If HTCondor does not take it.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-m", __name__, str(path)],
            env=environment_for_batch(),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SUBMIT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise SchedulerError(
            f"HTCondor did not answer for {_SUBMIT_SECONDS} s when it was given {path}", remedy=_REMEDY
        ) from None
    if done.returncode:
        said = done.stderr.strip().rpartition("\n")[2]
        raise SchedulerError(f"HTCondor did not take {path}: {said}", remedy=_REMEDY)
    cluster: str = json.loads(done.stdout)
    return cluster


if __name__ == "__main__":
    import htcondor2

    description = htcondor2.Submit(Path(sys.argv[1]).read_text(encoding="utf-8"))
    print(json.dumps(str(htcondor2.Schedd().submit(description).cluster())))  # noqa: T201


def write_dag_path(path: Path) -> str:
    """Write a path as a DAG has it.

    Raises
    ------
    PreconditionError
        If a DAG cannot carry it.
    """
    text = os.fspath(path)
    if shlex.quote(text) != text:
        raise PreconditionError(
            f"{text!r} holds a space or a quote, which a DAG cannot carry",
            remedy="use another folder for the runs",
        )
    return text
