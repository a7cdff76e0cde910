"""What HTCondor's queue says of a campaign's jobs now: one question to the scheduler, one to the pool."""

__all__ = ["Queue", "QueuedJob", "Slot", "ask_queue"]

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..surroundings import batch_environment

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
    "LastRejMatchReason",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedJob:
    """A job that is in the queue.

    Parameters
    ----------
    cluster, name
        Its id, and the DAG's name for it.
    nodes_log
        The log of the DAG that it belongs to, which tells the runs apart.
    idle, held
        How it stands; it runs if neither.
    hold_reason
        HTCondor's words, if it is held.
    memory, cpus
        What it asks for now, in MiB and cores; memory is `None` where that cannot be worked out.
    rejected
        HTCondor's words for why no machine took it, if it says.
    """

    cluster: int
    name: str
    nodes_log: str
    idle: bool
    held: bool
    hold_reason: str | None
    memory: float | None
    cpus: int
    rejected: str | None


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


def ask_queue(nodes_logs: Collection[Path], managers: Collection[int]) -> Queue:
    """Ask for the jobs of some DAGs.

    Parameters
    ----------
    nodes_logs
        The logs of the DAGs: unlike ids, they are the same for no other scheduler's jobs.
    managers
        The ids of DAGMan jobs.

    Returns
    -------
    queue
        With the problem, if HTCondor does not answer; nothing is raised.
    """
    try:
        with batch_environment():
            import htcondor2

            return _ask(htcondor2, [str(path) for path in nodes_logs], managers)
    except ImportError as error:
        return Queue(answered=False, problem=f"HTCondor's Python package is not here: {error}")
    except Exception as error:
        said = str(error).strip().splitlines() or [type(error).__name__]
        return Queue(answered=False, problem=f"HTCondor does not answer here: {said[0]}")


def _ask(htcondor2: Any, nodes_logs: list[str], managers: Collection[int]) -> Queue:
    terms = [f"DAGManNodesLog =?= {_quote(path)}" for path in nodes_logs]
    terms += [f"ClusterId == {int(cluster)}" for cluster in managers]
    ads = htcondor2.Schedd().query(" || ".join(terms) or "False", projection=list(_ATTRIBUTES))
    jobs, found = [], {}
    for ad in ads:
        status = int(ad["JobStatus"])
        reason = str(ad["HoldReason"]) if status == _HELD and ad.get("HoldReason") else None
        if int(ad["ClusterId"]) in managers:
            found[int(ad["ClusterId"])] = reason
        if ad.get("DAGManNodesLog") and status in (_IDLE, _RUNNING, _HELD):
            jobs.append(
                QueuedJob(
                    cluster=int(ad["ClusterId"]),
                    name=str(ad.get("DAGNodeName", "")),
                    nodes_log=str(ad["DAGManNodesLog"]),
                    idle=status == _IDLE,
                    held=status == _HELD,
                    hold_reason=reason,
                    memory=_number(ad, "RequestMemory"),
                    cpus=int(_number(ad, "RequestCpus") or 1),
                    rejected=str(ad["LastRejMatchReason"]) if ad.get("LastRejMatchReason") else None,
                )
            )
    slots = _ask_slots(htcondor2) if any(job.idle for job in jobs) else None
    return Queue(answered=True, jobs=tuple(jobs), managers=found, slots=slots)


def _ask_slots(htcondor2: Any) -> tuple[Slot, ...] | None:
    try:
        ads = htcondor2.Collector().query(
            htcondor2.AdType.Startd,
            constraint='SlotType != "Dynamic"',
            projection=["TotalSlotMemory", "TotalSlotCpus", "Memory", "Cpus"],
        )
    except Exception:
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


def _number(ad: Any, name: str) -> float | None:
    """Work out a number, which may be an expression of the job's other attributes."""
    try:
        value = ad.eval(name)
        return float(value)
    except (KeyError, TypeError, ValueError, RuntimeError):
        return None


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
