"""Both steps of a campaign: chained inside HTCondor, or one after the other in the foreground."""

__all__ = ["run_in_foreground", "submit_both"]

from ..bps import Campaign, Site, Step, plan_campaign
from ..common.errors import ApcampaignError, SubmissionError
from .chain import submit_chain, write_chain
from .closing import close_campaign, send
from .delivery import unreachable_secrets
from .fitness import refuse_if_unfit
from .ledger import ChainRecord, write_chain_record
from .lock import submission_lock
from .notices import tell_failure
from .paths import CampaignPaths, ChainPaths
from .stages import prepare_run
from .steps import (
    Say,
    check_apdb,
    refuse_if_going_on,
    submit_diffim,
    submit_templates,
    tell_existing,
    tell_jobs,
    wait_for,
    warn_if_unordered,
)
from .summary import summarise


def submit_both(
    campaign: Campaign,
    site: Site,
    paths: CampaignPaths,
    timestamp: str,
    say: Say = print,
    *,
    check: bool = True,
) -> tuple[ChainPaths, str]:
    """Submit both steps as one HTCondor DAG, after a preflight unless ``check`` is false.

    Returns
    -------
    chain, cluster
        The chain's files, and the id of its DAGMan job.

    Raises
    ------
    SubmissionError
        If a run is going on, the preflight finds errors, BPS or HTCondor fails, or the site has no HTCondor.
    ApdbError
        If the APDB is not there, not empty, or not of this instrument.
    """
    if not site.uses_htcondor:
        raise SubmissionError(
            f"site {site.name} runs its jobs with {site.wms_service}, which has no DAGs to chain steps with; "
            "run both steps in the foreground with --foreground"
        )
    warn_if_unordered(campaign, say)
    with submission_lock(paths.step(Step.TEMPLATES)), submission_lock(paths.step(Step.DIFFIM)):
        for step in Step:
            refuse_if_going_on(paths, step)
        check_apdb(campaign, paths, say)
        if check:
            refuse_if_unfit(campaign, site, paths, Step, say=say)
        plan = plan_campaign(campaign, timestamp=timestamp)
        templates = plan.runs[0]
        tell_existing(campaign, templates, say)
        say(f"preparing {templates.output_run}")
        record, _ = prepare_run(campaign, templates, site, paths.run(templates))
        tell_jobs(record.jobs, record.quanta, say)
        chain = write_chain(campaign, plan, paths)
        cluster = submit_chain(chain, campaign)
        write_chain_record(chain, ChainRecord(campaign=campaign.name, timestamp=timestamp, cluster=cluster))
        for problem in unreachable_secrets(campaign.notify):
            say(problem)
        return chain, cluster


def run_in_foreground(
    campaign: Campaign,
    site: Site,
    paths: CampaignPaths,
    timestamp: str,
    say: Say = print,
    *,
    check: bool = True,
) -> None:
    """Run both steps, one after the other, until the second has ended; then write the report and tell of it.

    ``check`` is as for `submit_both`.

    Raises
    ------
    SubmissionError
        If a step fails; the second is then not begun.
    ApdbError
        If the APDB is not there, not empty, or not of this instrument.
    """
    check_apdb(campaign, paths, say)
    if check:
        refuse_if_unfit(campaign, site, paths, Step, say=say)
    try:
        submit_templates(campaign, site, paths, timestamp, say, check=False)
        wait_for(submit_diffim(campaign, site, paths, timestamp, wait=True, check=False, say=say), say)
    except ApcampaignError as error:
        send(campaign, tell_failure(campaign.name, error), say)
        raise
    close_campaign(campaign, paths, lambda: summarise(campaign, paths), say)
