"""Failures of a campaign by root cause, and what to do about them.

The flow: `find_failures` takes the jobs that failed or are held and reads the end of their logs (`evidence`, which
says what is missing of these); `find_cause` finds why each attempt failed, from HTCondor's codes and from the
exception in the log (`find_exception`). Jobs of one label and one cause make a `Group`, and `advise` gives its
remedies. All groups together are the `Failures`.
"""

from .causes import Cause, FailureKind
from .grouping import find_failures
from .model import Failures, Group

__all__ = ["Cause", "FailureKind", "Failures", "Group", "find_failures"]
