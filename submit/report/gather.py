"""Reading what a report tells: from the ledger, the runs' files, the repository and the APDB."""

__all__ = ["ReportReader", "read_clusters"]

import functools
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from ...apdb import ApdbExplorer, Verification
from ...bps import Campaign, Step
from ...common.errors import ApcampaignError, SubmissionError
from ...common.secrets import redact
from ..ledger import RunRecord, list_chains, list_runs
from ..monitor import CampaignReader, Job, JobState, find_failures
from ..paths import CampaignPaths, ChainPaths
from ..products import PRODUCTS, count_products
from ..quanta import QuantaCount, count_quanta
from ..summary import StepSummary, Summary, summarise, verify_runs
from .catalog import read_catalog
from .figure import Figure
from .model import DiaCatalog, FailureRow, ReportData, StepReport
from .sky import Sky, read_sky
from .tasks import TaskUsage, read_task_usage

_ENDED = (JobState.DONE, JobState.FAILED)


class ReportReader:
    """Reads what a report tells, once or again and again; what cannot change any more is read once.

    Parameters
    ----------
    campaign, paths
        The campaign and its files.
    appendix
        Draws figures of what else the caller knows of the campaign.
    """

    def __init__(
        self,
        campaign: Campaign,
        paths: CampaignPaths,
        appendix: Callable[[Campaign, Sequence[RunRecord]], tuple[Figure, ...]] = lambda *_: (),
    ):
        self._campaign = campaign
        self._paths = paths
        self._appendix = appendix
        self._jobs = CampaignReader(paths)
        self._ended: dict[str, StepReport] = {}
        self._explorers: dict[str, ApdbExplorer] = {}
        self._notes: list[str] = []

    def read(self, *, summary: Summary | None = None) -> ReportData:
        """Read all of it. What cannot be had is noted, and the rest is read all the same.

        Parameters
        ----------
        summary
            What came of a campaign that has ended, where the caller has asked already. The last node of a chain
            gives it: that the chain has not ended then is no more than that node itself.

        Raises
        ------
        SubmissionError
            If no step has a run.
        """
        campaign, paths = self._campaign, self._paths
        records = [runs[-1] for step in Step if (runs := list_runs(paths, step))]
        if not records:
            raise SubmissionError(f"campaign {campaign.name} has no runs in {paths.folder}; submit one first")
        self._notes = []
        now = time.time()
        no_jobs: dict[Step, list[Job]] = {}
        jobs = self._attempt("the jobs", self._jobs.read_jobs, no_jobs)
        status = self._attempt("the state", self._jobs.read, None)
        if status is not None:
            self._notes += [redact(line) for line in status.unknown]
        states = {step.step: step.state for step in status.steps} if status else {}
        over = summary is not None or status is None or not status.going_on
        chain = next(reversed(list_chains(paths)), None)
        known = {step.step: step for step in summary.steps} if summary else {}
        steps = tuple(
            self._step(record, states.get(record.step), known.get(record.step), over=over)
            for record in records
        )
        finished = {step for step, state in states.items() if over or state in _ENDED}
        sky = self._attempt("the sky", lambda: read_sky(campaign, records, ended=finished), Sky())
        catalog, by_visit = self._catalog(records)
        verification, good = self._judge(chain, summary) if over else (None, None)
        appendix = self._attempt("the appendix", lambda: self._appendix(campaign, records), ())
        return ReportData(
            campaign=campaign.name,
            made=now,
            final=over,
            good=good,
            steps=steps,
            jobs=tuple(job for group in jobs.values() for job in group),
            patches=sky.patches,
            templates=sky.templates,
            visits=sky.visits_with(by_visit),
            catalog=catalog,
            failures=self._attempt("the failures", lambda: _failures(jobs), ()),
            verification=verification,
            provenance=_provenance(campaign, paths, records, chain),
            files=_files(campaign, records),
            appendix=appendix,
            notes=tuple(self._notes),
        )

    def _attempt[Result, Other](
        self, what: str, read: Callable[[], Result], otherwise: Other
    ) -> Result | Other:
        """Read something; a report without it is better than none."""
        try:
            return read()
        except ApcampaignError as error:
            self._notes.append(redact(f"{what}: {error}"))
        except Exception as error:
            # Foreign code under it may raise anything.
            first = str(error).splitlines()[0] if str(error) else ""
            self._notes.append(redact(f"{what}: {type(error).__name__}: {first}"))
        return otherwise

    def _judge(
        self, chain: ChainPaths | None, summary: Summary | None
    ) -> tuple[Verification | None, bool | None]:
        """Find what the verification of a campaign that has ended says, and whether all is well."""
        if summary is not None:
            return summary.verification, summary.good
        verification = self._attempt("the verification", self._verify, None)
        good = _read_verdict(chain)
        if good is None:
            ask = functools.partial(summarise, self._campaign, self._paths)
            good = self._attempt("the summary", lambda: ask().good, None)
        return verification, good

    def _step(
        self, record: RunRecord, state: JobState | None, summary: StepSummary | None, *, over: bool
    ) -> StepReport:
        # What a run has made is in the repository when its last job has ended.
        ended = over or state in _ENDED
        if not ended:
            self._ended.pop(record.output_run, None)  # it goes on again
        elif (known := self._ended.get(record.output_run)) is not None:
            return known
        nothing: tuple[dict[str, QuantaCount], dict[str, TaskUsage], int | None] = ({}, {}, None)
        outcomes, tasks, products = nothing
        product = PRODUCTS[record.step]
        what = f"of {record.step}"
        if summary is not None:
            outcomes, products = summary.quanta, summary.products
        elif ended:
            outcomes = self._attempt(f"the quanta {what}", lambda: count_quanta(record), outcomes)
            where = record.butler, record.step, record.output
            products = self._attempt(f"the products {what}", lambda: count_products(*where), products)
        if ended:
            tasks = self._attempt(f"the tasks {what}", lambda: read_task_usage(record), tasks)
        step = StepReport(
            step=record.step,
            timestamp=record.timestamp,
            output_run=record.output_run,
            submit_dir=record.submit_dir,
            state=None if state is None else str(state),
            jobs=record.jobs,
            quanta=record.quanta,
            outcomes=outcomes,
            product=product,
            products=products,
            clusters=self._attempt(f"the config of {record.step}", lambda: read_clusters(record), {}),
            tasks=tasks,
        )
        if ended and outcomes:
            self._ended[record.output_run] = step
        return step

    def _catalog(self, records: Iterable[RunRecord]) -> tuple[DiaCatalog | None, Mapping[int, int]]:
        nothing: tuple[DiaCatalog | None, Mapping[int, int]] = (None, {})
        config = next((record.apdb_config for record in records if record.apdb_config), None)
        if config is None:
            return nothing

        def read() -> tuple[DiaCatalog | None, Mapping[int, int]]:
            if config not in self._explorers:
                self._explorers[config] = ApdbExplorer(config)
            return read_catalog(config, self._explorers[config])

        return self._attempt("the APDB", read, nothing)

    def _verify(self) -> Verification | None:
        runs = list_runs(self._paths, Step.DIFFIM)
        return verify_runs(runs) if runs else None


