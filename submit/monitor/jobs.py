"""The jobs of a run, as its own files and the queue tell of them."""

__all__ = ["Attempt", "Ending", "Job", "JobState"]

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from ...bps import Step


class JobState(StrEnum):
    """How a job stands."""

    DONE = "done"
    RUNNING = "running"
    IDLE = "idle"  #: in the queue, without a slot
    HELD = "held"
    FAILED = "failed"  #: ended badly, or was removed, and will not be tried again
    PRUNED = "pruned"  #: will not run, since a job before it failed
    UNREADY = "unready"  #: not in the queue yet


class Ending(StrEnum):
    """How an attempt ended."""

    DONE = "done"
    FAILED = "failed"
    REQUEUED = "requeued"  #: ended badly, to be tried again
    EVICTED = "evicted"  #: interrupted from outside: preempted, or its machine was lost
    HELD = "held"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One execution of a job, or one that was held or removed before it began.

    Parameters
    ----------
    cluster
        The job's id in the queue.
    queued, started, ended
        When it began to wait, to run, and ended, in seconds since 1970 (UTC); `None` where it has not.
    host
        The machine or slot that it ran on.
    ending
        How it ended; `None` while it goes on.
    exit_code, signal
        What it ended with, where HTCondor says.
    reason
        HTCondor's words for a hold, a removal or an eviction.
    hold_code, hold_subcode
        HTCondor's numbers for the reason of a hold.
    memory
        The most that it used, in MiB.
    memory_request
        What it had asked for, in MiB; of one that runs or was held what it was given, which may be more.
    cpu_seconds
        Of user and system together.
    """

    cluster: int
    queued: float | None = None
    started: float | None = None
    ended: float | None = None
    host: str | None = None
    ending: Ending | None = None
    exit_code: int | None = None
    signal: int | None = None
    reason: str | None = None
    hold_code: int | None = None
    hold_subcode: int | None = None
    memory: float | None = None
    memory_request: float | None = None
    cpu_seconds: float | None = None

    @property
    def wall_seconds(self) -> float | None:
        """How long it ran; `None` if it did not, or goes on."""
        return None if self.started is None or self.ended is None else self.ended - self.started


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job of a run.

    Parameters
    ----------
    name, label
        As BPS named it.
    step
        Of the campaign.
    state
        How it stands.
    tags
        The data id that its quanta have in common, where it is known.
    quanta
        The number of its quanta by task label.
    parents
        The names of the jobs that it waits for.
    request_memory
        In MiB.
    request_cpus
        Also the number of cores that it takes.
    attempts
        The oldest first.
    folder
        Where its files are.
    """

    name: str
    label: str
    step: Step | None
    state: JobState
    tags: Mapping[str, str | int] = field(default_factory=dict)
    quanta: Mapping[str, int] = field(default_factory=dict)
    parents: tuple[str, ...] = ()
    request_memory: float | None = None
    request_cpus: int = 1
    attempts: tuple[Attempt, ...] = ()
    folder: Path

    @property
    def last(self) -> Attempt | None:
        """Its newest attempt."""
        return self.attempts[-1] if self.attempts else None

    @property
    def hold_reason(self) -> str | None:
        """Why it is held."""
        return self.last.reason if self.last and self.state is JobState.HELD else None

    def find_log(self, attempt: Attempt) -> Path | None:
        """Find what an attempt said on standard output and error.

        A later attempt under the same id overwrites what an earlier one said, unless BPS's setting
        ``overwriteJobFiles`` is false.
        """
        same = [
            other for other in self.attempts if other.cluster == attempt.cluster and other.started is not None
        ]
        if attempt not in same:
            return None
        candidates = [f"{self.name}.{attempt.cluster}.{same.index(attempt)}.out"]
        if attempt == same[-1]:
            candidates += [f"{self.name}.{attempt.cluster}.out", f"{self.name}.stderr"]
            candidates += [f"{self.name}.err", f"{self.name}.out"]  # of a node of the chain
        found = [path for name in candidates if (path := self.folder / name).exists()]
        return next((path for path in found if path.stat().st_size), found[0] if found else None)
