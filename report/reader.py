"""Reader of a report's content: from the ledger, the runs' files, the repository and the APDB."""

__all__ = ["Appendix", "ReportReader", "Truth"]

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from ..apdb import ApdbExplorer, Verification
from ..bps import CampaignConfig, Step
from ..common.butler import reuse_butlers
from ..common.errors import ApcampaignError
from ..common.explain import explain_briefly
from ..common.progress import show_progress
from ..common.secrets import redact
from ..ledger import Ledger, RunRecord, Workspace, newest_of
from ..monitor import CampaignReader
from ..monitor.campaign_summary import CampaignSummary, StepSummary
from ..monitor.outcomes import (
    PRODUCTS,
    QuantaCount,
    TaskUsage,
    count_products,
    count_quanta,
    read_clusters,
    read_task_usage,
)
from ..monitor.status import RunState, StepStatus
from ..monitor.submitted import find_filled_apdb, read_submitted_campaign
from ..monitor.summary import summarise, verify_runs
from .apdb_content import read_catalog
from .cutouts import Cutout, CutoutReader
from .failure_rows import list_failures
from .figure import Figure
from .figure_completeness import draw_found
from .model import ReportData, RunReport, StepReport
from .provenance import list_files, list_provenance
from .quality import QualityReader
from .sky import Sky, read_sky
from .sky_model import DiaCatalog, TruePoint

#: Draws figures of what else the caller knows of a campaign, from its settings and its APDB's configuration.
Appendix = Callable[[CampaignConfig, str | None], tuple[Figure, ...]]

#: Finds the true light curves of DiaObjects on a simulated sky, from the campaign's settings and its APDB's
#: configuration; of those that are known.
Truth = Callable[[CampaignConfig, str, Collection[int]], Mapping[int, Sequence[TruePoint]]]

_ENDED = (RunState.DONE, RunState.FAILED, RunState.INTERRUPTED, RunState.UNSUBMITTED)


