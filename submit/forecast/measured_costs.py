"""Measured costs of runs, recorded in their folders and read for the forecasts of later runs."""

__all__ = ["load_costs", "measure_pause", "record_costs"]

import contextlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import mean
from typing import Any, Self

from ...bps import Step
from ...common.butler import open_butler, query_run
from ...common.errors import ApcampaignError, LedgerError
from ...common.files import write_atomically
from ...common.reading import read_bytes
from ...ledger import CampaignPaths, RunPaths, RunRecord, read_run
from ...monitor import AttemptOutcome, Job, read_jobs
from ...monitor.outcomes import TaskUsage, read_clusters, read_task_usage
from .costs import Costs, TaskCost

_MIB = 1024**2
#: The number of files of each dataset type whose sizes are read: a mean to some percent is enough here, and each
#: takes a request to the file system.
_SAMPLE = 20
#: By default HTCondor assigns slots every 60 s at the latest.
_LONGEST_PAUSE = 60.0
#: The number of runs without recorded costs that are measured when they are asked for: each takes seconds.
_MOST_MEASURED = 2


@dataclass(frozen=True, kw_only=True)
class _RunCosts:
    """What one run took.

    Parameters
    ----------
    run
        Its RUN collection.
    tasks
        The number of quanta and the mean seconds of one, by task.
    datasets
        The mean MiB of a dataset, by type.
    overhead
        Seconds of a job besides its quanta; `None` if it could not be measured.
    pause
        The most seconds between jobs that wait for each other; `None` if it could not be measured.
    """

    run: str
    tasks: Mapping[str, tuple[int, float]]
    datasets: Mapping[str, float]
    overhead: float | None
    pause: float | None = None

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        return cls(
            run=str(content["run"]),
            tasks={
                label: (each["quanta"], each["seconds"])
                for label, each in content["tasks"].items()
                if each["quanta"]
            },
            datasets=content["datasets"],
            overhead=content["overhead"],
            pause=content.get("pause"),  # earlier versions did not measure it
        )

    def as_dict(self) -> dict[str, Any]:
        return {
            "run": self.run,
            "tasks": {
                label: {"quanta": quanta, "seconds": round(seconds, 3)}
                for label, (quanta, seconds) in self.tasks.items()
            },
            "datasets": dict(self.datasets),
            "overhead": None if self.overhead is None else round(self.overhead, 3),
            "pause": None if self.pause is None else round(self.pause, 3),
        }


def load_costs(paths: CampaignPaths, step: Step) -> Costs:
    """Read what the runs of a step took, of this campaign and of those in the same folder. Changes nothing.

    Parameters
    ----------
    paths
        The campaign's files.
    step
        The step.

    Returns
    -------
    costs
        Of each task what the newest run of each part of the step took that has done some of it; where this
        campaign has none, what the newest run of another campaign took.
    """
    # Campaigns of others that cannot be read are none to learn from.
    runs = [RunPaths(record.parent) for record in paths.runs.resolve().glob(f"*/{step}/*/run.yaml")]
    # The campaign's own first, then the newest first: its folder begins with the time.
    runs.sort(key=lambda run: (run.folder.parent == paths.step(step), run.folder.name), reverse=True)
    unmeasured = [run for run in runs if not run.costs.exists()][_MOST_MEASURED:]
    parts: dict[str, list[_RunCosts]] = defaultdict(list)
    others: list[_RunCosts] = []
    for run in runs:
        if run in unmeasured:
            continue
        try:
            record = read_run(run)
            costs = _read(run) if run.costs.exists() else _measure(run, record)
        except ApcampaignError:
            continue  # its repository may be gone; there are other runs, and guesses
        own = run.folder.parent == paths.step(step)
        (parts[record.part] if own else others).append(costs)
    return _combine(list(parts.values()), others)


def record_costs(records: Iterable[RunRecord], paths: CampaignPaths) -> None:
    """Record in the folders of runs that have ended what they took.

    Parameters
    ----------
    records
        The runs.
    paths
        The campaign's files.

    Raises
    ------
    ApcampaignError
        If a run or its outputs cannot be read.
    """
    for record in records:
        run = paths.run(record)
        write_atomically(run.costs, json.dumps(_measure(run, record).as_dict(), indent=2) + "\n")


