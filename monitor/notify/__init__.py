"""Notifications that a campaign has ended, or that jobs of it fail: by command, e-mail or webhook.

The flow: a `Notification` is made by `completion_message` or `failure_message` at the end, and by a
`TroubleWatch` that looks at the jobs repeatedly; `send_notification` sends it in every way that the campaign
sets, and returns a sentence for each way that failed. A `TroubleNotifier` does both, for whoever watches a
campaign.
"""

from .messages import Notification, completion_message, failure_message
from .send import send_notification, unreachable_secrets
from .watch import TroubleNotifier, TroubleWatch

__all__ = [
    "Notification",
    "TroubleNotifier",
    "TroubleWatch",
    "completion_message",
    "failure_message",
    "send_notification",
    "unreachable_secrets",
]
