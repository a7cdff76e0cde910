"""Learning from earlier runs: what they took is remembered beside them, and read for the next."""

__all__ = ["learn", "remember_costs"]

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from ...bps import Step
from ...common.errors import ApcampaignError, SubmissionError
from ...common.files import write_atomically
from ..ledger import RunRecord, read_run
from ..monitor import Ending, Job, read_jobs
from ..paths import CampaignPaths, RunPaths
from ..report.gather import read_clusters
from ..report.tasks import TaskUsage, read_task_usage
from .costs import Costs, TaskCost

_MIB = 1024**2
#: So many files of each dataset type are looked at for their size.
_SAMPLE = 20
#: Earlier runs without a page, of which no more than so many are measured when they are asked for.
_MOST_MEASURED = 2


def learn(paths: CampaignPaths, step: Step) -> Costs:
    """Read what the runs of a step took, of this campaign and of those beside it. Changes nothing.

    Parameters
    ----------
    paths
        The campaign's files.
    step
        The step.

    Returns
    -------
    costs
        Of each task what the newest run took that has done some of it; this campaign's own before others.
    """
    own = paths.folder
    pages = [
        page for page in paths.runs.resolve().glob(f"*/{step}/*/run.yaml") if page.parent.parent.parent == own
    ]
    others = [page for page in paths.runs.resolve().glob(f"*/{step}/*/run.yaml") if page not in pages]
    newest = [*_newest_first(pages), *_newest_first(others)]
    tasks: dict[str, TaskCost] = {}
    datasets: dict[str, float] = {}
    overhead: tuple[float, str] | None = None
    measured = 0
    for page in newest:
        run = RunPaths(page.parent)
        if not run.costs.exists():
            if measured >= _MOST_MEASURED:
                continue
            measured += 1
        try:
            content = _read(run) if run.costs.exists() else measure_costs(run)
        except ApcampaignError:
            continue  # its repository may be gone; there are others, and guesses
        source = str(content["run"])
        for label, values in content["tasks"].items():
            tasks.setdefault(label, TaskCost(values["seconds"], source))
        for name, size in content["datasets"].items():
            datasets.setdefault(name, size)
        if overhead is None and content["overhead"] is not None:
            overhead = (content["overhead"], source)
    return Costs(tasks, datasets, *overhead) if overhead else Costs(tasks, datasets)


def remember_costs(records: Iterable[RunRecord], paths: CampaignPaths) -> None:
    """Leave beside runs that have ended what they took.

    Raises
    ------
    SubmissionError
        If a run or its outputs cannot be read.
    """
    for record in records:
        run = RunPaths(paths.step(record.step) / record.timestamp)
        write_atomically(run.costs, json.dumps(measure_costs(run), indent=2) + "\n")


def measure_costs(run: RunPaths) -> dict[str, Any]:
    """Measure what a run took.

    Returns
    -------
    content
        ``run``; ``tasks`` by label, each with ``quanta`` and the ``seconds`` of one on average; ``datasets``: MiB
        of one on average, by type; ``overhead``: seconds of a job beside its quanta.

    Raises
    ------
    SubmissionError
        If it cannot be read.
    """
    record = read_run(run)
    usage = read_task_usage(record)
    tasks = {
        label: {"quanta": each.quanta, "seconds": round(each.seconds.mean, 3)}
        for label, each in usage.items()
    }
    overhead = _overhead(read_jobs(run), usage, read_clusters(record))
    return {
        "run": record.output_run,
        "tasks": tasks,
        "datasets": _measure_datasets(record),
        "overhead": None if overhead is None else round(overhead, 3),
    }


def _newest_first(pages: Iterable[Path]) -> list[Path]:
    return sorted(pages, key=lambda page: page.parent.name, reverse=True)


def _read(run: RunPaths) -> Mapping[str, Any]:
    try:
        content: dict[str, Any] = json.loads(run.costs.read_bytes())
        content["tasks"], content["datasets"], content["overhead"], content["run"]
    except (OSError, ValueError, KeyError) as error:
        raise SubmissionError(f"{run.costs} cannot be read: {error}") from error
    return content


def _overhead(
    jobs: Sequence[Job], usage: Mapping[str, TaskUsage], clusters: Mapping[str, Sequence[str]]
) -> float | None:
    """Average what jobs took beside their quanta."""
    beside = []
    for job in jobs:
        quanta = job.quanta or dict.fromkeys(clusters.get(job.label, (job.label,)), 1)
        known = [usage[label].seconds.mean * count for label, count in quanta.items() if label in usage]
        for attempt in job.attempts:
            if attempt.ending is Ending.DONE and known and attempt.wall_seconds is not None:
                beside.append(max(0.0, attempt.wall_seconds - sum(known)))
    return mean(beside) if beside else None


def _measure_datasets(record: RunRecord) -> dict[str, float]:
    """Average the MiB of a dataset of each type that a run has made, from a sample of their files."""
    from lsst.daf.butler import Butler, MissingCollectionError

    sizes: dict[str, float] = {}
    try:
        with Butler.from_config(record.butler) as butler:
            info = butler.collections.get_info(record.output_run, include_summary=True)
            for name in sorted(info.dataset_types or ()):
                refs = butler.query_datasets(name, collections=record.output_run, limit=None, explain=False)
                found = butler.get_many_uris(refs[:: max(1, len(refs) // _SAMPLE)], allow_missing=True)
                each = [uri.primaryURI.size() for uri in found.values() if uri.primaryURI is not None]
                if each:
                    sizes[name] = round(mean(each) / _MIB, 4)
    except MissingCollectionError:
        return {}
    except Exception as error:
        raise SubmissionError(
            f"the sizes of the outputs of run {record.output_run} cannot be read from {record.butler}: "
            f"{type(error).__name__}: {error}"
        ) from error
    return sizes
