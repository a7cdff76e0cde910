"""What the jobs in the queue wait for."""

__all__ = ["explain_waiting"]

from collections import Counter
from collections.abc import Mapping, Sequence

from ...bps import Step
from .causes import shorten_reason
from .jobs import Job, JobState
from .queue import Queue, QueuedJob, Slot

_SHOWN = 5


def explain_waiting(jobs: Mapping[Step, Sequence[Job]], queue: Queue) -> tuple[str, ...]:
    """Say what jobs wait for: who is held and why, for whom there is no slot.

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
    idle = [job for job in queue.jobs if job.idle]
    if not idle or queue.slots is None:
        return tuple(lines)
    labels = {job.name: f"{step} {job.label}" for step, of_step in jobs.items() for job in of_step}
    if not queue.slots:
        lines.append(f"{_jobs(len(idle))} idle: the pool has no machine")
        return tuple(lines)
    too_big: dict[tuple[str, float, int], int] = Counter(
        (labels.get(job.name, job.name), job.memory or 0, job.cpus)
        for job in idle
        if not any(slot.fits(job) for slot in queue.slots)
    )
    for (label, memory, cpus), count in too_big.items():
        lines.append(
            f"{_jobs(count)} of {label} idle: no slot fits, {_explain_size(memory, cpus, queue.slots)}"
        )
    if rest := len(idle) - sum(too_big.values()):
        lines.append(f"{_jobs(rest)} idle: {_explain_load(queue.slots, idle)}")
    return tuple(lines)


def _explain_held(jobs: Mapping[Step, Sequence[Job]]) -> list[str]:
    reasons = Counter(
        (step, job.label, shorten_reason(job.hold_reason or "HTCondor gives no reason"))
        for step, of_step in jobs.items()
        for job in of_step
        if job.state is JobState.HELD
    )
    lines = [
        f"{_jobs(count)} of {step} {label} held: {reason}"
        for (step, label, reason), count in reasons.most_common(_SHOWN)
    ]
    if len(reasons) > _SHOWN:
        rest = sum(count for _, count in reasons.most_common()[_SHOWN:])
        lines.append(f"{_jobs(rest)} more held for other reasons; see `apcampaign failures`")
    return lines


def _explain_size(memory: float, cpus: int, slots: Sequence[Slot]) -> str:
    most_memory, most_cpus = max(slot.memory for slot in slots), max(slot.cpus for slot in slots)
    return (
        f"they ask for {memory:.0f} MiB and {cpus} cores, the largest of {len(slots)} has {most_memory:.0f} MiB, "
        f"the one with the most cores {most_cpus}"
    )


def _explain_load(slots: Sequence[Slot], idle: Sequence[QueuedJob]) -> str:
    cores = sum(slot.cpus for slot in slots)
    busy = cores - sum(slot.free_cpus for slot in slots)
    room = any(job.cpus <= s.free_cpus and (job.memory or 0) <= s.free_memory for job in idle for s in slots)
    what = "there is room, so they begin soon" if room else "they wait for a free slot"
    return f"{what} ({busy} of {cores} cores in use)"


def _jobs(count: int) -> str:
    return "1 job" if count == 1 else f"{count} jobs"
