"""Jobs of a run and their attempts, with the states that the run's own files give them."""

__all__ = ["Attempt", "AttemptOutcome", "Job", "JobState"]

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from ..bps import Step


class JobState(StrEnum):
    """The state of a job."""

    DONE = "done"
    RUNNING = "running"
    IDLE = "idle"  #: in the queue, without a slot
    HELD = "held"
    FAILED = "failed"  #: failed or was removed, and will not be retried
    PRUNED = "pruned"  #: will not run, since a job before it failed
    UNREADY = "unready"  #: not in the queue yet


class AttemptOutcome(StrEnum):
    """The end of an attempt."""

    DONE = "done"
    FAILED = "failed"
    REQUEUED = "requeued"  #: failed, to be retried
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
    outcome
        How it ended; `None` while it is running or waiting.
    exit_code, signal
        Its exit code and the signal that killed it, where HTCondor tells.
    reason
        HTCondor's reason for a hold, a removal or an eviction.
    hold_code, hold_subcode
        HTCondor's numbers for the reason of a hold.
    memory
        The most that it used, in MiB.
    memory_request
        What it had requested, in MiB; for one that is running or was held what it got, which may be more.
    cpu_seconds
        Of user and system together.
    """

    cluster: int
    queued: float | None = None
    started: float | None = None
    ended: float | None = None
    host: str | None = None
    outcome: AttemptOutcome | None = None
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
        """How long it ran; `None` if it did not, or is running."""
        return None if self.started is None or self.ended is None else self.ended - self.started


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job of a run.

    Parameters
    ----------
    name, label
        As BPS named it.
    step, run
        The step and the name of the run that it is part of; `None` and empty for a node of the campaign DAG.
    state
        Its state.
    tags
        The data id that its quanta have in common, where it is known.
    quanta
        The number of its quanta by task label.
    parents
        The names of the jobs that it waits for.
    order_parents
        Those of them after whose failure it runs all the same.
    request_memory
        In MiB.
    request_cpus
        Also the number of cores that it occupies.
    attempts
        The oldest first.
    folder
        Where its files are.
    final
        Whether it runs last, whatever became of the others.
    subdag
        Whether it is a DAG of its own: the node of a run in the campaign DAG.
    """

    name: str
    label: str
    step: Step | None
    run: str = ""
    state: JobState
    tags: Mapping[str, str | int] = field(default_factory=dict)
    quanta: Mapping[str, int] = field(default_factory=dict)
    parents: tuple[str, ...] = ()
    order_parents: tuple[str, ...] = ()
    request_memory: float | None = None
    request_cpus: int = 1
    attempts: tuple[Attempt, ...] = ()
    folder: Path
    final: bool = False
    subdag: bool = False

    def find_request(self, attempt: "Attempt") -> float | None:
        """Find the memory that one of its attempts had requested, in MiB.

        An attempt is known to have had a slot of some size: one that another job has left may be larger than what
        was requested. Requests grow from one attempt to the next, so that this is seen of the first only.
        """
        if attempt.memory_request and self.request_memory and attempt in self.attempts[:1]:
            return min(attempt.memory_request, self.request_memory)
        return attempt.memory_request or self.request_memory

    @property
    def key(self) -> tuple[str, str]:
        """What no other job of the campaign has: the name of its run, and its own in that run."""
        return self.run, self.name

    @property
    def parent_keys(self) -> list[tuple[str, str]]:
        """The keys of the jobs that it waits for."""
        return [(self.run, parent) for parent in self.parents]

    @property
    def needed_keys(self) -> list[tuple[str, str]]:
        """The keys of those without which it does not run."""
        return [(self.run, parent) for parent in self.parents if parent not in self.order_parents]

    @property
    def last(self) -> Attempt | None:
        """Its newest attempt."""
        return self.attempts[-1] if self.attempts else None

    @property
    def hold_reason(self) -> str | None:
        """Why it is held."""
        return self.last.reason if self.last and self.state is JobState.HELD else None

    def find_log(self, attempt: Attempt) -> Path | None:
        """Find the standard output and error of an attempt.

        A later attempt under the same id overwrites that of an earlier one, unless BPS's setting
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
            candidates += [f"{self.name}.err", f"{self.name}.out"]  # of a node of the campaign DAG
        sizes = {
            path: size for name in candidates if (size := _measure(path := self.folder / name)) is not None
        }
        return next((path for path, size in sizes.items() if size), next(iter(sizes), None))


def _measure(path: Path) -> int | None:
    """Give the size of a file, 0 of one that cannot be looked at; `None` if it is not there."""
    try:
        return path.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        return 0
