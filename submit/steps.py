"""One step at a time: look ahead at it, submit it, wait for it."""

__all__ = [
    "Preview",
    "Say",
    "apdb_config_of",
    "check_apdb",
    "pass_gate",
    "plan_diffim",
    "preview_run",
    "refuse_if_going_on",
    "submit_diffim",
    "submit_templates",
    "tell_existing",
    "tell_jobs",
    "wait_for",
    "warn_if_unordered",
]

import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ..apdb import check_ready
from ..bps import (
    UNORDERED,
    Campaign,
    Ordering,
    PlannedRun,
    Site,
    Step,
    build_config,
    dump_config,
    plan_campaign,
)
from ..common.errors import ApcampaignError, ApdbError, SubmissionError
from .doubles import refuse_doubles
from .fitness import refuse_if_unfit
from .gate import check_templates
from .ledger import RunRecord, list_chains, list_runs, read_chain_record
from .lock import submission_lock
from .paths import CampaignPaths, RunPaths
from .products import PRODUCTS, count_products
from .quanta import count_quanta
from .queue import is_queued
from .repair import has_output, publish, repair_apdb
from .stages import prepare_run, run_state, submit_run
from .surroundings import environment_for_batch

Say = Callable[[str], None]

#: BPS's states of a run that has not ended.
_GOING_ON = {"UNREADY", "READY", "PENDING", "RUNNING", "HELD"}
_POLL = 5.0  # seconds


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What a submission would do.

    Parameters
    ----------
    run
        The run that would be.
    folder
        Where its files would go.
    config
        The YAML that BPS would get.
    jobs, quanta
        Their number by label; empty where the graph cannot be built yet.
    """

    run: PlannedRun
    folder: Path
    config: str
    jobs: Mapping[str, int]
    quanta: Mapping[str, int]


def preview_run(
    campaign: Campaign,
    run: PlannedRun,
    site: Site,
    paths: CampaignPaths,
    apdb_config: str | None = None,
    *,
    build_graph: bool = True,
) -> Preview:
    """Find out what submitting a run would do; everything it makes is thrown away.

    Parameters
    ----------
    campaign, run, site, paths, apdb_config
        As for `prepare_run`.
    build_graph
        Whether the inputs are there, so that jobs can be counted.

    Raises
    ------
    SubmissionError
        If BPS cannot prepare the run.
    """
    config = build_config(
        campaign,
        run,
        site,
        submit_path=paths.run(run).submit,
        apdb_config=apdb_config,
        environment=environment_for_batch(),
        edges_added=True,
    )
    jobs: Mapping[str, int] = {}
    quanta: Mapping[str, int] = {}
    if build_graph:
        # An output that is not there yet: the inputs are read as they are given, and nothing is changed.
        unseen = replace(run, output=f"{run.output}/preview")
        with tempfile.TemporaryDirectory(prefix="apcampaign-") as folder:
            record, _ = prepare_run(campaign, unseen, site, RunPaths(Path(folder)), apdb_config=apdb_config)
            jobs, quanta = record.jobs, record.quanta
    return Preview(
        run=run, folder=paths.run(run).folder, config=dump_config(config), jobs=jobs, quanta=quanta
    )


def apdb_config_of(campaign: Campaign, paths: CampaignPaths) -> str:
    """Find the configuration of the campaign's APDB.

    Raises
    ------
    ApdbError
        If the campaign's APDB has not been made.
    """
    if campaign.apdb.config:
        return campaign.apdb.config
    if not paths.apdb_config.exists():
        raise ApdbError(
            f"campaign {campaign.name} has no APDB yet: there is no {paths.apdb_config}; "
            "make it with `make apdb-init DB=postgresql://user@host/database` (apcampaign apdb init)"
        )
    return str(paths.apdb_config)


def check_apdb(campaign: Campaign, paths: CampaignPaths, say: Say = print, *, filled: bool = False) -> str:
    """Find the campaign's APDB, and refuse one that it must not write to.

    Parameters
    ----------
    campaign, paths
        Whose APDB.
    say
        Takes what could not be checked.
    filled
        Whether it may hold rows already.

    Returns
    -------
    apdb_config
        Its configuration.

    Raises
    ------
    ApdbError
        If it is not there, not empty, or not of this instrument.
    """
    apdb_config = apdb_config_of(campaign, paths)
    if unchecked := check_ready(apdb_config, instrument=campaign.instrument, filled=filled):
        say(unchecked)
    return apdb_config


def submit_templates(
    campaign: Campaign,
    site: Site,
    paths: CampaignPaths,
    timestamp: str,
    say: Say = print,
    *,
    check: bool = True,
) -> RunRecord:
    """Submit the templates step, after a preflight unless ``check`` is false.

    Returns
    -------
    record
        The run's page in the ledger.

    Raises
    ------
    SubmissionError
        If a run of this step is going on, the preflight finds errors, or BPS or the workload manager fails.
    """
    run = plan_campaign(campaign, timestamp=timestamp, steps=[Step.TEMPLATES]).runs[0]
    with submission_lock(paths.step(run.step)):
        refuse_if_going_on(paths, run.step)
        if check:
            refuse_if_unfit(campaign, site, paths, [run.step], say=say)
        tell_existing(campaign, run, say)
        return _prepare_and_submit(campaign, run, site, paths, None, say)


def plan_diffim(
    campaign: Campaign, timestamp: str, templates: str | None = None, *, again: bool = False
) -> PlannedRun:
    """Plan the diffim step alone; ``again`` if what is done of it shall not be run again."""
    steps = [Step.DIFFIM]
    plan = plan_campaign(
        campaign, timestamp=timestamp, steps=steps, templates=templates, again=steps if again else []
    )
    return plan.runs[0]


def submit_diffim(
    campaign: Campaign,
    site: Site,
    paths: CampaignPaths,
    timestamp: str,
    *,
    templates: str | None = None,
    wait: bool = False,
    continue_apdb: bool = False,
    check: bool = True,
    say: Say = print,
) -> RunRecord:
    """Submit the diffim step on the templates of the campaign's newest run.

    Parameters
    ----------
    campaign, site, paths, timestamp
        What to run, where, and when it was planned.
    templates
        Another collection with templates.
    wait
        Whether to wait for the templates run to end first.
    continue_apdb
        Whether to go on filling an APDB that holds rows: what the campaign has associated is left out, and
        what it has associated badly is taken back first.
    check
        Whether to begin with a preflight.
    say
        Takes what there is to tell.

    Raises
    ------
    SubmissionError
        If there are no good templates, a run of this step is going on, the preflight finds errors, or BPS or the
        workload manager fails.
    ApdbError
        If the APDB is not there, not empty, or not of this instrument.
    """
    warn_if_unordered(campaign, say)
    with submission_lock(paths.step(Step.DIFFIM)):
        refuse_if_going_on(paths, Step.DIFFIM)
        apdb_config = check_apdb(campaign, paths, say, filled=continue_apdb)
        if templates is None:
            _require_templates_run(paths, wait=wait, say=say)
        if continue_apdb:
            publish(paths, Step.DIFFIM, say)
        again = continue_apdb and has_output(paths, Step.DIFFIM)
        run = plan_diffim(campaign, timestamp, templates, again=again)
        pass_gate(campaign, run, say)
        if check:
            refuse_if_unfit(campaign, site, paths, [run.step], templates=run.inputs[0], say=say)
        if continue_apdb:
            repair_apdb(paths, say)
        return _prepare_and_submit(
            campaign, run, site, paths, apdb_config, say, inspect=refuse_doubles if continue_apdb else None
        )


def pass_gate(campaign: Campaign, run: PlannedRun, say: Say = print) -> None:
    """Let a diffim run pass if its templates are there, but for those that the campaign lets be missing.

    Raises
    ------
    SubmissionError
        If too many are missing; it lists them.
    """
    result = check_templates(campaign, run)
    if result.missing_percent > campaign.allow_missing_templates:
        raise SubmissionError(
            f"{result.explain()}; the campaign allows {campaign.allow_missing_templates:g} % "
            "(allowMissingTemplates, --allow-missing-templates)"
        )
    say(result.explain())


def wait_for(record: RunRecord, say: Say = print) -> None:
    """Wait until a run has ended; return at once where the workload manager cannot tell."""
    before = None
    while (state := run_state(record)) in _GOING_ON:
        if state != before:
            say(f"{record.output_run}: {state}")
            before = state
        time.sleep(_POLL)


def tell_jobs(jobs: Mapping[str, int], quanta: Mapping[str, int], say: Say = print) -> None:
    """Say how many quanta and jobs there are, and the jobs by label."""
    by_label = ", ".join(f"{count} {label}" for label, count in jobs.items())
    say(f"{sum(quanta.values())} quanta in {sum(jobs.values())} jobs: {by_label}")


def tell_existing(campaign: Campaign, run: PlannedRun, say: Say = print) -> None:
    """Say what earlier runs of a step have made, which a new one makes again."""
    if count := count_products(campaign.butler, run.step, run.output):
        say(
            f"{run.output} holds {count} {PRODUCTS[run.step]} already; this run makes all of its own again "
            "(`apcampaign resume` makes only what is not there)"
        )


def warn_if_unordered(campaign: Campaign, say: Say = print) -> None:
    """Warn of a campaign whose associations do not wait for each other."""
    if campaign.diffim.ordering is Ordering.NONE:
        say(UNORDERED)


def refuse_if_going_on(paths: CampaignPaths, step: Step) -> None:
    """Refuse to begin a step whose newest run, or a chain of which it is a part, has not ended.

    Raises
    ------
    SubmissionError
        If it has not.
    """
    if (chains := list_chains(paths)) and is_queued(cluster := read_chain_record(chains[-1]).cluster):
        raise SubmissionError(
            f"the chain {chains[-1].folder} has not ended: it is in the queue as {cluster}; wait for it, or "
            "end it with `apcampaign cancel`"
        )
    if (runs := list_runs(paths, step)) and (state := run_state(runs[-1])) in _GOING_ON:
        raise SubmissionError(
            f"the {step} run {runs[-1].output_run} has not ended: it is {state}; wait for it, or end it with "
            "`apcampaign cancel`"
        )


def _prepare_and_submit(
    campaign: Campaign,
    run: PlannedRun,
    site: Site,
    paths: CampaignPaths,
    apdb_config: str | None,
    say: Say,
    *,
    inspect: Callable[[RunRecord], None] | None = None,
) -> RunRecord:
    say(f"preparing {run.output_run}")
    record, prepared = prepare_run(campaign, run, site, paths.run(run), apdb_config=apdb_config)
    if inspect is not None:
        try:
            inspect(record)
        except ApcampaignError:
            shutil.rmtree(paths.run(run).folder)  # it is no run
            raise
    tell_jobs(record.jobs, record.quanta, say)
    record = submit_run(paths.run(run), record, prepared)
    say(f"submitted {run.output_run}" + (f" as {record.wms_id}" if record.wms_id else ""))
    return record


def _require_templates_run(paths: CampaignPaths, *, wait: bool, say: Say) -> None:
    """See that the campaign's newest templates run has ended; whether its templates do, the gate tells."""
    runs = list_runs(paths, Step.TEMPLATES)
    if not runs:
        raise SubmissionError(
            f"campaign {paths.campaign} has no templates run in {paths.folder}; run `make submit-templates` "
            "first, or name a collection that holds templates with --templates"
        )
    newest = runs[-1]
    if wait:
        wait_for(newest, say)
    state = run_state(newest)
    if state in _GOING_ON:
        raise SubmissionError(
            f"the templates run {newest.output_run} has not ended: it is {state}; wait for it with --wait, "
            f"or watch it with `bps report --id {newest.submit_dir}`"
        )
    bad = [label for label, count in count_quanta(newest).items() if not count.good]
    if bad:
        say(
            f"the templates run {newest.output_run} ended with quanta of {', '.join(bad)} not done; "
            f"`pipetask report {newest.butler} {newest.graph}` tells which"
        )
