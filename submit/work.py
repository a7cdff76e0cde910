"""What is to be prepared and run: a plan, with all that was decided about it."""

__all__ = ["Work"]

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..bps import Plan, PlannedRun
from ..ledger import Workspace
from ..ordering import VisitDetector


@dataclass(frozen=True, kw_only=True)
class Work:
    """What is to be prepared and run.

    Parameters
    ----------
    workspace
        The campaign.
    plan
        Its runs and their edges.
    apdb_config
        The APDB that its runs fill; `None` if none does.
    deferred
        The (visit, detector)s that others need not wait for (see `apcampaign.ordering.add_order`).
    refuse_associated
        Whether to refuse runs that would associate what the APDB holds already.
    remaining
        What of a campaign that goes on is not done, in sentences; empty for one that begins.
    locks
        The open files whose locks are the right to submit it: BPS's process holds them too as long as it is there.
    """

    workspace: Workspace
    plan: Plan
    apdb_config: str | None = None
    deferred: Mapping[VisitDetector, int] = field(default_factory=dict)
    refuse_associated: bool = False
    remaining: tuple[str, ...] = ()
    locks: tuple[int, ...] = ()

    def apdb_config_of(self, run: PlannedRun) -> str | None:
        """The APDB that one of its runs fills."""
        return self.apdb_config if run.fills_apdb else None
