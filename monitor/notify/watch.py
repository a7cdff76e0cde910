"""Watch for failed and held jobs while a campaign is active, and the notifications of them."""

__all__ = ["TroubleNotifier", "TroubleWatch"]

import logging
from collections import Counter
from collections.abc import Iterable

from ...bps import CampaignConfig, NotifyEvent
from ..jobs import Job, JobState
from .messages import Notification
from .send import send_notification

_MOST_GROUPS = 8

_log = logging.getLogger(__name__)


class TroubleWatch:
    """Looks at the jobs of a campaign repeatedly: reports trouble once, and again when it has doubled.

    Parameters
    ----------
    campaign
        The campaign's name.
    """

    def __init__(self, campaign: str):
        self._campaign = campaign
        self._told = 0

    def look(self, jobs: Iterable[Job]) -> Notification | None:
        """Look at the jobs as they are now; return a notification if there is something new to tell."""
        bad = [job for job in jobs if job.state in (JobState.FAILED, JobState.HELD)]
        if not bad or len(bad) < 2 * self._told:
            return None
        self._told = len(bad)
        states = Counter(job.state for job in bad)
        groups = Counter((job.label, job.state, job.hold_reason or "") for job in bad)
        lines = [
            f"{number} {label} {state}" + (f": {reason}" if reason else "")
            for (label, state, reason), number in groups.most_common(_MOST_GROUPS)
        ]
        listed = ", ".join(f"{number} {state}" for state, number in states.items())
        return Notification(
            event=NotifyEvent.TROUBLE,
            campaign=self._campaign,
            good=False,
            title=f"campaign {self._campaign}: jobs in trouble: {listed}",
            lines=(*lines, "see why with `apcampaign failures`"),
        )


class TroubleNotifier:
    """Tells the people that a campaign names of trouble, while somebody watches it.

    Parameters
    ----------
    campaign
        The campaign.
    """

    def __init__(self, campaign: CampaignConfig):
        self._settings = campaign.notify
        self._watch = TroubleWatch(campaign.name)

    def look(self, jobs: Iterable[Job]) -> None:
        """Look at the jobs as they are now; send a notification if there is something new to tell.

        What could not be sent is logged.
        """
        if notification := self._watch.look(jobs):
            for problem in send_notification(notification, self._settings):
                _log.warning("%s", problem)
