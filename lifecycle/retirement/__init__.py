"""Retirement: what a campaign holds, and the removal of what nobody needs any more.

The flow: `read_holdings` reads what a campaign holds (datasets by type, rows of its APDB, files), and
`find_uses` who else uses what is its own: chains and tags of others, other campaigns. `plan_retirement` reads
all of that; `decide_retirement` decides on it, without asking anybody, what is removed and why it would be
refused (`decision`), and the `RetirementPlan` can be shown. `execute_retirement` writes down what is to be
removed, removes it part by part, and writes down after each what is done, so that it goes on where it was if
it is called again.
"""

from .choice import INTERMEDIATES, RetirementRequest
from .execution import RetirementPlan, execute_retirement
from .holdings import Holdings, RunHolding, read_holdings
from .plan import plan_retirement
from .uses import Use, find_uses

__all__ = [
    "INTERMEDIATES",
    "Holdings",
    "RetirementPlan",
    "RetirementRequest",
    "RunHolding",
    "Use",
    "execute_retirement",
    "find_uses",
    "plan_retirement",
    "read_holdings",
]
