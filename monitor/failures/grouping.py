"""Grouping of failed and held jobs by label and cause."""

__all__ = ["find_failures"]

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from ...bps import Step
from ...ledger import RunRecord
from ..jobs import Attempt, AttemptOutcome, Job, JobState
from ..outcomes import find_troubled_quanta
from ..status import RunState
from .advice import advise
from .causes import Cause, FailureKind, find_cause
from .evidence import Gap, read_log, read_memory
from .model import Failures, Group
from .stopped import find_stopped

_BAD = {JobState.FAILED, JobState.HELD}
_READERS = 16  # on a cluster's file system the opening of a log is nearly all waiting

_Children = Mapping[tuple[str, str], Sequence[Job]]


@dataclass(frozen=True, kw_only=True)
class _Case:
    """An attempt that failed."""

    job: Job
    attempt: Attempt
    log: Path | None
    cause: Cause
    gaps: tuple[Gap, ...]


def find_failures(
    jobs: Sequence[Job],
    *,
    nodes: Sequence[Job] = (),
    states: Mapping[str, RunState] | None = None,
    quanta_of: Iterable[RunRecord] = (),
) -> Failures:
    """Find what went wrong in the runs of a campaign and group it.

    Parameters
    ----------
    jobs
        Of the runs.
    nodes
        The nodes of the campaign DAG.
    states
        The state of each run, by its name.
    quanta_of
        The runs of which the quanta are looked at too, which takes longer.

    Raises
    ------
    RepositoryError
        If the outcomes of the quanta cannot be read.
    """
    by_step: dict[Step, list[Job]] = {}
    for job in jobs:
        if job.step is not None:
            by_step.setdefault(job.step, []).append(job)
    groups: list[Group] = []
    retried: list[Group] = []
    told: set[str] = set()
    for step, of_step in by_step.items():
        failed = [(job, job.attempts[-1]) for job in of_step if job.state in _BAD and job.attempts]
        told |= {job.run for job, _ in failed}
        passed = [
            (job, attempt)
            for job in of_step
            if job.state not in _BAD
            for attempt in job.attempts
            if attempt.outcome not in (None, AttemptOutcome.DONE)
        ]
        with ThreadPoolExecutor(_READERS) as pool:
            groups += _group(step, list(pool.map(_examine, failed)), _find_children(of_step))
            retried += _group(step, list(pool.map(_examine, passed)), {})
    groups += _group(None, map(_examine, _find_bad_nodes(nodes, told)), _find_children(nodes))
    records: dict[Step, list[RunRecord]] = {}
    for record in quanta_of:
        records.setdefault(record.step, []).append(record)
    return Failures(
        groups=_order(groups),
        retried=_order(retried),
        stopped=find_stopped(jobs, states or {}),
        pruned={
            step: count
            for step, of_step in by_step.items()
            if (count := sum(job.state is JobState.PRUNED for job in of_step))
        },
        quanta={step: find_troubled_quanta(runs) for step, runs in records.items()},
    )


def _find_bad_nodes(nodes: Iterable[Job], told: Collection[str]) -> list[tuple[Job, Attempt]]:
    """Find the nodes of the campaign DAG that failed by themselves.

    The node of a run fails with the jobs of the run, which say why (``told``), and the final node repeats that
    something failed.
    """
    bad = [node for node in nodes if node.state in _BAD and node.attempts and node.name not in told]
    if told or not all(node.final for node in bad):
        bad = [node for node in bad if not node.final]
    return [(node, node.attempts[-1]) for node in bad]


def _order(groups: Iterable[Group]) -> tuple[Group, ...]:
    """Put the largest first; what was only removed with the whole run comes last."""
    return tuple(sorted(groups, key=lambda group: (group.cause.kind is FailureKind.REMOVED, -group.count)))


