"""The errors a user can act on.

Each message says what is wrong, the value, what was expected and the next step. The command prints it
without a traceback and exits 1; anything else that escapes is a bug and shows its traceback.

::

    ApcampaignError
    ├── CampaignError (ValueError)      the campaign, or a word given for it, cannot be used
    ├── PipelineError (ValueError)      a pipeline file cannot be found or loaded
    ├── ApdbError (RuntimeError)        the alert production database
    │   └── ForeignApdbError            it is of a kind that can be filled, but not looked into
    ├── SubmissionError (RuntimeError)  BPS or the workload manager refused or failed
    └── SandboxError (RuntimeError)     the miniature DC2 and the servers of this machine
"""

__all__ = [
    "ApcampaignError",
    "ApdbError",
    "CampaignError",
    "ForeignApdbError",
    "PipelineError",
    "SandboxError",
    "SubmissionError",
]


class ApcampaignError(Exception):
    """Something the user can mend."""


class CampaignError(ApcampaignError, ValueError):
    """The campaign, or a word given for it, cannot be used."""


class PipelineError(ApcampaignError, ValueError):
    """A pipeline file cannot be found or loaded."""


class ApdbError(ApcampaignError, RuntimeError):
    """The alert production database is not as it should be, or cannot be reached."""


class ForeignApdbError(ApdbError):
    """The alert production database is of a kind that runs can fill, but that cannot be looked into here."""


class SubmissionError(ApcampaignError, RuntimeError):
    """BPS or the workload manager refused or failed."""


class SandboxError(ApcampaignError, RuntimeError):
    """The miniature DC2, or a server of this machine, cannot be made or started."""
