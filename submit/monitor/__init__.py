"""How far a campaign is, and what is wrong: read from the runs' own files, and from the queue where it answers.

The flow: `write_workflow` leaves a page of a run's jobs when it is prepared; `EventLog` reads what HTCondor says
happened to them (`ParslReader` what Parsl does); `open_run` gives a reader that puts both together as `Job` and
its `Attempt`, again and again (`read_jobs`: once). `CampaignReader` looks at a whole campaign, asks the queue
(`ask_queue`) what the files cannot tell, and gives a `CampaignStatus`. `find_failures` groups what went wrong by
its root cause.
"""

from .campaign import CampaignReader
from .failures import Failures
from .finding import find_failures
from .jobs import Attempt, Ending, Job, JobState
from .reading import JobReader, open_run, read_jobs
from .status import CampaignStatus

__all__ = [
    "Attempt",
    "CampaignReader",
    "CampaignStatus",
    "Ending",
    "Failures",
    "Job",
    "JobReader",
    "JobState",
    "find_failures",
    "open_run",
    "read_jobs",
]