def _examine(case: tuple[Job, Attempt]) -> _Case:
    job, found = case
    attempt, wrong_memory = read_memory(job, found)
    log, text, wrong_log = read_log(job, found)
    cause = find_cause(job, attempt, text)
    gaps = []
    if wrong_log and _has_begun(attempt, cause):
        unknown = "what else the log said" if text.strip() else _name_unknown(job, cause)
        gaps.append(Gap(unknown=unknown, reason=wrong_log))
    if wrong_memory and cause.kind is FailureKind.OUT_OF_MEMORY and job.step is not None:
        gaps.append(Gap(unknown="how much memory was used", reason=wrong_memory))
    return _Case(job=job, attempt=attempt, log=log, cause=cause, gaps=tuple(gaps))


def _has_begun(attempt: Attempt, cause: Cause) -> bool:
    """Tell whether a program was started that could have left a log."""
    refused = cause.kind is FailureKind.MISSING_EXECUTABLE and attempt.outcome is AttemptOutcome.HELD
    return attempt.started is not None and cause.kind is not FailureKind.SUBMISSION and not refused


def _name_unknown(job: Job, cause: Cause) -> str:
    """Name what only the log would have told."""
    if job.step is None:
        return "why"
    by_log = cause.kind in (FailureKind.EXIT, FailureKind.SIGNAL, FailureKind.MISSING_EXECUTABLE)
    return "why, and which task failed" if by_log else "which task failed"


def _group(step: Step | None, cases: Iterable[_Case], children: _Children) -> list[Group]:
    by_cause: dict[tuple[str, str, str], list[_Case]] = {}
    for case in cases:
        by_cause.setdefault((case.job.label, *case.cause.signature), []).append(case)
    return [_make_group(step, members, children) for members in by_cause.values()]


def _make_group(step: Step | None, cases: Sequence[_Case], children: _Children) -> Group:
    # The one whose log says most.
    example = max(cases, key=lambda case: (case.log is not None, len(case.cause.lines)))
    names: dict[JobState, dict[tuple[str, str], str]] = {}  # a job may have failed at several attempts
    for case in cases:
        names.setdefault(case.job.state, {})[case.job.key] = case.job.name
    behind = _find_descendants([case.job.key for case in cases], children)
    data_ids = [case.cause.data_id or case.job.tags for case in cases]
    memory = [case.attempt.memory for case in cases if case.attempt.memory is not None]
    requests = [requested for case in cases if (requested := case.job.find_request(case.attempt)) is not None]
    group = Group(
        step=step,
        label=example.job.label,
        cause=example.cause,
        jobs={state: list(of_state.values()) for state, of_state in names.items()},
        held=tuple(case.attempt.cluster for case in cases if case.job.state is JobState.HELD),
        hosts=Counter(case.attempt.host for case in cases if case.attempt.host),
        exit_codes=Counter(case.cause.exit_code for case in cases if case.cause.exit_code is not None),
        signals=Counter(case.cause.signal for case in cases if case.cause.signal is not None),
        memory=max(memory, default=None),
        memory_request=max(requests, default=None),
        example=example.job.name,
        log=example.log,
        data_ids=tuple(data_id for data_id in data_ids if data_id),
        pruned=Counter(job.label for job in behind if job.state is JobState.PRUNED),
        waiting=sum(job.state is JobState.UNREADY for job in behind),
        gaps=tuple(dict.fromkeys(gap for case in cases for gap in case.gaps)),
    )
    return replace(group, remedies=advise(group))


def _find_children(jobs: Iterable[Job]) -> dict[tuple[str, str], list[Job]]:
    children: dict[tuple[str, str], list[Job]] = {}
    for job in jobs:
        for parent in job.needed_keys:
            children.setdefault(parent, []).append(job)
    return children


def _find_descendants(keys: Sequence[tuple[str, str]], children: _Children) -> list[Job]:
    found: dict[tuple[str, str], Job] = {}
    front = list(keys)
    while front:
        for child in children.get(front.pop(), ()):
            if child.key not in found:
                found[child.key] = child
                front.append(child.key)
    return list(found.values())
