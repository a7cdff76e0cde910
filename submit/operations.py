"""What an operator asks for: the two steps one by one, or chained."""

__all__ = ["apdb_config_of", "diffim_plan", "run_chain", "submit_both", "submit_diffim", "submit_templates"]

import time
from collections.abc import Callable

from ..apdb import check_ready
from ..bps import Campaign, PlannedRun, Site, Step, plan_campaign
from ..common.errors import ApdbError, SubmissionError
from .chain import submit_chain, write_chain
from .gate import check_templates
from .ledger import RunRecord, list_runs
from .paths import CampaignPaths, ChainPaths
from .quanta import count_quanta
from .stages import prepare_run, run_state, submit_run

Say = Callable[[str], None]

#: BPS's states of a run that has not ended.
_GOING_ON = {"UNREADY", "READY", "PENDING", "RUNNING", "HELD"}
_POLL = 5.0  # seconds


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


def submit_templates(
    campaign: Campaign, site: Site, paths: CampaignPaths, timestamp: str, say: Say = print
) -> RunRecord:
    """Submit the templates step.

    Returns
    -------
    record
        The run's page in the ledger.
    """
    run = plan_campaign(campaign, timestamp=timestamp, steps=[Step.TEMPLATES]).runs[0]
    return _prepare_and_submit(campaign, run, site, paths, None, say)


def diffim_plan(campaign: Campaign, timestamp: str, templates: str | None) -> PlannedRun:
    """Plan the diffim step alone."""
    return plan_campaign(campaign, timestamp=timestamp, steps=[Step.DIFFIM], templates=templates).runs[0]


def submit_diffim(
    campaign: Campaign,
    site: Site,
    paths: CampaignPaths,
    timestamp: str,
    *,
    templates: str | None = None,
    wait: bool = False,
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
    say
        Takes what there is to tell.

    Raises
    ------
    SubmissionError
        If there are no good templates, or BPS or the workload manager fails.
    ApdbError
        If the APDB is not there, not empty, or not of this instrument.
    """
    apdb_config = apdb_config_of(campaign, paths)
    check_ready(apdb_config, instrument=campaign.instrument)
    if templates is None:
        _require_templates_run(paths, wait=wait, say=say)
    run = diffim_plan(campaign, timestamp, templates)
    gate(campaign, run, say)
    return _prepare_and_submit(campaign, run, site, paths, apdb_config, say)


def gate(campaign: Campaign, run: PlannedRun, say: Say = print) -> None:
    """Let only pass if all templates are there.

    Raises
    ------
    SubmissionError
        If some are missing; it lists them.
    """
    result = check_templates(campaign, run)
    if result.missing:
        raise SubmissionError(result.explain())
    say(result.explain())


def submit_both(
    campaign: Campaign, site: Site, paths: CampaignPaths, timestamp: str, say: Say = print
) -> tuple[ChainPaths, str]:
    """Submit both steps as one HTCondor DAG.

    Returns
    -------
    chain, cluster
        The chain's files, and the id of its DAGMan job.

    Raises
    ------
    SubmissionError
        If BPS or HTCondor fails, or the site has no HTCondor.
    ApdbError
        If the APDB is not there, not empty, or not of this instrument.
    """
    if not site.uses_htcondor:
        raise SubmissionError(
            f"site {site.name} runs its jobs with {site.wms_service}, which has no DAGs to chain steps with; "
            "run both steps in the foreground with --foreground"
        )
    check_ready(apdb_config_of(campaign, paths), instrument=campaign.instrument)
    plan = plan_campaign(campaign, timestamp=timestamp)
    templates = plan.runs[0]
    chain = write_chain(campaign, plan, paths)
    say(f"preparing {templates.output_run}")
    record, _ = prepare_run(campaign, templates, site, paths.run(templates))
    tell_jobs(record, say)
    return chain, submit_chain(chain, campaign)


def run_chain(campaign: Campaign, site: Site, paths: CampaignPaths, timestamp: str, say: Say = print) -> None:
    """Run both steps in the foreground, one after the other.

    Raises
    ------
    SubmissionError
        If a step fails; the second is then not begun.
    ApdbError
        If the APDB is not there, not empty, or not of this instrument.
    """
    check_ready(apdb_config_of(campaign, paths), instrument=campaign.instrument)
    submit_templates(campaign, site, paths, timestamp, say)
    record = submit_diffim(campaign, site, paths, timestamp, wait=True, say=say)
    wait_for(record, say)


def wait_for(record: RunRecord, say: Say = print) -> None:
    """Wait until a run has ended; return at once where the workload manager cannot tell."""
    before = None
    while (state := run_state(record)) in _GOING_ON:
        if state != before:
            say(f"{record.output_run}: {state}")
            before = state
        time.sleep(_POLL)


def tell_jobs(record: RunRecord, say: Say = print) -> None:
    """Say how many jobs a run has, by label."""
    jobs = ", ".join(f"{count} {label}" for label, count in record.jobs.items())
    say(f"{sum(record.quanta.values())} quanta in {sum(record.jobs.values())} jobs: {jobs}")


def _prepare_and_submit(
    campaign: Campaign, run: PlannedRun, site: Site, paths: CampaignPaths, apdb_config: str | None, say: Say
) -> RunRecord:
    say(f"preparing {run.output_run}")
    record, prepared = prepare_run(campaign, run, site, paths.run(run), apdb_config=apdb_config)
    tell_jobs(record, say)
    record = submit_run(paths.run(run), record, prepared)
    say(f"submitted {run.output_run}" + (f" as {record.wms_id}" if record.wms_id else ""))
    return record


def _require_templates_run(paths: CampaignPaths, *, wait: bool, say: Say) -> None:
    """See that the campaign's newest templates run has ended well."""
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
        raise SubmissionError(
            f"the templates run {newest.output_run} ended with quanta of {', '.join(bad)} not done; "
            f"see `pipetask report {newest.butler} {newest.graph}`"
        )
