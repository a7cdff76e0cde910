"""Outputs of a campaign that new graphs can leave out, since they are made."""

__all__ = ["find_completed"]

from collections.abc import Collection

from ...bps import Step
from ...ledger import Ledger, find_continued
from .collections import find_outputs
from .repair import Repair


def find_completed(ledger: Ledger, repair: Repair, steps: Collection[Step]) -> dict[Step, tuple[str, ...]]:
    """Find the RUN collections, by step, whose quanta new graphs can leave out when a repair is done.

    Those of earlier submissions, which the newest one was to make anew, are none of them.
    """
    unregistered = {run.output_run for run in repair.unregistered}
    known = find_outputs(run for step in steps for run in ledger.runs_of(step)) | unregistered
    return {
        step: tuple(run.output_run for run in find_continued(ledger, step) if run.output_run in known)
        for step in steps
    }
