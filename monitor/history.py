"""History of a job: its state and its attempts, as the events of its log change them."""

__all__ = ["History", "OpenAttempt"]

from dataclasses import dataclass, field

from .jobs import Attempt, AttemptOutcome, JobState

_AT_ONCE = 2.0  # seconds between the two halves of one event; the log has whole seconds


@dataclass(slots=True)
class OpenAttempt:
    """An attempt that may still change; `Attempt` has the meaning of its fields."""

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

    def freeze(self) -> Attempt:
        """Give it as it is now."""
        return Attempt(**{name: getattr(self, name) for name in self.__slots__})


@dataclass(slots=True)
class History:
    """What happened to one submission of a job.

    Parameters
    ----------
    node
        The DAG's name for the job.
    cluster
        Its id in the queue.
    state
        Its state.
    accepted
        Whether the script after it has succeeded.
    """

    node: str
    cluster: int
    state: JobState = JobState.IDLE
    accepted: bool = False
    _attempts: list[OpenAttempt] = field(default_factory=list)

    def attempts(self) -> tuple[Attempt, ...]:
        """List its attempts, the oldest first."""
        return tuple(attempt.freeze() for attempt in self._attempts)

    def open_attempt(self, time: float) -> OpenAttempt:
        """Get the attempt that has not ended; start one if there is none."""
        if not self._attempts or self._attempts[-1].outcome is not None:
            self.add_attempt(time)
        return self._attempts[-1]

    def add_attempt(self, time: float) -> None:
        """Start an attempt."""
        self._attempts.append(OpenAttempt(self.cluster, time))

    def drop_eviction(self, time: float) -> None:
        """Drop an eviction that was only the first half of a hold or a removal."""
        attempts = self._attempts
        if len(attempts) > 1 and attempts[-1].started is None and attempts[-1].outcome is None:
            before = attempts[-2]
            if (
                before.outcome is AttemptOutcome.EVICTED
                and before.ended is not None
                and time - before.ended <= _AT_ONCE
            ):
                attempts.pop()
                before.outcome = before.ended = before.reason = None