class ReportReader:
    """Reads the content of a report, once or repeatedly; what cannot change any more is read once.

    Parameters
    ----------
    workspace
        The campaign.
    appendix
        Draws more figures.
    truth
        Finds true light curves.
    run
        The name of the run that it is about (see `Ledger.find`); by default those that count.
    """

    def __init__(
        self,
        workspace: Workspace,
        appendix: Appendix | None = None,
        truth: Truth | None = None,
        run: str | None = None,
    ):
        self._workspace = workspace
        self._run = run
        self._truth = truth
        self._appendix: Appendix = appendix or (lambda *_: ())
        self._jobs = CampaignReader(workspace.paths, run)
        self._ended: dict[tuple[str, ...], StepReport] = {}
        self._explorers: dict[str, ApdbExplorer] = {}
        self._quality = QualityReader()
        self._cutouts = CutoutReader()
        self._notes: list[str] = []
        self._unread: set[str] = set()

    @reuse_butlers()
    def read(self, *, summary: CampaignSummary | None = None) -> ReportData:
        """Read all of it. What cannot be read is noted, and the rest is read all the same.

        Parameters
        ----------
        summary
            The results of a campaign that has ended, where the caller has them already. The last node of a
            campaign DAG gives them: the DAG is then active only because of that node.

        Raises
        ------
        LedgerError
            If the campaign has no runs.
        """
        workspace = self._workspace
        ledger = workspace.read_ledger().choose(self._run)
        records = ledger.require_current()
        self._notes, self._unread = [], set()
        now = time.time()
        status = self._attempt("the jobs", self._jobs.read, None)
        self._notes += [redact(line) for line in status.unknown] if status else []
        over = summary is not None or status is None or not status.active
        if over and summary is None:
            summary = self._attempt("the summary", lambda: summarise(workspace, ledger), None)
        campaign = self._attempt(
            "the campaign as it was submitted",
            lambda: read_submitted_campaign(workspace, newest_of(records)),
            workspace.campaign,
        )
        states = {step.step: step for step in status.steps} if status else {}
        finished = {step for step in Step if over or (step in states and states[step].state in _ENDED)}
        apdb_config = find_filled_apdb(records)
        earlier = [run for run in ledger.same_apdb(apdb_config) if run not in records] if apdb_config else []
        sky = self._attempt(
            "the sky", lambda: read_sky(workspace, records, ended=finished, earlier=earlier), Sky()
        )
        catalog = self._catalog(campaign, apdb_config)
        visits = sky.visits_with(catalog.by_visit if catalog else {})
        quality = self._attempt(
            "the quality of the visits",
            lambda: self._quality.read(records, campaign.instrument, visits) if visits else None,
            None,
        )
        cutouts = self._read_cutouts(records, campaign, catalog) if Step.DIFFIM in finished else ()
        steps = self._steps(records, states, summary, finished)
        return ReportData(
            campaign=workspace.campaign.name,
            made=now,
            final=over,
            good=summary.good if summary else None,
            steps=steps,
            jobs=status.jobs if status else (),
            patches=sky.patches,
            templates=sky.templates,
            visits=visits,
            exposed=sky.exposed,
            quality=quality,
            catalog=catalog,
            cutouts=cutouts,
            failures=self._attempt("the failures", lambda: list_failures(status), ()),
            verification=self._verify(ledger, summary) if over else None,
            left_images=len(summary.left.images) if summary else 0,
            left_quanta=len(summary.left.quanta) if summary else 0,
            provenance=list_provenance(campaign, ledger, records),
            files=list_files(campaign, workspace.paths, records),
            appendix=(
                *self._attempt(
                    "the injected sources", lambda: draw_found(workspace, ledger, apdb_config), ()
                ),
                *self._attempt("the appendix", lambda: self._appendix(campaign, apdb_config), ()),
            ),
            notes=tuple(self._notes),
            unread=frozenset(self._unread),
        )

    def _attempt[Result, Other](
        self, what: str, read: Callable[[], Result], otherwise: Other
    ) -> Result | Other:
        """Read something; a report without it is better than none."""
        try:
            with show_progress(f"reading {what}"):
                return read()
        except ApcampaignError as error:
            reason = str(error)
        except Exception as error:
            # Foreign code under it may raise anything.
            reason = explain_briefly(error)
        self._notes.append(redact(f"{what}: {reason}"))
        self._unread.add(what)
        return otherwise

    def _steps(
        self,
        records: Sequence[RunRecord],
        states: Mapping[Step, StepStatus],
        summary: CampaignSummary | None,
        finished: Iterable[Step],
    ) -> tuple[StepReport, ...]:
        results = {step.step: step for step in summary.steps} if summary else {}
        steps = []
        for step in Step:
            if runs := tuple(record for record in records if record.step is step):
                key = tuple(run.output_run for run in runs)
                if step not in finished:
                    self._ended.pop(key, None)  # it is active again
                    steps.append(self._step(step, runs, states.get(step), None, ended=False))
                elif key in self._ended:
                    steps.append(self._ended[key])
                else:
                    report = self._step(step, runs, states.get(step), results.get(step), ended=True)
                    steps.append(report)
                    if report.outcomes:
                        self._ended[key] = report
        return tuple(steps)

    def _step(
        self,
        step: Step,
        runs: Sequence[RunRecord],
        status: StepStatus | None,
        summary: StepSummary | None,
        *,
        ended: bool,
    ) -> StepReport:
        outcomes: dict[str, QuantaCount] = {}
        tasks: dict[str, TaskUsage] = {}
        products: int | None = None
        # What a run has made is in the repository when its last job has ended.
        if summary is not None:
            outcomes, products = summary.quanta, summary.products
        elif ended:
            outcomes = self._attempt(f"the quanta of {step}", lambda: count_quanta(runs), outcomes)
            products = self._attempt(f"the products of {step}", lambda: count_products(runs)[step], None)
        if ended:
            tasks = self._attempt(f"the tasks of {step}", lambda: read_task_usage(runs), tasks)
        clusters = [
            self._attempt(f"the config of {run.output_run}", partial(read_clusters, run), {}) for run in runs
        ]
        states = {run.output_run: str(run.state) for run in status.runs} if status else {}
        return StepReport(
            step=step,
            runs=tuple(RunReport(run.output_run, states.get(run.output_run)) for run in runs),
            state=str(status.state) if status else None,
            jobs=_add_up(run.jobs for run in runs),
            quanta=_add_up(run.quanta for run in runs),
            outcomes=outcomes,
            product=PRODUCTS[step],
            products=products,
            clusters={label: tasks for found in clusters for label, tasks in found.items()},
            tasks=tasks,
        )

    def _catalog(self, campaign: CampaignConfig, config: str | None) -> DiaCatalog | None:
        if config is None:
            return None

        def read() -> DiaCatalog:
            if config not in self._explorers:
                self._explorers[config] = ApdbExplorer(config)
            return read_catalog(config, self._explorers[config])

        catalog = self._attempt("the APDB", read, None)
        if catalog is None or self._truth is None or not catalog.light_curves:
            return catalog
        find, ids = self._truth, [curve.dia_object for curve in catalog.light_curves]
        true = self._attempt("the true light curves", lambda: find(campaign, config, ids), {})
        curves = (
            replace(curve, truth=tuple(true.get(curve.dia_object, ()))) for curve in catalog.light_curves
        )
        return replace(catalog, light_curves=tuple(curves))

    def _read_cutouts(
        self, records: Sequence[RunRecord], campaign: CampaignConfig, catalog: DiaCatalog | None
    ) -> tuple[Cutout, ...]:
        """Read the cutouts of difference imaging that has ended: before, the repository lacks its images."""
        if catalog is None or not any(catalog.notable.values()):
            return ()
        runs = [record for record in records if record.step is Step.DIFFIM]
        cutouts, skipped = self._attempt(
            "the cutouts", lambda: self._cutouts.read(runs, campaign.instrument, catalog.notable), ((), "")
        )
        if skipped:
            self._notes.append(skipped)
        return cutouts

    def _verify(self, ledger: Ledger, summary: CampaignSummary | None) -> Verification | None:
        if summary is not None:
            return summary.verification
        others = self._workspace.campaign.apdb.filled
        return self._attempt("the verification", lambda: verify_runs(ledger, others=others), None)


def _add_up(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return dict(total)
