"""How far a campaign is, and what is wrong: read from the runs' own files, and from the queue where it answers.

The flow: `write_workflow` leaves a page of the run's jobs when it is prepared; `EventLog` reads what HTCondor
says happened to them; `RunReader` (`read_jobs` for once) puts both together as `Job` and its `Attempt`.
"""

from .jobs import Attempt, Ending, Job, JobState
from .reading import RunReader, read_jobs

__all__ = ["Attempt", "Ending", "Job", "JobState", "RunReader", "read_jobs"]
