"""Resumption of a campaign after a failure: what is done stays done, the rest runs again.

`plan_resume` reads the state of everything that was submitted (`state`, with the plan of all parts from
`whole_plan`) and decides how it goes on: from DAGMan's rescue files, or with new graphs (`rebuild`), and why
(`reasons`). The `ResumePlan` can be shown, and `execute_resume` does just that.
"""

from .plan import ResumePlan, ResumeRequest, decide_resume, execute_resume, plan_resume

__all__ = ["ResumePlan", "ResumeRequest", "decide_resume", "execute_resume", "plan_resume"]
