"""Entry points that HTCondor calls for the nodes of a campaign DAG, between and after its runs.

Each gets the DAG's folder (through ``apcampaign node``), and does one step with what was recorded there; the
last node calls `finish`.
"""

__all__ = ["accept_templates", "check_gate", "finish_dag", "prepare_node_run", "settle_association"]

import json
import logging
from pathlib import Path

from ..common.errors import PreconditionError
from ..common.files import write_atomically
from ..ledger import DagPaths
from ..monitor.outcomes import require_templates
from ..monitor.summary import CampaignSummary
from .bps_process import UNKNOWN, prepare_or_reuse, settle
from .executors.campaign_dag import read_work
from .finish import finish_campaign

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


def accept_templates(folder: Path, runs: Path, run: str, code: int) -> None:
    """Accept a failed run of templates, if the runs after it can do with what it made.

    Parameters
    ----------
    folder, runs, run
        As for `check_gate`.
    code
        What its DAG ended with; 0 if it succeeded.

    Raises
    ------
    PreconditionError
        If too many templates are missing for one of them.
    """
    if not code:
        return
    work = read_work(DagPaths(folder), runs)
    for child in work.plan:
        if run in work.plan.parents(child) and child.needs_templates:
            _log.info("%s", require_templates(work.workspace.campaign, child).describe())


def prepare_node_run(folder: Path, runs: Path, run: str) -> None:
    """Build the graph of a run on what those before it have made.

    Raises
    ------
    ApcampaignError
        If it cannot be prepared.
    """
    work = read_work(DagPaths(folder), runs)
    planned = work.plan.find(run)
    prepare_or_reuse(
        work.workspace, planned, apdb_config=work.apdb_config_of(planned), deferred=work.deferred
    )


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