def _combine(parts: Sequence[Sequence[_RunCosts]], others: Sequence[_RunCosts]) -> Costs:
    """Average over the parts of a step, each a list with the newest run first."""
    tasks = {}
    for label, measured in _find_newest(parts, others, lambda run: run.tasks).items():
        quanta = sum(count for _, (count, _) in measured)
        seconds = sum(count * mean_seconds for _, (count, mean_seconds) in measured) / quanta
        tasks[label] = TaskCost(seconds, tuple(run for run, _ in measured))
    sizes = _find_newest(parts, others, lambda run: run.datasets)
    datasets = {name: mean(size for _, size in measured) for name, measured in sizes.items()}
    costs = Costs(tasks=tasks, datasets=datasets)
    jobs = _find_newest(
        parts,
        others,
        lambda run: {
            name: value
            for name, value in (("overhead", run.overhead), ("pause", run.pause))
            if value is not None
        },
    )
    if known := jobs.get("overhead"):
        sources = tuple(run for run, _ in known)
        costs = replace(costs, overhead=mean(seconds for _, seconds in known), sources=sources)
    if known := jobs.get("pause"):
        costs = replace(costs, pause=max(seconds for _, seconds in known))
    return costs


def _find_newest[Value](
    parts: Sequence[Sequence[_RunCosts]],
    others: Sequence[_RunCosts],
    read: Callable[[_RunCosts], Mapping[str, Value]],
) -> dict[str, list[tuple[str, Value]]]:
    """Find by key the value of the newest run of each part, or else of the newest other run, and its RUN."""
    found: dict[str, list[tuple[str, Value]]] = defaultdict(list)
    for part in parts:
        newest: dict[str, tuple[str, Value]] = {}
        for run in part:
            for key, value in read(run).items():
                newest.setdefault(key, (run.run, value))
        for key, pair in newest.items():
            found[key].append(pair)
    for run in others:
        for key, value in read(run).items():
            if key not in found:
                found[key] = [(run.run, value)]
    return found


def _read(run: RunPaths) -> _RunCosts:
    try:
        return _RunCosts.from_dict(json.loads(read_bytes(run.costs)))
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise LedgerError(f"{run.costs} cannot be read: {type(error).__name__}: {error}") from error


def _measure(run: RunPaths, record: RunRecord) -> _RunCosts:
    usage = read_task_usage([record])
    jobs = read_jobs(run)
    return _RunCosts(
        run=record.output_run,
        tasks={label: (each.quanta, each.seconds.mean) for label, each in usage.items()},
        datasets=_measure_datasets(record),
        overhead=_measure_overhead(jobs, usage, read_clusters(record)),
        pause=measure_pause(jobs),
    )


def _measure_overhead(
    jobs: Sequence[Job], usage: Mapping[str, TaskUsage], clusters: Mapping[str, Sequence[str]]
) -> float | None:
    """Average what jobs took besides their quanta."""
    overheads = []
    for job in jobs:
        quanta = job.quanta or dict.fromkeys(clusters.get(job.label, (job.label,)), 1)
        known = [usage[label].seconds.mean * count for label, count in quanta.items() if label in usage]
        for attempt in job.attempts:
            if attempt.outcome is AttemptOutcome.DONE and known and attempt.wall_seconds is not None:
                overheads.append(max(0.0, attempt.wall_seconds - sum(known)))
    return mean(overheads) if overheads else None


def measure_pause(jobs: Iterable[Job]) -> float | None:
    """Find the longest time, between the first job and the last, in which no job was running.

    The batch system then had free slots, and jobs that waited for others that had ended: so long it took to submit
    them and to assign slots to them. Longer ones than `_LONGEST_PAUSE` have other reasons. `None` if there was no
    such time.
    """
    spans = sorted(
        (attempt.started, attempt.ended)
        for job in jobs
        for attempt in job.attempts
        if attempt.started is not None and attempt.ended is not None
    )
    pauses = []
    latest = spans[0][0] if spans else 0.0
    for started, ended in spans:
        if started > latest:
            pauses.append(started - latest)
        latest = max(latest, ended)
    return min(_LONGEST_PAUSE, max(pauses)) if pauses else None


def _measure_datasets(record: RunRecord) -> dict[str, float]:
    """Average the MiB of a dataset of each type that a run has made, from a sample of their files."""
    from lsst.daf.butler import MissingCollectionError

    sizes: dict[str, float] = {}
    purpose = f"the sizes of the outputs of run {record.output_run} cannot be read from {record.butler}"
    with open_butler(record.butler, purpose) as butler:
        samples: dict[str, list[Any]] = {}
        with contextlib.suppress(MissingCollectionError):
            for name, refs in query_run(butler, record.output_run):
                samples[name] = refs[:: max(1, len(refs) // _SAMPLE)]
        found = butler.get_many_uris([ref for refs in samples.values() for ref in refs], allow_missing=True)
        for name, refs in samples.items():
            uris = [found[ref].primaryURI for ref in refs if ref in found]
            if each := [uri.size() for uri in uris if uri is not None]:
                sizes[name] = round(mean(each) / _MIB, 4)
    return sizes
