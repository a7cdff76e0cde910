"""Hold on a campaign's ledger: nobody else submits, as long as what was decided on is executed."""

__all__ = ["hold_ledger"]

from collections.abc import Collection
from contextlib import ExitStack

from ..bps import Step
from ..common.errors import BusyError
from ..ledger import Ledger, read_sound_ledger, submission_lock


def hold_ledger(ledger: Ledger, steps: Collection[Step]) -> ExitStack:
    """Hold the right to submit steps of a campaign, which has submitted nothing since its ledger was read.

    Raises
    ------
    BusyError
        If somebody else holds it, or the ledger has changed.
    """
    with ExitStack() as stack:
        for step in steps:
            stack.enter_context(submission_lock(ledger.paths.step(step)))
        # A record that cannot be read now, and could be then, is a change too.
        if read_sound_ledger(ledger.paths)[0] != ledger:
            raise BusyError(
                f"campaign {ledger.paths.campaign} has been submitted or resumed since this was planned",
                remedy="see `apcampaign status`, then try again",
            )
        return stack.pop_all()
