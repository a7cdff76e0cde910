"""The end of a campaign: its summary, its report, and telling those who want to know."""

__all__ = ["close_campaign", "send", "tell_trouble"]

from collections.abc import Callable
from pathlib import Path

from ..bps import Campaign, Step
from ..common.secrets import redact
from .delivery import deliver
from .forecast import remember_costs
from .ledger import list_runs
from .monitor import CampaignReader, CampaignStatus
from .notices import Notice, TroubleWatch, tell_end, tell_failure
from .paths import CampaignPaths
from .report import write_report
from .steps import Say
from .summary import Summary


def close_campaign(
    campaign: Campaign, paths: CampaignPaths, summarise: Callable[[], Summary], say: Say = print
) -> Summary:
    """Do what there is to do when a campaign has ended, however it has.

    Parameters
    ----------
    campaign, paths
        The campaign and its files.
    summarise
        Makes the summary.
    say
        Takes what there is to tell; also why there is no report, or why a notice was not sent.

    Returns
    -------
    summary
        What came of it.

    Raises
    ------
    ApcampaignError
        If no summary can be made; it has been told by then.
    """
    try:
        summary = summarise()
    except Exception as error:
        send(campaign, tell_failure(campaign.name, error), say)
        raise
    send(campaign, tell_end(summary, _report(campaign, paths, summary, say)), say)
    try:
        remember_costs((runs[-1] for step in Step if (runs := list_runs(paths, step))), paths)
    except Exception as error:  # a forecast can do without
        say(redact(f"what the runs took could not be remembered: {type(error).__name__}: {error}"))
    return summary


def send(campaign: Campaign, notice: Notice, say: Say = print) -> None:
    """Send a notice in the ways that a campaign sets, and say which of them failed."""
    for problem in deliver(notice, campaign.notify):
        say(problem)


def tell_trouble(
    campaign: Campaign, reader: CampaignReader, say: Say = print
) -> Callable[[CampaignStatus], None]:
    """Make what tells of a campaign's trouble, for somebody who looks at it again and again.

    Parameters
    ----------
    campaign
        The campaign.
    reader
        With which it is looked at.
    say
        Takes why a notice was not sent.
    """
    watch = TroubleWatch(campaign.name)

    def tell(status: CampaignStatus) -> None:
        if not any(step.troubled for step in status.steps):
            return
        jobs = (job for of_step in reader.read_jobs().values() for job in of_step)
        if notice := watch.look(jobs):
            send(campaign, notice, say)

    return tell


def _report(campaign: Campaign, paths: CampaignPaths, summary: Summary, say: Say) -> Path | None:
    """Write the report; that it cannot be written is no reason for a campaign to fail."""
    try:
        file, _ = write_report(campaign, paths, summary=summary)
    except Exception as error:
        say(redact(f"the report could not be written: {type(error).__name__}: {error}"))
        return None
    say(f"report: {file}")
    return file