def _failures(jobs: Mapping[Step, list[Job]]) -> tuple[FailureRow, ...]:
    found = find_failures(jobs)
    return tuple(
        FailureRow(
            step=str(group.step),
            label=group.label,
            state=" and ".join(map(str, group.jobs)) if kind == "failed" else "tried again",
            cause=redact(group.cause.what),
            jobs=group.count,
            pruned=sum(group.pruned.values()),
            hosts=tuple(group.hosts),
            example=group.example,
            log=str(group.log or ""),
            lines=tuple(redact(line) for line in group.cause.lines),
            advice=tuple(redact(line) for line in group.advice),
        )
        for kind, groups in (("failed", found.groups), ("retried", found.retried))
        for group in groups
    )


def read_clusters(record: RunRecord) -> dict[str, tuple[str, ...]]:
    """Read which tasks the clusters of a run are made of, from its BPS config."""
    config = yaml.safe_load(Path(record.config).read_text(encoding="utf-8"))
    clusters: Mapping[str, Any] = config.get("cluster") or {}
    return {
        label: tuple(str(section.get("pipetasks", "")).replace(",", " ").split())
        for label, section in clusters.items()
    }


def _read_verdict(chain: ChainPaths | None) -> bool | None:
    """Read whether a chain's summary says that all is well."""
    if chain is None or not chain.summary.exists():
        return None
    return bool(json.loads(chain.summary.read_text(encoding="utf-8"))["good"])


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
