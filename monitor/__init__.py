"""Progress, failures and results of a campaign: reads only, and changes nothing.

The flow: `open_run` returns a reader of one run, which puts together as `Job` and its `Attempt` what the run
consists of (`apcampaign.ledger.read_workflow`) and what the log of HTCondor, or of Parsl, says happened;
repeatedly, or once with `read_jobs`. A `CampaignReader` reads all current runs of a campaign and the nodes of
its DAG (`CampaignJobs`), asks the queue what the files cannot tell, and returns a `CampaignStatus`.

Modules with similar names: `submitted` tells how runs were submitted, `run_state` asks the WMS for the state
of one run, `progress` computes the progress of one step from its jobs, and `status` holds that of the whole
campaign.

The results: `failures` groups what went wrong by its root cause (`find_failures`), `outcomes` counts what the
runs have made, and `summary` puts the results of a campaign together and verifies the APDB (`summarise`; it
is not imported here, since it needs a database). `notify` sends people what was read. Both belong here
since they change nothing of a campaign; what must be done at its end, and in which order, is in
`apcampaign.submit.finish`.
"""

from .campaign_reader import CampaignReader
from .dagman import find_damaged_rescue, has_begun, is_dag_alive, read_exit, read_rescue
from .failures import Failures, find_failures
from .jobs import Attempt, AttemptOutcome, Job, JobState
from .parsl_processes import find_parsl_processes
from .run_reader import JobReader, open_run, read_jobs
from .run_state import ACTIVE_STATES, is_active, name_state, run_state
from .status import CampaignJobs, CampaignStatus

__all__ = [
    "ACTIVE_STATES",
    "Attempt",
    "AttemptOutcome",
    "CampaignJobs",
    "CampaignReader",
    "CampaignStatus",
    "Failures",
    "Job",
    "JobReader",
    "JobState",
    "find_damaged_rescue",
    "find_failures",
    "find_parsl_processes",
    "has_begun",
    "is_active",
    "is_dag_alive",
    "name_state",
    "open_run",
    "read_exit",
    "read_jobs",
    "read_rescue",
    "run_state",
]
