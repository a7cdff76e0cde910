"""What went wrong in a campaign, grouped by root cause, and what to do next."""

__all__ = ["Failures", "Group", "find_failures"]

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from os import SEEK_END
from pathlib import Path
from typing import Any

from ...bps import Step
from ..ledger import RunRecord
from ..quanta import QuantaTrouble, find_troubled_quanta
from .advice import advise
from .causes import Cause, Kind, find_cause
from .events import EventLog
from .jobs import Attempt, Ending, Job, JobState

_BAD = {JobState.FAILED, JobState.HELD}
_TAIL = 128 * 1024  # bytes of a log that are read
_READERS = 16
_LISTED = 20  # data ids of a group


@dataclass(frozen=True, kw_only=True)
class Group:
    """Jobs of one label that went wrong for one cause.

    Parameters
    ----------
    step, label
        Of the jobs.
    cause
        Of the example.
    jobs
        Their names, by state.
    hosts
        How many attempts went wrong on which.
    exit_codes, signals
        How often they ended with what.
    memory, memory_request
        The most that one of them used and had asked for, in MiB.
    example
        The name of the job that is shown.
    log
        What it said; `None` if there is nothing.
    data_ids
        Of the quanta that failed, as far as the logs tell; the first twenty.
    pruned
        How many jobs will not run in consequence, by label.
    waiting
        How many wait for jobs of this group that are held.
    advice
        What to do next.
    """

    step: Step
    label: str
    cause: Cause
    jobs: Mapping[JobState, Sequence[str]]
    hosts: Mapping[str, int]
    exit_codes: Mapping[int, int]
    signals: Mapping[int, int]
    memory: float | None
    memory_request: float | None
    example: str
    log: Path | None
    data_ids: tuple[Mapping[str, str | int], ...]
    pruned: Mapping[str, int]
    waiting: int
    advice: tuple[str, ...]

    @property
    def count(self) -> int:
        """How many jobs there are."""
        return sum(len(names) for names in self.jobs.values())

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values, for JSON."""
        return {
            "step": str(self.step),
            "label": self.label,
            "kind": str(self.cause.kind),
            "cause": self.cause.what,
            "task": self.cause.task,
            "count": self.count,
            "jobs": {str(state): list(names) for state, names in self.jobs.items()},
            "hosts": dict(self.hosts),
            "exit_codes": {str(code): count for code, count in self.exit_codes.items()},
            "signals": {str(number): count for number, count in self.signals.items()},
            "memory": self.memory,
            "memory_request": self.memory_request,
            "example": {
                "job": self.example,
                "log": None if self.log is None else str(self.log),
                "lines": list(self.cause.lines),
            },
            "data_ids": [dict(data_id) for data_id in self.data_ids],
            "pruned": dict(self.pruned),
            "waiting": self.waiting,
            "advice": list(self.advice),
        }


@dataclass(frozen=True, kw_only=True)
class Failures:
    """What went wrong.

    Parameters
    ----------
    groups
        Jobs that failed or are held, the most first.
    retried
        Attempts that went wrong of jobs that have passed since, or are tried again.
    pruned
        How many jobs will not run in consequence, by step.
    quanta
        Quanta that did not make what they should, by step, where they were looked at.
    """

    groups: tuple[Group, ...]
    retried: tuple[Group, ...]
    pruned: Mapping[Step, int]
    quanta: Mapping[Step, tuple[QuantaTrouble, ...]] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        """Whether nothing has failed or is held."""
        return not self.groups and not any(
            found.failed for of_step in self.quanta.values() for found in of_step
        )

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values, for JSON."""
        return {
            "groups": [group.as_dict() for group in self.groups],
            "retried": [group.as_dict() for group in self.retried],
            "pruned": {str(step): count for step, count in self.pruned.items()},
            "quanta": {
                str(step): {found.label: asdict(found) for found in of_step}
                for step, of_step in self.quanta.items()
            },
        }


@dataclass(frozen=True, kw_only=True)
class _Case:
    """One attempt that went wrong."""

    job: Job
    attempt: Attempt
    log: Path | None
    cause: Cause


def find_failures(
    jobs: Mapping[Step, Sequence[Job]], quanta_of: Mapping[Step, RunRecord] | None = None
) -> Failures:
    """Find what went wrong in the runs of a campaign and group it.

    Parameters
    ----------
    jobs
        Of the runs.
    quanta_of
        The runs of which the quanta shall be looked at too, which takes longer.

    Raises
    ------
    SubmissionError
        If the outcomes of the quanta cannot be read.
    """
    groups: list[Group] = []
    retried: list[Group] = []
    for step, of_step in jobs.items():
        bad = [(job, job.attempts[-1]) for job in of_step if job.state in _BAD and job.attempts]
        again = [
            (job, attempt)
            for job in of_step
            if job.state not in _BAD
            for attempt in job.attempts
            if _went_wrong(attempt)
        ]
        children = _children(of_step)
        with ThreadPoolExecutor(_READERS) as pool:
            groups += _group(step, list(pool.map(_examine, bad)), children)
            retried += _group(step, list(pool.map(_examine, again)), {})
    return Failures(
        groups=_order(groups),
        retried=_order(retried),
        pruned={
            step: count
            for step, of_step in jobs.items()
            if (count := sum(job.state is JobState.PRUNED for job in of_step))
        },
        quanta={
            # The repository knows of a run's outputs only when its last job has ended.
            step: find_troubled_quanta(record, from_files=True)
            for step, record in (quanta_of or {}).items()
        },
    )


