"""Finding what went wrong: each failed or held job's cause, and who shares it."""

__all__ = ["find_failures"]

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from os import SEEK_END
from pathlib import Path

from ...bps import Step
from ..ledger import RunRecord
from ..provenance import find_troubled_quanta
from .advice import advise
from .causes import Cause, Kind, find_cause
from .events import EventLog
from .failures import Failures, Group
from .jobs import Attempt, Ending, Job, JobState

SUMMARY = "summary"  # the last node of a chain
_BAD = {JobState.FAILED, JobState.HELD}
_TAIL = 128 * 1024  # bytes of a log that are read
_READERS = 16
_LISTED = 20  # data ids of a group


@dataclass(frozen=True, kw_only=True)
class _Case:
    """One attempt that went wrong."""

    job: Job
    attempt: Attempt
    log: Path | None
    cause: Cause


def find_failures(
    jobs: Mapping[Step, Sequence[Job]],
    *,
    chain: Sequence[Job] = (),
    quanta_of: Mapping[Step, RunRecord] | None = None,
) -> Failures:
    """Find what went wrong in the runs of a campaign and group it.

    Parameters
    ----------
    jobs
        Of the runs.
    chain
        The nodes of its chain.
    quanta_of
        The runs of which the quanta shall be looked at too, which takes longer.

    Raises
    ------
    SubmissionError
        If the outcomes of the quanta cannot be read.
    """
    groups: list[Group] = []
    retried: list[Group] = []
    # A step's node fails with its run, which says why; the last one repeats that something failed.
    between = [node for node in chain if node.name not in set(Step) and node.state in _BAD and node.attempts]
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
    if groups or len(between) > 1:
        between = [node for node in between if node.name != SUMMARY]
    groups += _group(None, [_examine((node, node.attempts[-1])) for node in between], _children(chain))
    return Failures(
        groups=_order(groups),
        retried=_order(retried),
        pruned={
            step: count
            for step, of_step in jobs.items()
            if (count := sum(job.state is JobState.PRUNED for job in of_step))
        },
        quanta={step: find_troubled_quanta(record) for step, record in (quanta_of or {}).items()},
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


def _group(step: Step | None, cases: Iterable[_Case], children: Mapping[str, Sequence[Job]]) -> list[Group]:
    by_cause: dict[tuple[str, str, str], list[_Case]] = {}
    for case in cases:
        by_cause.setdefault((case.job.label, *case.cause.signature), []).append(case)
    return [_make_group(step, members, children) for members in by_cause.values()]


def _make_group(step: Step | None, cases: Sequence[_Case], children: Mapping[str, Sequence[Job]]) -> Group:
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
