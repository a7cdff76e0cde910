"""How a campaign stands before something of it is removed, read at once. Changes nothing."""

__all__ = ["RetirementState", "find_activity", "read_retirement_state"]

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ...apdb import read_stored
from ...bps import Step, Wms
from ...common.condor import find_below
from ...common.errors import ApcampaignError, PreconditionError, UnsupportedApdbError
from ...ledger import Ledger, RetirementScope, RunRecord, Workspace, is_submitting
from ...monitor.summary import summarise
from ...submit.executors import find_active
from .choice import RetirementRequest
from .holdings import Holdings, read_holdings
from .uses import Use, find_recorded, find_uses, find_uses_of_apdb

_SHOWN = 10


@dataclass(frozen=True, kw_only=True)
class RetirementState:
    """How a campaign stands before something of it is removed.

    Parameters
    ----------
    workspace, ledger
        The campaign, and what it has submitted.
    holdings
        What it holds.
    runs
        The runs of which something is to be removed.
    active
        What of it has not ended.
    uses
        Who else uses what is to be removed.
    unrecorded
        How many (visit, detector)s its APDB holds that none of its runs has recorded.
    recorded
        How many (visit, detector)s are in its APDB and recorded by the runs that are to go only.
    complete
        Whether it is complete; `None` if that cannot be found out.
    """

    workspace: Workspace
    ledger: Ledger
    holdings: Holdings
    runs: tuple[RunRecord, ...] = ()
    active: tuple[ApcampaignError, ...] = ()
    uses: tuple[Use, ...] = ()
    unrecorded: int = 0
    recorded: int = 0
    complete: bool | None = None


def read_retirement_state(
    workspace: Workspace, ledger: Ledger, request: RetirementRequest
) -> RetirementState:
    """Read how a campaign stands; raises as `apcampaign.lifecycle.retirement.plan_retirement`."""
    state = RetirementState(workspace=workspace, ledger=ledger, holdings=read_holdings(workspace, ledger))
    if request.scope is None:
        return state
    # What was adopted has the names of others, and files elsewhere.
    runs = tuple(run for run in ledger.runs if not run.adopted_from)
    if request.scope is RetirementScope.RUNS:
        runs = tuple({run.output_run: run for run in map(ledger.find, request.runs)}.values())
    uses = find_uses(workspace, ledger, runs)
    unrecorded, apdb = 0, state.holdings.apdb
    if request.scope is RetirementScope.EVERYTHING and apdb is not None and not request.keep_apdb:
        uses += find_uses_of_apdb(workspace, apdb.target)
        filling = ledger.same_apdb(str(workspace.paths.apdb_config))
        unrecorded = len(read_stored(str(workspace.paths.apdb_config)) - find_recorded(filling))
    return replace(
        state,
        runs=runs,
        active=tuple(find_activity(workspace, ledger)),
        uses=uses,
        unrecorded=unrecorded,
        recorded=_count_recorded(ledger, runs) if request.scope is RetirementScope.RUNS else 0,
        complete=_is_complete(workspace, ledger) if request.scope is not RetirementScope.RUNS else None,
    )


def find_activity(
    workspace: Workspace, ledger: Ledger, *, submitting: bool = True
) -> Iterator[PreconditionError]:
    """Find what of a campaign has not ended: the queue is asked, also for jobs that no record tells of.

    Parameters
    ----------
    workspace, ledger
        The campaign.
    submitting
        Whether to look for somebody who is submitting it, too.

    Raises
    ------
    SchedulerError
        If the scheduler does not answer.
    """
    found = [
        f"{each.what} has not ended: {each.state}{f' ({each.end})' if each.end else ''}"
        for each in find_active(ledger)
    ]
    runs = (*ledger.runs, *ledger.retired)
    if not found and (ledger.dags or any(run.wms is Wms.HTCONDOR for run in runs)):
        jobs = find_below(workspace.paths.folder)[:_SHOWN]
        found += [f"job {job.id} in {job.folder} is in the queue" for job in jobs]
    for step in Step:
        if submitting and is_submitting(workspace.paths.step(step)):
            found.append(f"the {step} step is being submitted, or its jobs run in the foreground")
    for each in found:
        yield PreconditionError(each, remedy="wait until it has ended, or cancel it (`apcampaign cancel`)")


def _count_recorded(ledger: Ledger, runs: Sequence[RunRecord]) -> int:
    """Count the associations in APDBs that would be recorded by no run any more."""
    found = 0
    for apdb_config in {run.apdb_config for run in runs if run.apdb_config}:
        every = ledger.same_apdb(apdb_config)
        going = find_recorded(run for run in every if run in runs)
        if only := going - find_recorded(run for run in every if run not in runs):
            with contextlib.suppress(UnsupportedApdbError):
                found += len(only & read_stored(apdb_config))
    return found


def _is_complete(workspace: Workspace, ledger: Ledger) -> bool | None:
    try:
        return summarise(workspace, ledger).good
    except ApcampaignError:
        return None
