"""What executes the runs of a plan: HTCondor, or this process in the foreground for every other WMS.

The flow: `choose_executor` takes an `Executor` for a site; it executes `Work` (a plan with all that was
decided about it) and returns a `Submission`. `HTCondorExecutor` writes one campaign DAG, which goes on when
nobody is logged in (`write_campaign_dag`); `ForegroundExecutor` runs one run after the other and stays until
all have ended: for Parsl and every other plugin of BPS. `find_active` asks all of them what has not ended, of
whatever has been submitted, and `find_unfinished` also what is being submitted. How each WMS executes a plan is
known here only; whoever reads its files or writes its configs asks `apcampaign.bps.Wms` which one it is: `bps`,
`bps_process`, `preflight`, `apcampaign.monitor`.
"""

from .choice import choose_executor, executors_of, find_active, find_unfinished
from .foreground import ForegroundExecutor
from .htcondor import HTCondorExecutor
from .protocol import ActiveRun, Executor, Submission, SubmittedRun

__all__ = [
    "ActiveRun",
    "Executor",
    "ForegroundExecutor",
    "HTCondorExecutor",
    "Submission",
    "SubmittedRun",
    "choose_executor",
    "executors_of",
    "find_active",
    "find_unfinished",
]
