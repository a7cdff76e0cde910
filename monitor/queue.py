"""HTCondor's queue: a campaign's queued jobs and the pool's slots, with one query for each."""

__all__ = ["Queue", "QueuedJob", "ask_queue", "eval_number"]

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..common.condor import JobStatus, Slot, name_schedd, open_schedd, query_slots
from ..common.errors import SchedulerError

_ATTRIBUTES = (
    "ClusterId",
    "JobStatus",
    "DAGNodeName",
    "DAGManNodesLog",
    "HoldReason",
    "RequestMemory",
    "RequestCpus",
    "UserLog",
    "Iwd",
    "JobCurrentStartDate",
    "JobDisconnectedDate",
    "JobLeaseDuration",
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
    status
        HTCondor's state of it.
    memory, cpus
        What it requests now, in MiB and cores; memory is `None` where that cannot be evaluated.
    lost
        When HTCondor lost contact with the slot that runs it (Unix time), and for how long it looks for it before
        it starts the job anew, in seconds; `None` if it has contact.
    """

    cluster: int
    name: str
    status: JobStatus
    memory: float | None
    cpus: int
    lost: tuple[float, float] | None = None


@dataclass(frozen=True, kw_only=True)
class Queue:
    """The queue at one time.

    Parameters
    ----------
    problem
        Why the scheduler did not answer; `None` if it did.
    jobs
        Those of the DAGs in question.
    managers
        The DAGMan jobs that are in the queue, by cluster, and why they are held if they are.
    slots
        Of the pool; `None` if it was not asked, since no job is idle, or did not answer.
    schedd
        The name of the scheduler; `None` if it was not asked, since it has the DAGMan jobs, or did not answer.
    """

    problem: str | None = None
    jobs: tuple[QueuedJob, ...] = ()
    managers: Mapping[int, str | None] = field(default_factory=dict)
    slots: tuple[Slot, ...] | None = None
    schedd: str | None = None


def ask_queue(dags: Collection[Path], managers: Collection[int]) -> Queue:
    """Ask for the jobs of some DAGs.

    Parameters
    ----------
    dags
        The DAGs. Their logs tell their jobs from those that have the same ids at another scheduler.
    managers
        The ids of their DAGMan jobs.

    Returns
    -------
    queue
        With the problem, if HTCondor does not answer; nothing is raised.
    """
    try:
        with open_schedd() as schedd:
            # The folder of a run that was adopted leads to its submit directory by a link.
            names = {name for path in dags for name in (os.path.normpath(path), os.path.realpath(path))}
            jobs, found = _ask(schedd, names, managers)
        name = None if found else name_schedd()
    except SchedulerError as error:
        return Queue(problem=str(error))
    idle = any(job.status is JobStatus.IDLE for job in jobs)
    return Queue(jobs=tuple(jobs), managers=found, slots=_find_slots() if idle else None, schedd=name)


def _ask(
    schedd: Any, dags: Collection[str], managers: Collection[int]
) -> tuple[list[QueuedJob], dict[int, str | None]]:
    terms = [f"ClusterId == {id_} || DAGManJobId =?= {id_}" for id_ in map(int, managers)]
    ads = schedd.query(" || ".join(terms) or "False", projection=list(_ATTRIBUTES))
    jobs: list[QueuedJob] = []
    found: dict[int, str | None] = {}
    for ad in ads:
        cluster, status = int(ad["ClusterId"]), int(ad["JobStatus"])
        if _dag(ad, "UserLog", ".dagman.log") in dags:
            held = status == JobStatus.HELD
            found[cluster] = str(ad.get("HoldReason", "no reason given")) if held else None
        if _dag(ad, "DAGManNodesLog", ".nodes.log") in dags and status in (
            JobStatus.IDLE,
            JobStatus.RUNNING,
            JobStatus.HELD,
        ):
            jobs.append(
                QueuedJob(
                    cluster=cluster,
                    name=str(ad.get("DAGNodeName", "")),
                    status=JobStatus(status),
                    memory=eval_number(ad, "RequestMemory"),
                    cpus=int(eval_number(ad, "RequestCpus") or 1),
                    lost=_read_lost(ad) if status == JobStatus.RUNNING else None,
                )
            )
    return jobs, found


def _read_lost(ad: Any) -> tuple[float, float] | None:
    since = eval_number(ad, "JobDisconnectedDate")
    # HTCondor forgets it if it finds the slot again, but not if it starts the job anew.
    if since is None or since < (eval_number(ad, "JobCurrentStartDate") or 0.0):
        return None
    return since, eval_number(ad, "JobLeaseDuration") or 0.0


def _find_slots() -> tuple[Slot, ...] | None:
    try:
        return query_slots()
    except SchedulerError:
        return None


def eval_number(ad: Any, name: str) -> float | None:
    """Evaluate a number, which may be an expression of the job's other attributes."""
    try:
        value = ad.eval(name)
    except (KeyError, TypeError, ValueError, RuntimeError):
        return None
    # HTCondor's «undefined» is a number too, of a class of its own.
    return float(value) if type(value) in (int, float) else None


def _dag(ad: Any, name: str, suffix: str) -> str:
    """Find the DAG that a log belongs to."""
    return os.path.normpath(Path(str(ad.get("Iwd", ""))) / str(ad.get(name, ""))).removesuffix(suffix)
