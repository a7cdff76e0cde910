"""Hold on a campaign's ledger: nobody else submits, as long as what was decided on is executed."""

__all__ = ["hold_ledger"]

from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager

from ...bps import Step
from ...common.errors import BusyError
from ...ledger import Ledger, read_sound_ledger, submission_lock


@contextmanager
def hold_ledger(ledger: Ledger, steps: Collection[Step]) -> Iterator[tuple[int, ...]]:
    """Hold the right to submit steps of a campaign, which has submitted nothing since its ledger was read.

    Yields
    ------
    locks
        The open files whose locks it is held with (`Work.locks`).

    Raises
    ------
    BusyError
        If somebody else holds it, or the ledger has changed.
    """
    with ExitStack() as stack:
        locks = tuple(stack.enter_context(submission_lock(ledger.paths.step(step))) for step in steps)
        # A record that cannot be read now, and could be then, is a change too.
        if read_sound_ledger(ledger.paths)[0] != ledger:
            raise BusyError(
                f"campaign {ledger.paths.campaign} has been submitted or resumed since this was planned",
                remedy="see `apcampaign status`, then try again",
            )
        yield locks
