"""Choice of the executor by the WMS of a site, or of a recorded run."""

__all__ = ["choose_executor", "executors_of", "find_active", "find_unfinished"]

from collections.abc import Iterator

from ...bps import Plan, Step, Wms
from ...common.errors import PreconditionError
from ...ledger import Ledger, Workspace, read_holder
from .foreground import ForegroundExecutor
from .htcondor import HTCondorExecutor
from .protocol import ActiveRun, Executor


def choose_executor(workspace: Workspace, plan: Plan, *, foreground: bool = False) -> Executor:
    """Choose the executor of a plan.

    Parameters
    ----------
    workspace, plan
        What is to be run, and where.
    foreground
        Whether runs are to be run one after the other from here, whatever the WMS.

    Raises
    ------
    PreconditionError
        If runs wait for others and the WMS has no DAGs for that, unless ``foreground``.
    """
    site = workspace.site
    if not foreground and site.wms is Wms.HTCONDOR:
        return HTCondorExecutor()
    if plan.edges and not foreground:
        raise PreconditionError(
            f"site {site.name} runs its jobs with {site.wms_service}, which has no DAGs that could let one step "
            "wait for another",
            remedy="run one step after the other in the foreground with --foreground",
        )
    return ForegroundExecutor()


def executors_of(ledger: Ledger) -> tuple[Executor, ...]:
    """List the executors of what a campaign has submitted."""
    found: list[Executor] = []
    if ledger.dags or any(run.wms is Wms.HTCONDOR for run in ledger.runs):
        found.append(HTCondorExecutor())
    if any(run.wms is not Wms.HTCONDOR for run in ledger.runs):
        found.append(ForegroundExecutor())
    return tuple(found)


def find_active(ledger: Ledger) -> tuple[ActiveRun, ...]:
    """Find what of a campaign has not ended; raises as `Executor.find_active`."""
    return tuple(each for executor in executors_of(ledger) for each in executor.find_active(ledger))


def find_unfinished(ledger: Ledger) -> tuple[ActiveRun, ...]:
    """Find what is active, and steps that somebody is submitting, of which the ledger may know nothing yet.

    Raises
    ------
    FileError
        If the file of a lock is none of ours.
    ApcampaignError
        As `find_active`.
    """
    return (*find_active(ledger), *(each for step in Step for each in _find_submission(ledger, step)))


def _find_submission(ledger: Ledger, step: Step) -> Iterator[ActiveRun]:
    if holder := read_holder(ledger.paths.step(step)):
        yield ActiveRun(
            what=f"the submission of the {step} step of campaign {ledger.paths.campaign}",
            state=f"it is being submitted by {holder}",
            end="wait until that has ended, and see `apcampaign runs`",
        )
