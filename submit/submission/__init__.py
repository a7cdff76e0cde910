"""Submission of a campaign or one of its steps.

`plan_submission` reads what is to be known (`state`, `nights`, `new_images`) and decides; the `SubmissionPlan` can
be shown, with its runs found out beforehand (`preview`), and `execute_submission` does just that. `patience` waits
until the campaign is free for it.
"""

from .plan import SubmissionPlan, decide_submission, execute_submission, plan_submission

__all__ = ["SubmissionPlan", "decide_submission", "execute_submission", "plan_submission"]