def _order(groups: Iterable[Group]) -> tuple[Group, ...]:
    """Put the largest first, and what was only swept away by somebody's removal of the whole last."""
    return tuple(sorted(groups, key=lambda group: (group.cause.kind is Kind.REMOVED, -group.count)))


def _went_wrong(attempt: Attempt) -> bool:
    return attempt.ending not in (None, Ending.DONE)


def _examine(case: tuple[Job, Attempt]) -> _Case:
    job, attempt = case
    if attempt.memory is None:
        attempt = _measure(job, attempt)
    log = job.find_log(case[1])
    return _Case(
        job=job, attempt=attempt, log=log, cause=find_cause(job, attempt, _read_tail(log) if log else "")
    )


def _measure(job: Job, attempt: Attempt) -> Attempt:
    """Read how much memory an attempt used from the job's own log; the DAG's tells only of those that ended."""
    own = EventLog(job.folder / f"{job.name}.{attempt.cluster}.log")
    own.read()
    history = own.histories.get(attempt.cluster)
    # HTCondor notes only when the size grows, so that a later attempt may have no note of its own.
    sizes = [
        other.memory
        for other in (history.attempts() if history else ())
        if other.memory is not None and (other.started or 0) <= (attempt.started or 0)
    ]
    return replace(attempt, memory=max(sizes)) if sizes else attempt


def _read_tail(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            stream.seek(max(0, stream.seek(0, SEEK_END) - _TAIL))
            return stream.read().decode(errors="replace")
    except OSError:
        return ""  # it may be moved or written at this moment


def _group(step: Step, cases: Iterable[_Case], children: Mapping[str, Sequence[Job]]) -> list[Group]:
    by_cause: dict[tuple[str, str, str], list[_Case]] = {}
    for case in cases:
        by_cause.setdefault((case.job.label, *case.cause.signature), []).append(case)
    return [_make_group(step, members, children) for members in by_cause.values()]


def _make_group(step: Step, cases: Sequence[_Case], children: Mapping[str, Sequence[Job]]) -> Group:
    # The one with the most to tell.
    example = max(cases, key=lambda case: (case.log is not None, len(case.cause.lines)))
    names: dict[JobState, list[str]] = {}
    for case in cases:
        of_state = names.setdefault(case.job.state, [])
        if case.job.name not in of_state[-1:]:
            of_state.append(case.job.name)
    behind = _descendants([case.job.name for case in cases], children)
    data_ids = [case.cause.data_id or case.job.tags for case in cases]
    memory = [case.attempt.memory for case in cases if case.attempt.memory is not None]
    requests = [
        wanted
        for case in cases
        if (wanted := case.attempt.memory_request or case.job.request_memory) is not None
    ]
    return Group(
        step=step,
        label=example.job.label,
        cause=example.cause,
        jobs=names,
        hosts=Counter(case.attempt.host for case in cases if case.attempt.host),
        exit_codes=Counter(case.cause.exit_code for case in cases if case.cause.exit_code is not None),
        signals=Counter(case.cause.signal for case in cases if case.cause.signal is not None),
        memory=max(memory, default=None),
        memory_request=max(requests, default=None),
        example=example.job.name,
        log=example.log,
        data_ids=tuple(data_id for data_id in data_ids if data_id)[:_LISTED],
        pruned=Counter(job.label for job in behind if job.state is JobState.PRUNED),
        waiting=sum(job.state is JobState.UNREADY for job in behind),
        advice=advise(
            step,
            example.job.label,
            example.cause,
            held=[case.attempt.cluster for case in cases if case.job.state is JobState.HELD],
            memory=max(memory, default=None),
            memory_request=max(requests, default=None),
            data_ids=[data_id for data_id in data_ids if data_id],
        ),
    )


def _children(jobs: Sequence[Job]) -> dict[str, list[Job]]:
    children: dict[str, list[Job]] = {}
    for job in jobs:
        for parent in job.parents:
            children.setdefault(parent, []).append(job)
    return children


def _descendants(names: Sequence[str], children: Mapping[str, Sequence[Job]]) -> list[Job]:
    found: dict[str, Job] = {}
    front = list(names)
    while front:
        for child in children.get(front.pop(), ()):
            if child.name not in found:
                found[child.name] = child
                front.append(child.name)
    return list(found.values())
