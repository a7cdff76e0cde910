"""What is done when a submission has ended: summary, report, notification, measured costs.

It is called in the foreground when the last run has ended there, and by the last node of a campaign DAG
(`nodes.finish_dag`).
"""

__all__ = ["finish_campaign", "notify_failure"]

import logging
from collections.abc import Collection
from pathlib import Path

from ..bps import CampaignConfig, Step
from ..common.butler import reuse_butlers
from ..common.explain import explain_briefly
from ..ledger import Workspace
from ..monitor.campaign_summary import CampaignSummary
from ..monitor.notify import Notification, completion_message, failure_message, send_notification
from ..monitor.summary import summarise
from .forecast import record_costs

_log = logging.getLogger(__name__)


@reuse_butlers()
def finish_campaign(workspace: Workspace, steps: Collection[Step]) -> CampaignSummary:
    """Do what there is to do when a submission has ended, however it has.

    Only the summary is needed: that there is no report, or that a notification cannot be sent, is logged.

    Parameters
    ----------
    workspace
        The campaign.
    steps
        The steps that were submitted.

    Returns
    -------
    summary
        The results of the campaign.

    Raises
    ------
    ApcampaignError
        If the results cannot be read; a notification says so.
    """
    try:
        summary = summarise(workspace)
    except Exception as error:
        notify_failure(workspace.campaign, error)
        raise
    report = _write_report(workspace, summary)
    _notify(workspace.campaign, completion_message(summary, report, steps=steps))
    try:
        record_costs(workspace.read_ledger().current(*steps), workspace.paths)
    except Exception as error:  # a forecast can do without
        _log.warning(
            "could not save the measured costs for later forecasts: %s",
            explain_briefly(error),
        )
    return summary


def notify_failure(campaign: CampaignConfig, error: Exception) -> None:
    """Notify that a campaign has ended and its results could not be read, or that it could not go on."""
    _notify(campaign, failure_message(campaign.name, error))


def _notify(campaign: CampaignConfig, notification: Notification) -> None:
    for problem in send_notification(notification, campaign.notify):
        _log.warning("%s", problem)


def _write_report(workspace: Workspace, summary: CampaignSummary) -> Path | None:
    """Write the report; that it cannot be written is no reason for a campaign to fail."""
    from ..report import write_report  # its libraries take a while to import, and only the end needs them

    try:
        file, _ = write_report(workspace, summary=summary)
    except Exception as error:
        _log.warning("the report could not be written: %s", explain_briefly(error))
        return None
    _log.info("report: %s", file)
    return file
