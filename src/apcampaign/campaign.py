"""`Campaign`, the Python API: everything that the commands do with one campaign, returned as values."""

__all__ = ["Campaign"]

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from .apdb import ApdbCreated, InitPlan
    from .bps import CampaignConfig
    from .bps.lint import Finding
    from .campaign_apdb import CampaignApdb
    from .ledger import Ledger, RunRecord, Workspace
    from .lifecycle.adoption import AdoptionPlan
    from .lifecycle.archive import Archive
    from .lifecycle.retirement import RetirementPlan
    from .lifecycle.start_over import StartOverPlan
    from .monitor import CampaignStatus, Failures
    from .monitor.campaign_summary import CampaignSummary
    from .report import Appendix, Completeness, ReportData, Truth
    from .report.comparison import Comparison, Scorer, Tolerances
    from .submit.cancel import CancelPlan
    from .submit.doctor import DoctorPlan
    from .submit.executors import Submission
    from .submit.forecast import Forecast
    from .submit.preflight import Inspection, Preflight
    from .submit.resume import ResumePlan
    from .submit.submission import SubmissionPlan

type StepName = Literal["templates", "diffim"]


class Campaign:
    """One alert production campaign.

    Open one with `Campaign.open`. What is asked is read anew each time; nothing is kept, so several may be
    open for one campaign, here and elsewhere.

    Parameters
    ----------
    workspace
        The campaign and its files.

    Notes
    -----
    Errors that the user can act on are subclasses of `apcampaign.common.errors.ApcampaignError`, with the
    attributes ``what``, ``expected`` and ``remedy``. What is being done is logged under the name ``apcampaign``.
    """

    def __init__(self, workspace: "Workspace"):
        self._workspace = workspace

    @classmethod
    def open(
        cls,
        file: str | Path = "campaign.yaml",
        *,
        runs: str | Path = "runs",
        butler: str | None = None,
        tracts: Sequence[int] | str | None = None,
        bands: Sequence[str] | str | None = None,
        day_obs: Sequence[int] | int | str | None = None,
        site: str | None = None,
        namespace: str | None = None,
        allow_missing_templates: float | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> "Campaign":
        """Open a campaign.

        Parameters
        ----------
        file
            The campaign file.
        runs
            The folder of all campaigns' runs.
        butler, tracts, bands, day_obs, site, namespace, allow_missing_templates
            What overrides the file; ``day_obs`` as YYYYMMDD or ranges of such,
            ``allow_missing_templates`` in percent.
        environment
            Variables that override the file (docs/campaign.md); by default those of this process.

        Raises
        ------
        SettingsError
            If the file cannot be read or used; it names all mistakes.
        """
        from .ledger import Workspace

        flags = {
            ("butler",): butler,
            ("tracts",): tracts,
            ("bands",): bands,
            ("dayObs",): day_obs,
            ("site",): site,
            ("apdb", "namespace"): namespace,
            ("allowMissingTemplates",): allow_missing_templates,
        }
        return cls(Workspace.open(Path(file), Path(runs), flags=flags, environment=environment))

    def __repr__(self) -> str:
        return f"Campaign({self.name!r}, files in {str(self.folder)!r})"

    @property
    def name(self) -> str:
        """Its name."""
        return self.settings.name

    @property
    def settings(self) -> "CampaignConfig":
        """The campaign file's content, with everything that overrides it."""
        return self._workspace.campaign

    @property
    def folder(self) -> Path:
        """The folder of its files."""
        return self._workspace.paths.folder

    @property
    def workspace(self) -> "Workspace":
        """The campaign, its site and its files, for the packages below."""
        return self._workspace

    # ---- before it is submitted ------------------------------------------------------------------------

    def check(self, step: StepName | None = None, *, templates: str | None = None) -> "Preflight":
        """Find what would go wrong before anything is submitted. Changes nothing.

        Parameters
        ----------
        step
            Check one step only.
        templates
            A collection with templates; by default the campaign's own first step makes them.
        """
        from .submit.preflight import check_campaign

        return check_campaign(self._workspace, steps=_steps(step), templates=templates)

    def check_stack(self) -> "list[Finding]":
        """Compare Rubin's pipelines, as they are set up, with what apcampaign relies on. Changes nothing."""
        from .submit.preflight import check_stack

        return check_stack(self.settings.instrument)

    def inspect(self) -> "Inspection":
        """Look at what the repository holds for the campaign: collections, visits, bands, coverage of patches.

        Raises
        ------
        RepositoryError
            If the repository cannot be read.
        """
        from .submit.preflight import inspect_repository

        return inspect_repository(self.settings)

    def forecast(self, slots: int | None = None, *, templates: str | None = None) -> "Forecast":
        """Foretell quanta, jobs, core-hours, disk and time. Changes nothing.

        Parameters
        ----------
        slots
            On how many slots; by default those that the site has now.
        templates
            A collection with templates; by default the campaign's own first step makes them.

        Raises
        ------
        ApcampaignError
            If the repository, a pipeline or a data query cannot be used.
        """
        from .submit.forecast import make_forecast

        return make_forecast(self._workspace, slots=slots, templates=templates)

    def write_configs(self, folder: str | Path = "configs", *, apdb_config: str | None = None) -> list[Path]:
        """Write the pair of BPS submit configs, for ``bps submit`` by hand.

        Parameters
        ----------
        folder
            Where they go.
        apdb_config
            The APDB's configuration: a URI or ``label:NAME``; the campaign's by default.

        Returns
        -------
        files
            The files, in the order in which they are to be submitted.
        """
        from .bps import write_pair

        apdb_config = apdb_config or self._workspace.planned_apdb_config
        return write_pair(self.settings, self._workspace.site, Path(folder), apdb_config=apdb_config)

    @staticmethod
    def plan_start_over(
        file: str | Path = "campaign.yaml",
        to: str | Path | None = None,
        *,
        runs: str | Path = "runs",
        name: str | None = None,
        database: str | None = None,
        keep_templates: bool = False,
        day_obs: int | str | None = None,
        check: bool = True,
    ) -> "StartOverPlan":
        """Decide how the same campaign is had again, in an empty APDB, beside the old one.

        ``execute()`` of the returned plan writes a new campaign file, and gives its path.

        Parameters
        ----------
        file
            The campaign file.
        to
            The new one, in the same folder; with ``-v2`` in its name, or the next number that is free, by default.
        runs
            The folder of all campaigns' runs.
        name
            The new campaign's name; the old one with ``-v2``, or the next number that is free, by default.
        database
            The URL of its APDB's database; that of the old one, or a new SQLite file beside it, by default.
        keep_templates
            Whether it takes the templates of the old one.
        day_obs
            The night, where the campaign file names one.
        check
            Whether repository and database are asked for what is there.

        Raises
        ------
        ApcampaignError
            If it cannot be found out. Why it would be refused is in the plan's ``obstacles``.
        """
        from .lifecycle.start_over import StartOverRequest, plan_start_over

        request = StartOverRequest(
            source=Path(file),
            file=None if to is None else Path(to),
            name=name,
            database=database,
            keep_templates=keep_templates,
            day_obs=None if day_obs is None else str(day_obs),
            check=check,
        )
        return plan_start_over(request, Path(runs))

    # ---- submitting -------------------------------------------------------------------------------------

    def plan_submission(
        self,
        step: StepName | None = None,
        *,
        templates: str | None = None,
        continue_apdb: bool = False,
        nights: Sequence[int] | int | str | None = None,
        skip_late: bool = False,
        foreground: bool = False,
        check: bool = True,
    ) -> "SubmissionPlan":
        """Decide what submitting does; ``execute()`` of the returned plan does just that.

        Parameters
        ----------
        step
            One step only; both by default.
        templates
            A collection with templates, instead of what the campaign's own first step makes.
        continue_apdb
            Whether to go on filling an APDB that holds rows; a plan in which nothing is new has no runs.
        nights
            The nights to go on with, as YYYYMMDD, ranges of such, or ``20260905..`` for all from that one on:
            their difference imaging on the templates that are there, into the same APDB.
        skip_late
            Whether images of these that come too late for the time order are left out, instead of being refused.
        foreground
            Whether to run one run after the other from here, until all have ended.
        check
            Whether to make a preflight.

        Raises
        ------
        ApcampaignError
            If it cannot be found out. Why the submission would be refused is in the plan's ``obstacles``.
        """
        from .bps import NightSelection
        from .submit.submission import plan_submission

        return plan_submission(
            self._workspace,
            steps=_steps(step if nights is None else "diffim"),
            templates=templates,
            fills_further=continue_apdb or nights is not None,
            nights=None if nights is None else NightSelection.read(nights),
            skip_late=skip_late,
            foreground=foreground,
            check=check,
        )

    def submit(
        self,
        step: StepName | None = None,
        *,
        templates: str | None = None,
        continue_apdb: bool = False,
        nights: Sequence[int] | int | str | None = None,
        skip_late: bool = False,
        foreground: bool = False,
        check: bool = True,
        wait: bool = False,
    ) -> "Submission":
        """Submit both steps, or one.

        Parameters
        ----------
        step, templates, continue_apdb, nights, skip_late, foreground, check
            As for `plan_submission`.
        wait
            Whether to wait until nothing of the campaign is active any more, and nobody else submits it.

        Raises
        ------
        BusyError
            If something is active, or somebody else is submitting, and this is not to wait.
        PreconditionError
            If something that must hold does not, such as a clean preflight.
        ApcampaignError
            If a run cannot be prepared, or the WMS does not take it.
        """
        from .submit.patience import submit_when_idle

        def plan() -> "SubmissionPlan":
            return self.plan_submission(
                step,
                templates=templates,
                continue_apdb=continue_apdb,
                nights=nights,
                skip_late=skip_late,
                foreground=foreground,
                check=check,
            )

        return submit_when_idle(plan, self.wait_until_ended) if wait else plan().execute()

    def plan_adoption(self, *folders: str | Path) -> "AdoptionPlan":
        """Decide how runs of ``bps submit`` become runs of the campaign; ``execute()`` of the plan does just that.

        Parameters
        ----------
        folders
            Their submit directories, as ``bps submit`` has printed them.

        Raises
        ------
        ApcampaignError
            If it cannot be found out. Why one of them cannot be adopted is in the plan's ``obstacles``.
        """
        from .lifecycle.adoption import plan_adoption

        return plan_adoption(self._workspace, [Path(folder) for folder in folders])

    def plan_resume(
        self,
        step: StepName | None = None,
        *,
        set: Mapping[str, Any] | Iterable[str] = (),
        new_graph: bool = False,
        skip_failed: bool = False,
    ) -> "ResumePlan":
        """Decide how the campaign goes on after a failure; ``execute()`` of the returned plan does just that.

        Parameters
        ----------
        step
            Continue this step only.
        set
            BPS settings to change, as a mapping from ``STEP.KEY`` to a value or as ``STEP.KEY=VALUE``.
        new_graph
            Whether to build new graphs although no setting has changed.
        skip_failed
            Whether later visits are associated without waiting for earlier overlapping ones that failed.

        Raises
        ------
        ApcampaignError
            If it cannot be found out. Why it would be refused is in the plan's ``obstacles``.
        """
        from .bps import Step
        from .submit.resume import ResumeRequest, plan_resume

        changes = [f"{key}={value}" for key, value in set.items()] if isinstance(set, Mapping) else list(set)
        request = ResumeRequest(
            step=None if step is None else Step(step),
            changes=changes,
            new_graph=new_graph,
            skip_failed=skip_failed,
        )
        return plan_resume(self._workspace, request)

    def examine(self) -> "DoctorPlan":
        """Look for the states that the campaign does not get out of by itself; ``execute()`` of it mends them.

        Raises
        ------
        ApcampaignError
            If the folder of its runs cannot be read.
        """
        from .submit.doctor import plan_doctor

        return plan_doctor(self._workspace)

    def plan_cancel(self) -> "CancelPlan":
        """Find what is active; ``execute()`` of the returned plan cancels it."""
        from .submit.cancel import plan_cancel

        return plan_cancel(self._workspace)

    def cancel(self) -> None:
        """Cancel the active runs, and return when nothing of them is left in the queue.

        Raises
        ------
        PreconditionError
            If nothing is active.
        SchedulerError
            If HTCondor does not answer.
        """
        self.plan_cancel().execute()

    def wait(self) -> "CampaignSummary":
        """Wait until what was submitted last has ended, and summarise the campaign.

        Raises
        ------
        ApcampaignError
            If the WMS does not answer, or the results cannot be read.
        """
        self.wait_until_ended()
        return self.summary()

    def wait_until_ended(self) -> None:
        """Wait until what was submitted last has ended, and log how it stands; errors as `wait`."""
        from .submit.executors import executors_of

        for executor in executors_of(self.ledger()):
            executor.wait(self._workspace)

    # ---- when it is over ---------------------------------------------------------------------------------

    def plan_retirement(
        self,
        *,
        intermediates: bool = False,
        runs: Sequence[str] = (),
        everything: bool = False,
        types: Sequence[str] = (),
        keep: Sequence[str] = (),
        keep_apdb: bool = False,
        archive: str | Path | None = None,
    ) -> "RetirementPlan":
        """See what the campaign holds, and decide what is removed; ``execute()`` of the returned plan removes it.

        Parameters
        ----------
        intermediates, runs, everything
            Which of these is removed: intermediate datasets, some runs by the ends of their collections' names, or
            all; nothing if none is given.
        types, keep
            Dataset types that are intermediate too, and those that are not, as patterns.
        keep_apdb
            Whether the APDB stays where everything else is removed.
        archive
            The file into which the campaign's records are packed before.

        Raises
        ------
        ApcampaignError
            If it cannot be found out. Why it would be refused is in the plan's ``obstacles``.
        """
        from .ledger import RetirementScope
        from .lifecycle.retirement import RetirementRequest, plan_retirement

        chosen = {
            RetirementScope.INTERMEDIATES: intermediates,
            RetirementScope.RUNS: bool(runs),
            RetirementScope.EVERYTHING: everything,
        }
        request = RetirementRequest(
            scope=next((scope for scope, wanted in chosen.items() if wanted), None),
            runs=tuple(runs),
            dataset_types=tuple(types),
            keep=tuple(keep),
            keep_apdb=keep_apdb,
        )
        return plan_retirement(self._workspace, request, None if archive is None else Path(archive))

    def archive(self, file: str | Path) -> "Archive":
        """Pack the campaign's records, configurations, report and summary into a file.

        Parameters
        ----------
        file
            Where; ending in ``.tar.gz`` or ``.tar.zst``.

        Raises
        ------
        ApcampaignError
            If the campaign has submitted nothing, or the file cannot be written.
        """
        from .lifecycle.archive import write_archive

        return write_archive(self._workspace, Path(file))

    # ---- while it runs and after -------------------------------------------------------------------------

    def ledger(self) -> "Ledger":
        """Read the records of everything that has been submitted."""
        return self._workspace.read_ledger()

    def runs(self, run: str | None = None) -> "list[tuple[RunRecord, str | None]]":
        """List all runs, or one (as for `status`), and the state of each as its WMS names it, if that can tell.

        Those that were removed come first; their state is ``retired``.
        """
        from .monitor import run_state

        ledger = self.ledger()
        if run:
            return [(found := ledger.find(run), run_state(found))]
        states = [(record, run_state(record)) for record in ledger.runs]
        return [*((record, "retired") for record in ledger.retired), *states]

    def status(self, run: str | None = None) -> "CampaignStatus":
        """See how far the campaign is, also while it runs.

        Parameters
        ----------
        run
            Look at this run, though newer ones may have replaced it: ``diffim/20260905T031200Z``, or its RUN
            collection. By default the runs that count.

        Raises
        ------
        LedgerError
            If it has no runs, or none of that name, or they cannot be read.
        """
        from .monitor import CampaignReader

        return CampaignReader(self._workspace.paths, run).read()

    def watch(self, run: str | None = None, *, notify: bool = False) -> "Iterator[CampaignStatus]":
        """Look at the campaign as often as the caller asks for the next status, until it has ended.

        Parameters
        ----------
        run
            As for `status`.
        notify
            Whether the people whom the campaign names are notified of trouble.
        """
        from .monitor import CampaignReader
        from .monitor.notify import TroubleNotifier

        reader, trouble = CampaignReader(self._workspace.paths, run), TroubleNotifier(self.settings)
        while True:
            status = reader.read()
            if notify and status.active:
                trouble.look(status.jobs)
            yield status
            if not status.active:
                return

    def failures(self, run: str | None = None, *, quanta: bool = False) -> "Failures":
        """Group what failed or is held by its root cause, with remedies.

        Parameters
        ----------
        run
            As for `status`.
        quanta
            Whether to look at the quanta too, which finds those that failed or made nothing in jobs that
            succeeded.
        """
        from .monitor import CampaignReader, find_failures

        found = CampaignReader(self._workspace.paths, run).read_jobs()
        return find_failures(found.jobs, nodes=found.nodes, quanta_of=found.records if quanta else ())

    def summary(self) -> "CampaignSummary":
        """Summarise the results: quanta, difference images, rows of the APDB and their verification.

        Raises
        ------
        LedgerError
            If it has no runs.
        ApcampaignError
            If the repository or the APDB cannot be read.
        """
        from .monitor.summary import summarise

        return summarise(self._workspace)

    def completeness(self) -> "Completeness":
        """Compare the sources that were injected into the science images with the DiaSources in the APDB.

        Raises
        ------
        SettingsError
            If it injects none.
        ApcampaignError
            If the repository or the APDB cannot be read, or nothing has been submitted.
        """
        from .report import read_completeness

        return read_completeness(self._workspace)

    def write_report(
        self,
        file: str | Path | None = None,
        *,
        run: str | None = None,
        appendix: "Appendix | None" = None,
        truth: "Truth | None" = None,
    ) -> Path:
        """Write one HTML page of what the campaign did and of its results.

        Parameters
        ----------
        file
            Where it goes; that of `report_file` by default.
        run
            As for `status`.
        appendix
            Draws more figures, from the campaign's settings and the configuration of its APDB.
        truth
            Finds the true light curves of DiaObjects, where the sky is a simulated one.

        Returns
        -------
        file
            Where it is.

        Raises
        ------
        LedgerError
            If the campaign has no runs.
        """
        from .report import ReportReader, write_report

        reader = ReportReader(self._workspace, appendix, truth, run)
        target = Path(file) if file else self.report_file(run)
        path, _ = write_report(self._workspace, target, reader=reader)
        return path

    def report_file(self, run: str | None = None) -> Path:
        """Name the file of the report: in the campaign's folder, or in that of a run."""
        paths = self._workspace.paths
        return paths.report if run is None else paths.run(self.ledger().find(run)).report

    def watch_report(
        self,
        file: str | Path | None = None,
        *,
        run: str | None = None,
        interval: int = 30,
        appendix: "Appendix | None" = None,
        truth: "Truth | None" = None,
    ) -> "Iterator[ReportData]":
        """Write the report repeatedly until the campaign has ended, and notify of trouble.

        Parameters
        ----------
        file, run, appendix, truth
            As for `write_report`.
        interval
            Seconds between two.
        """
        from .report import ReportReader, watch_report

        target = Path(file) if file else self.report_file(run)
        reader = ReportReader(self._workspace, appendix, truth, run)
        return watch_report(self._workspace, target, reader=reader, interval=interval)

    def compare(
        self,
        other: "Campaign",
        *,
        run: str | None = None,
        other_run: str | None = None,
        tolerances: "Tolerances | None" = None,
        scorer: "Scorer | None" = None,
    ) -> "Comparison":
        """Compare it with another campaign, or one of its submissions with another one. Changes nothing.

        Parameters
        ----------
        other
            The other campaign; may be this one, with other runs.
        run, other_run
            The name of a run of each side, as for `status`, or when several were prepared; by default all that
            count.
        tolerances
            What counts as the same.
        scorer
            Scores each side, where the sky is a simulated one.

        Raises
        ------
        LedgerError
            If one of them has no such runs. What else cannot be read is in ``unread`` of the result.
        """
        from .report.comparison import ComparableReader, compare

        one = ComparableReader(self._workspace, run, scorer)
        another = ComparableReader(other.workspace, other_run, scorer)
        return compare(one.read(), another.read(), tolerances)

    # ---- the database --------------------------------------------------------------------------------------

    def plan_apdb(self, url: str | None = None, **options: Any) -> "InitPlan":
        """Decide how an empty APDB is made; `apcampaign.apdb.init_apdb` executes the returned plan.

        Parameters
        ----------
        url
            ``postgresql://user@host/database`` or ``sqlite:///file``; the campaign's by default.
        options
            As for `apcampaign.apdb.plan_init`.

        Raises
        ------
        ApdbError
            If it cannot be made there.
        """
        from .apdb import ApdbTarget, namespace_for, plan_init
        from .common.errors import SettingsError

        settings = self.settings.apdb
        if settings.config and not url:
            raise SettingsError(f"the campaign uses the ready APDB {settings.config}; there is none to make")
        url = url or settings.url
        if not url:
            raise SettingsError(
                "an APDB needs a database",
                remedy="name one: postgresql://user@host/database or sqlite:///file",
            )
        namespace = None
        if not url.startswith("sqlite"):
            namespace = settings.namespace or namespace_for(self.name)
        arguments = {
            "instrument": self.settings.instrument,
            "config": self._workspace.paths.apdb_config,
            "campaign": self.name,
        }
        return plan_init(ApdbTarget.from_url(url, namespace), **{**arguments, **options})

    def create_apdb(self, url: str | None = None, **options: Any) -> "ApdbCreated":
        """Make an empty APDB for the campaign; parameters and errors as `plan_apdb`."""
        from .apdb import init_apdb

        return init_apdb(self.plan_apdb(url, **options))

    @property
    def apdb(self) -> "CampaignApdb":
        """The campaign's APDB.

        Raises
        ------
        ApdbError
            If it has not been made.
        """
        from .campaign_apdb import CampaignApdb

        return CampaignApdb(self._workspace.find_apdb_config())


def _steps(step: StepName | None) -> "list[Any] | None":
    from .bps import Step

    return None if step is None else [Step(step)]
