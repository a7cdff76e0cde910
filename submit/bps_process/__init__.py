"""BPS in a process of its own: every call that prepares or submits a run.

BPS changes environment, logging and working directory of its whole process, which a notebook would not survive.
So `prepare_run` (module `driver`) sends a `Request` to a child process (module `worker`), which lets BPS build
a run's graph (in a fork, module `graph`) and workflow, puts the order of visits into it, and submits it where
no campaign DAG does. Its result is the run's record in the ledger. Later visits go past failed associations
(module `passing`), each of which `settle` settles, and `has_passed` tells whether there were any.
"""

from .driver import prepare_or_reuse, prepare_run
from .passing import UNKNOWN, has_passed, settle

__all__ = ["UNKNOWN", "has_passed", "prepare_or_reuse", "prepare_run", "settle"]
