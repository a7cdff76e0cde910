"""Reasons why jobs in the queue do not run: held, too large for every slot, no slot free, or no contact."""

__all__ = ["explain_waiting"]

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from ..common.condor import JobStatus, Slot
from ..common.text import count
from .failures.causes import shorten_reason
from .jobs import Job, JobState
from .queue import Queue, QueuedJob

_SHOWN = 5


def explain_waiting(jobs: Sequence[Job], queue: Queue) -> tuple[str, ...]:
    """Say what jobs wait for: which are held and why, and for which there is no slot.

    Parameters
    ----------
    jobs
        Of the runs, from their files.
    queue
        What HTCondor says of them.
    """
    lines = [
        f"the DAG {cluster} is held: {reason}"
        for cluster, reason in queue.managers.items()
        if reason is not None
    ]
    lines += _explain_held(jobs)
    lines += _explain_lost(queue.jobs)
    idle = [job for job in queue.jobs if job.status is JobStatus.IDLE]
    if not idle or queue.slots is None:
        return tuple(lines)
    if not queue.slots:
        lines.append(f"{count(len(idle), 'job')} idle: the pool has no machine")
        return tuple(lines)
    # Ids, since two runs may have jobs of the same name.
    labels = {job.last.cluster: f"{job.step} {job.label}" for job in jobs if job.last}
    too_big: dict[tuple[str, float, int], int] = Counter(
        (labels.get(job.cluster, job.name), job.memory or 0, job.cpus)
        for job in idle
        if not any(slot.fits(job.memory or 0, job.cpus) for slot in queue.slots)
    )
    for (label, memory, cpus), number in too_big.items():
        lines.append(
            f"{count(number, 'job')} of {label} idle: no slot fits, {_explain_size(memory, cpus, queue.slots)}"
        )
    if rest := len(idle) - sum(too_big.values()):
        lines.append(f"{count(rest, 'job')} idle: {_explain_load(queue.slots, idle)}")
    return tuple(lines)


def _explain_lost(jobs: Sequence[QueuedJob]) -> list[str]:
    """Say which jobs HTCondor takes for running, though it has no contact with their slots."""
    lost = {job.name: job.lost for job in jobs if job.lost is not None}
    if not lost:
        return []
    name, (since, lease) = min(lost.items(), key=lambda item: item[1])
    until = datetime.fromtimestamp(since + lease, UTC)
    return [
        f"{count(len(lost), 'job')} without contact to the slot, such as {name}: HTCondor looks for it until "
        f"{until:%H:%M} UTC, then it starts the job anew; at once by `apcampaign cancel` and `apcampaign resume`"
    ]


def _explain_held(jobs: Sequence[Job]) -> list[str]:
    reasons = Counter(
        (str(job.step), job.label, shorten_reason(job.hold_reason or "HTCondor gives no reason"))
        for job in jobs
        if job.state is JobState.HELD
    )
    lines = [
        f"{count(number, 'job')} of {step} {label} held: {reason}"
        for (step, label, reason), number in reasons.most_common(_SHOWN)
    ]
    if rest := sum(number for _, number in reasons.most_common()[_SHOWN:]):
        lines.append(f"{count(rest, 'more job')} held for other reasons; see `apcampaign failures`")
    return lines


def _explain_size(memory: float, cpus: int, slots: Sequence[Slot]) -> str:
    most_memory, most_cpus = max(slot.memory for slot in slots), max(slot.cpus for slot in slots)
    return (
        f"they request {memory:.0f} MiB and {count(cpus, 'core')}, the largest of {count(len(slots), 'slot')} has "
        f"{most_memory:.0f} MiB, the one with the most cores {most_cpus}"
    )


def _explain_load(slots: Sequence[Slot], idle: Sequence[QueuedJob]) -> str:
    cores = sum(slot.cpus for slot in slots)
    busy = cores - sum(slot.free_cpus for slot in slots)
    room = any(
        job.cpus <= slot.free_cpus and (job.memory or 0) <= slot.free_memory for job in idle for slot in slots
    )
    what = "there is room, so they start soon" if room else "they wait for a free slot"
    return f"{what} ({busy} of {cores} cores in use)"
