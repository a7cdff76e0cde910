"""Patience: a submission that waits until the campaign is free for it."""

__all__ = ["submit_when_idle"]

import logging
import time
from collections.abc import Callable

from ...common.errors import BusyError
from ..executors import Submission
from .plan import SubmissionPlan

_POLL = 5.0  # seconds; what is waited for takes minutes

_log = logging.getLogger(__name__)


def submit_when_idle(plan: Callable[[], SubmissionPlan], wait: Callable[[], None]) -> Submission:
    """Submit when nothing of a campaign is active, and nobody else submits it.

    Parameters
    ----------
    plan
        Plans the submission; it is planned anew after each wait, since then something else may be new.
    wait
        Returns when what was submitted last has ended.

    Raises
    ------
    ApcampaignError
        If it is refused for another reason, or the WMS cannot be asked.
    """
    said = ""
    while True:
        wait()
        try:
            return plan().execute()
        except BusyError as error:
            if str(error) != said:
                said = str(error)
                _log.info("waiting: %s", said)
        time.sleep(_POLL)
