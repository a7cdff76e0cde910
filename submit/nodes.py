"""Entry points that HTCondor calls for the nodes of a campaign DAG, between and after its runs.

Each gets the DAG's folder (through ``apcampaign node``), and does one step with what was recorded there; a failed
association is settled with the folder of its run alone. The last node calls `finish`.
"""

__all__ = ["check_gate", "close_run", "finish_dag", "prepare_node_run", "settle_association"]

import json
import logging
from pathlib import Path

from ..common.errors import EmptyGraphError, PreconditionError
from ..common.files import write_atomically
from ..ledger import DagPaths, read_run
from ..monitor.campaign_summary import CampaignSummary
from ..monitor.outcomes import require_templates
from .bps_process import UNKNOWN, prepare_or_reuse, settle
from .executors.campaign_dag import read_work, write_empty_run
from .finish import finish_campaign
from .outputs.collections import join_step_output
from .outputs.repair import roll_back_failed
from .parts.outdated import forget_outdated
from .parts.unfinished_visits import leave_out_unfinished

_log = logging.getLogger(__name__)


def check_gate(folder: Path, runs: Path, run: str) -> None:
    """Check that the templates of a run are there.

    Parameters
    ----------
    folder
        The folder of the campaign DAG.
    runs
        The folder of all campaigns' runs.
    run
        The run's name.

    Raises
    ------
    PreconditionError
        If too many are missing.
    """
    work = read_work(DagPaths(folder), runs)
    _log.info("%s", require_templates(work.workspace.campaign, work.plan.find(run)).describe())


def close_run(folder: Path, runs: Path, run: str, code: int) -> None:
    """Make the outputs of a run that has ended those of its step, and let others go on that can do with them.

    Parameters
    ----------
    folder, runs, run
        As for `check_gate`.
    code
        What its DAG ended with; 0 if it succeeded, a negative number if it was killed or removed.

    Raises
    ------
    PreconditionError
        If it was interrupted; if it has failed, and no other run waits for it; or it is a whole step, and too many
        templates are missing.
    RepositoryError
        If its outputs cannot join those of its step.
    ApdbError
        If what its failed associations have written cannot be rolled back: nobody is to build on that.
    """
    files = DagPaths(folder)
    work = read_work(files, runs)
    if code < 0:
        # What it has left goes on where it ended: nobody should go on without it.
        raise PreconditionError(f"{run} was interrupted", remedy="go on with `apcampaign resume`")
    closed = work.plan.find(run)
    if closed.part and not join_step_output(work.workspace.campaign.butler, closed):
        _log.warning("%s has made nothing", run)
    if not code:
        return
    children = [child for child in work.plan if run in work.plan.parents(child)]
    if closed.part:
        roll_back_failed(work.workspace.read_ledger(), read_run(work.workspace.paths.run(closed)))
        if not children:
            raise PreconditionError(f"{run} has failed", remedy="see `apcampaign failures`")
        # What the others lack is not there, or the gate stops them; `apcampaign resume` completes them.
        write_atomically(files.passed(run), "")
        return
    for child in children:
        if child.needs_templates:
            _log.info("%s", require_templates(work.workspace.campaign, child).describe())


def prepare_node_run(folder: Path, runs: Path, run: str) -> None:
    """Build the graph of a run on what those before it have made.

    Raises
    ------
    ApcampaignError
        If it cannot be prepared.
    """
    files = DagPaths(folder)
    work = read_work(files, runs)
    planned = work.plan.find(run)
    forget_outdated(work, planned)
    try:
        prepare_or_reuse(work, leave_out_unfinished(work, planned))
    except EmptyGraphError:
        if not planned.may_be_empty:
            raise
        _log.info("%s: nothing is to be done", run)
        write_empty_run(files, work.workspace.paths.run(planned), planned)


def settle_association(apdb_config: str, folder: Path, job: str) -> int:
    """Roll back what the failed association of a job may have written to the APDB.

    Parameters
    ----------
    apdb_config
        The APDB.
    folder
        `RunPaths.order` of the run.
    job
        The name of the job.

    Returns
    -------
    code
        The exit code for the script that has asked: 0 if it can be tried again.

    Raises
    ------
    ApdbError
        If the APDB cannot be asked, or it cannot be rolled back.
    """
    return 0 if settle(apdb_config, folder, job) else UNKNOWN


def finish_dag(folder: Path, runs: Path) -> CampaignSummary:
    """Summarise the campaign, write the report and notify; raises if the steps of the DAG have not succeeded.

    Raises
    ------
    PreconditionError
        If they have not; the summary is written all the same.
    """
    files = DagPaths(folder)
    work = read_work(files, runs)
    summary = finish_campaign(work.workspace, work.plan.steps)
    write_atomically(files.summary, json.dumps(summary.as_dict(), indent=2))
    if not summary.good_for(work.plan.steps):
        raise PreconditionError(
            f"campaign {work.workspace.campaign.name}: NOT complete",
            remedy="see `apcampaign failures`, then `apcampaign resume`",
        )
    return summary
