"""Everything a report tells, from the ledger, the runs' files, the repository and the APDB."""

__all__ = ["gather_report", "read_clusters"]

import functools
import json
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from ...apdb import Verification
from ...bps import Campaign, Step
from ...common.errors import ApcampaignError, SubmissionError
from ...common.secrets import redact
from ..ledger import RunRecord, list_chains, list_runs
from ..monitor import Job, JobState, read_jobs
from ..paths import CampaignPaths, ChainPaths, RunPaths
from ..quanta import QuantaCount, count_quanta
from ..stages import run_state
from ..summary import PRODUCTS, verify_runs
from .catalog import read_catalog
from .model import DiaCatalog, FailureRow, ReportData, StepReport
from .sky import Sky, read_sky
from .tasks import read_task_usage

#: BPS's states of a run that will not change any more.
_ENDED = {"SUCCEEDED", "FAILED", "DELETED", "PRUNED"}
#: Jobs that may still do something.
_ALIVE = {JobState.RUNNING, JobState.IDLE, JobState.HELD}


class _Gatherer:
    """Tries one thing after another, and notes what could not be had."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def attempt[Result, Other](
        self, what: str, read: Callable[[], Result], otherwise: Other
    ) -> Result | Other:
        """Read something; a report without it is better than none."""
        try:
            return read()
        except ApcampaignError as error:
            self.notes.append(redact(f"{what}: {error}"))
        except Exception as error:
            # Foreign code under it may raise anything.
            first = str(error).splitlines()[0] if str(error) else ""
            self.notes.append(redact(f"{what}: {type(error).__name__}: {first}"))
        return otherwise


def gather_report(campaign: Campaign, paths: CampaignPaths, *, ended: bool | None = None) -> ReportData:
    """Gather what there is to tell of a campaign's newest runs.

    Parameters
    ----------
    campaign, paths
        The campaign and its files.
    ended
        Whether the campaign has ended, where the caller knows better than the files: the last node of a chain
        is a part of what it tells of.

    Raises
    ------
    SubmissionError
        If no step has a run.
    """
    records = [runs[-1] for step in Step if (runs := list_runs(paths, step))]
    if not records:
        raise SubmissionError(f"campaign {campaign.name} has no runs in {paths.folder}; submit one first")
    gatherer = _Gatherer()
    now = time.time()
    jobs: dict[Step, list[Job]] = {}
    states: dict[Step, str | None] = {}
    for record in records:
        read = functools.partial(read_jobs, _paths(paths, record))
        jobs[record.step] = gatherer.attempt(f"the jobs of {record.step}", read, [])
        ask = functools.partial(run_state, record)
        states[record.step] = gatherer.attempt(f"the state of {record.step}", ask, None)
    chain = next(reversed(list_chains(paths)), None)
    over = _is_over(records, states, jobs, chain) if ended is None else ended
    steps = tuple(
        _step(gatherer, record, states[record.step], jobs[record.step], over=over) for record in records
    )
    summary = _read_summary(chain) if over else {}
    sky = gatherer.attempt("the sky", lambda: read_sky(campaign, records, ended=over), Sky())
    apdb_config = next((record.apdb_config for record in records if record.apdb_config), None)
    nothing: tuple[DiaCatalog | None, Mapping[int, int]] = (None, {})
    catalog, by_visit = (
        gatherer.attempt("the APDB", functools.partial(read_catalog, apdb_config), nothing)
        if apdb_config
        else nothing
    )
    verification = gatherer.attempt("the verification", lambda: _verify(paths), None) if over else None
    return ReportData(
        campaign=campaign.name,
        made=now,
        final=over,
        good=summary.get("good", _is_good(steps, verification)) if over else None,
        steps=steps,
        jobs=tuple(job for group in jobs.values() for job in group),
        patches=sky.patches,
        templates=sky.templates,
        visits=sky.visits_with(by_visit),
        catalog=catalog,
        failures=gatherer.attempt("the failures", lambda: _failures(paths, records, jobs), ()),
        verification=verification,
        provenance=_provenance(campaign, paths, records, chain),
        files=_files(campaign, records),
        notes=tuple(gatherer.notes),
    )


def _is_good(steps: Iterable[StepReport], verification: Verification | None) -> bool:
    steps = tuple(steps)
    return (
        {step.step for step in steps} == set(Step)
        and all(step.outcomes and all(count.good for count in step.outcomes.values()) for step in steps)
        and verification is not None
        and verification.good
    )


def _verify(paths: CampaignPaths) -> Verification | None:
    runs = list_runs(paths, Step.DIFFIM)
    return verify_runs(runs) if runs else None


def _failures(
    paths: CampaignPaths, records: Iterable[RunRecord], jobs: Mapping[Step, list[Job]]
) -> tuple[FailureRow, ...]:
    return ()


def _paths(paths: CampaignPaths, record: RunRecord) -> RunPaths:
    return RunPaths(paths.step(record.step) / record.timestamp)


def _is_over(
    records: Iterable[RunRecord],
    states: Mapping[Step, str | None],
    jobs: Mapping[Step, list[Job]],
    chain: ChainPaths | None,
) -> bool:
    """Tell whether nothing will change any more."""
    records = list(records)
    if chain is not None and chain.folder.name == max(record.timestamp for record in records):
        return chain.metrics.exists()
    return all(
        states[record.step] in _ENDED
        or (states[record.step] is None and not any(job.state in _ALIVE for job in jobs[record.step]))
        for record in records
    )


def _step(
    gatherer: _Gatherer, record: RunRecord, state: str | None, jobs: Iterable[Job], *, over: bool
) -> StepReport:
    ended = over or state in _ENDED
    nothing: dict[str, QuantaCount] = {}
    outcomes = (
        gatherer.attempt(f"the quanta of {record.step}", lambda: count_quanta(record), nothing)
        if ended
        else nothing
    )
    product = PRODUCTS[record.step]
    products = (
        gatherer.attempt(f"the products of {record.step}", lambda: _count_products(record, product), None)
        if ended
        else None
    )
    return StepReport(
        step=record.step,
        timestamp=record.timestamp,
        output_run=record.output_run,
        submit_dir=record.submit_dir,
        state=state,
        jobs=record.jobs,
        quanta=record.quanta,
        outcomes=outcomes,
        product=product,
        products=products,
        clusters=gatherer.attempt(f"the config of {record.step}", lambda: read_clusters(record), {}),
        tasks=gatherer.attempt(f"the tasks of {record.step}", lambda: read_task_usage(record), {})
        if ended
        else {},
    )


def _count_products(record: RunRecord, product: str) -> int:
    from lsst.daf.butler import Butler, MissingCollectionError, MissingDatasetTypeError

    with Butler.from_config(record.butler) as butler:
        try:
            return len(
                butler.query_datasets(product, collections=record.output_run, limit=None, explain=False)
            )
        except (MissingCollectionError, MissingDatasetTypeError):
            return 0


def read_clusters(record: RunRecord) -> dict[str, tuple[str, ...]]:
    """Read which tasks the clusters of a run are made of, from its BPS config."""
    config = yaml.safe_load(Path(record.config).read_text(encoding="utf-8"))
    clusters: Mapping[str, Any] = config.get("cluster") or {}
    return {
        label: tuple(str(section.get("pipetasks", "")).replace(",", " ").split())
        for label, section in clusters.items()
    }


def _read_summary(chain: ChainPaths | None) -> dict[str, Any]:
    if chain is None or not chain.summary.exists():
        return {}
    content: dict[str, Any] = json.loads(chain.summary.read_text(encoding="utf-8"))
    return content


def _provenance(
    campaign: Campaign, paths: CampaignPaths, records: Iterable[RunRecord], chain: ChainPaths | None
) -> dict[str, dict[str, str]]:
    shown: dict[str, dict[str, str]] = {
        "Campaign": {
            "name": campaign.name,
            "operator": campaign.operator,
            "repository": campaign.butler,
            "instrument": campaign.instrument,
            "sky map": campaign.skymap,
            "tracts": ", ".join(map(str, campaign.tracts)),
            "bands": ", ".join(campaign.bands or ("all",)),
            "site": campaign.site,
            "files": str(paths.folder),
        }
    }
    if chain is not None:
        shown["Campaign"]["chain"] = str(chain.folder)
    newest = None
    for record in records:
        newest = record
        shown[f"Run: {record.step}"] = {
            "inputs": ", ".join(record.inputs),
            "output": record.output,
            "RUN collection": record.output_run,
            "submit directory": record.submit_dir,
            "quantum graph": record.graph,
            "workload manager": record.wms_service,
            **({"id": record.wms_id} if record.wms_id else {}),
            **({"APDB": record.apdb_config} if record.apdb_config else {}),
        }
    if newest is not None:
        shown["Versions"] = dict(newest.versions)
    return shown


def _files(campaign: Campaign, records: Iterable[RunRecord]) -> dict[str, str]:
    frozen = campaign.model_dump(mode="json", by_alias=True, exclude_none=True)
    shown = {"The campaign, with everything that overrode its file": yaml.safe_dump(frozen, sort_keys=False)}
    for record in records:
        path = Path(record.config)
        if path.exists():
            shown[f"BPS config of {record.step}"] = redact(path.read_text(encoding="utf-8"))
    return shown
