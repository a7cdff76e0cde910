"""Plan of all parts of a campaign's steps, of which what was submitted last may have had some only."""

__all__ = ["complete_plan", "merge_plans"]

from collections.abc import Sequence
from pathlib import Path

from ...bps import Plan
from ...ledger import Ledger
from ..executors.campaign_dag import read_work


def complete_plan(ledger: Ledger, runs: Path, plan: Plan) -> Plan:
    """Add to a plan the parts of its steps that it leaves out, since they were done when it was made.

    Parameters
    ----------
    ledger
        What the campaign has submitted. Where the plan that has divided the steps was removed from it, no more of
        them is known.
    runs
        The folder of all campaigns' runs.
    plan
        What was submitted last.

    Raises
    ------
    LedgerError
        If the plan that has divided the steps cannot be read.
    """
    divisions = {run.division for run in plan.runs} - {"", plan.timestamp}
    before = [
        read_work(files, runs).plan
        for files, record in (*ledger.dags, *ledger.without_dag)
        if record.timestamp in divisions
    ]
    return merge_plans([*before, plan]) if before else plan


def merge_plans(plans: Sequence[Plan]) -> Plan:
    """Put plans together, the newest last: to its steps are added the parts of them that others have."""
    newest = plans[-1]
    runs = {run.name: run for plan in plans for run in plan if run.step in newest.steps}
    edges = {edge for plan in plans for edge in plan.edges if runs.keys() >= {*edge}}
    return Plan(timestamp=newest.timestamp, runs=tuple(runs.values()), edges=frozenset(edges))
