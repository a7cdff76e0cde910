"""What HTCondor's queue says of a campaign's jobs now: one question to the scheduler, one to the pool."""

__all__ = ["Queue", "QueuedJob", "Slot", "ask_queue", "work_out"]

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...common.errors import SubmissionError
from ..queue import open_queue

_IDLE, _RUNNING, _HELD = 1, 2, 5
_ATTRIBUTES = (
    "ClusterId",
    "JobUniverse",
    "JobStatus",
    "DAGNodeName",
    "DAGManNodesLog",
    "HoldReason",
    "RequestMemory",
    "RequestCpus",
    "UserLog",
    "Iwd",
    # What BPS's RequestMemory is an expression of.
    "LastJobStatus",
    "LastHoldReasonCode",
    "LastHoldReasonSubCode",
    "NumJobStarts",
    "MemoryUsage",
    "ResidentSetSize",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedJob:
    """A job that is in the queue.

    Parameters
    ----------
    cluster, name
        Its id, and the DAG's name for it.
    idle, held
        How it stands; it runs if neither.
    hold_reason
        HTCondor's words, if it is held.
    memory, cpus
        What it asks for now, in MiB and cores; memory is `None` where that cannot be worked out.
    """

    cluster: int
    name: str
    idle: bool
    held: bool
    hold_reason: str | None
    memory: float | None
    cpus: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A machine's slot: what it can give in all, and what of that is free, in MiB and cores."""

    memory: float
    cpus: int
    free_memory: float
    free_cpus: int

    def fits(self, job: QueuedJob) -> bool:
        """Tell whether a job would fit if the slot were empty."""
        return job.cpus <= self.cpus and (job.memory or 0) <= self.memory


@dataclass(frozen=True, kw_only=True)
class Queue:
    """The queue at one time.

    Parameters
    ----------
    answered
        Whether the scheduler did.
    problem
        Why not.
    jobs
        Those of the DAGs that were asked for.
    managers
        The DAGMan jobs that are in the queue, by cluster, and whether they are held and why.
    slots
        Of the pool, dynamic ones counted with the one they were cut from; `None` if it did not answer.
    """

    answered: bool
    problem: str | None = None
    jobs: tuple[QueuedJob, ...] = ()
    managers: Mapping[int, str | None] = field(default_factory=dict)
    slots: tuple[Slot, ...] | None = None


def ask_queue(dags: Collection[Path], managers: Collection[int]) -> Queue:
    """Ask for the jobs of some DAGs.

    Parameters
    ----------
    dags
        The DAGs; unlike ids, the names of their logs are the same for no other scheduler's jobs.
    managers
        The ids of their DAGMan jobs.

    Returns
    -------
    queue
        With the problem, if HTCondor does not answer; nothing is raised.
    """
    try:
        with open_queue() as schedd:
            return _ask(schedd, {os.path.normpath(path) for path in dags}, managers)
    except ImportError as error:
        return Queue(answered=False, problem=f"HTCondor's Python package is not here: {error}")
    except SubmissionError as error:
        return Queue(answered=False, problem=str(error))


def _ask(schedd: Any, dags: Collection[str], managers: Collection[int]) -> Queue:
    terms = [f"ClusterId == {id_} || DAGManJobId =?= {id_}" for id_ in map(int, managers)]
    ads = schedd.query(" || ".join(terms) or "False", projection=list(_ATTRIBUTES))
    jobs, found = [], {}
    for ad in ads:
        status = int(ad["JobStatus"])
        reason = str(ad["HoldReason"]) if status == _HELD and ad.get("HoldReason") else None
        if _dag(ad, "UserLog", ".dagman.log") in dags:
            found[int(ad["ClusterId"])] = reason
        if _dag(ad, "DAGManNodesLog", ".nodes.log") in dags and status in (_IDLE, _RUNNING, _HELD):
            jobs.append(
                QueuedJob(
                    cluster=int(ad["ClusterId"]),
                    name=str(ad.get("DAGNodeName", "")),
                    idle=status == _IDLE,
                    held=status == _HELD,
                    hold_reason=reason,
                    memory=work_out(ad, "RequestMemory"),
                    cpus=int(work_out(ad, "RequestCpus") or 1),
                )
            )
    slots = _ask_slots() if any(job.idle for job in jobs) else None
    return Queue(answered=True, jobs=tuple(jobs), managers=found, slots=slots)


def _ask_slots() -> tuple[Slot, ...] | None:
    import htcondor2

    try:
        ads = htcondor2.Collector().query(
            htcondor2.AdType.Startd,
            constraint='SlotType != "Dynamic"',
            projection=["TotalSlotMemory", "TotalSlotCpus", "Memory", "Cpus"],
        )
    except (htcondor2.HTCondorException, RuntimeError, OSError):
        return None
    return tuple(
        Slot(
            memory=float(ad.get("TotalSlotMemory", ad.get("Memory", 0))),
            cpus=int(ad.get("TotalSlotCpus", ad.get("Cpus", 0))),
            free_memory=float(ad.get("Memory", 0)),
            free_cpus=int(ad.get("Cpus", 0)),
        )
        for ad in ads
    )


def work_out(ad: Any, name: str) -> float | None:
    """Work out a number, which may be an expression of the job's other attributes."""
    try:
        value = ad.eval(name)
    except (KeyError, TypeError, ValueError, RuntimeError):
        return None
    # «Undefined» is a number too, of a class of its own.
    return float(value) if type(value) in (int, float) else None


def _dag(ad: Any, name: str, ending: str) -> str:
    """Find the DAG that a log belongs to."""
    return os.path.normpath(Path(str(ad.get("Iwd", ""))) / str(ad.get(name, ""))).removesuffix(ending)
