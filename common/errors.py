"""Errors that a user can act on, by subject.

Each says what is wrong and with which value (`what`), what was expected (`expected`), and the next step
(`remedy`). The command prints them as one sentence, without a traceback (`apcampaign.scripts.exits`). What the
operating system and libraries raise becomes one of these there (`apcampaign.common.explain`).

::

    ApcampaignError
    ├── SettingsError (ValueError)        the campaign file, a site file, or a value given for them
    ├── PipelineError (ValueError)        a pipeline file cannot be found or loaded
    ├── RepositoryError (RuntimeError)    Butler: the repository, its collections, quantum graphs
    ├── SchedulerError (RuntimeError)     HTCondor does not answer, or refuses
    ├── BpsError (RuntimeError)           BPS could not prepare or submit a run
    │   └── EmptyGraphError               its quantum graph has no quanta
    ├── ApdbError (RuntimeError)          the alert production database
    │   └── UnsupportedApdbError          it is of a kind that can be filled, but not looked into
    ├── PreconditionError (RuntimeError)  what must hold before something is done does not hold
    │   └── BusyError                     it does not hold yet: something of the campaign is active
    ├── LedgerError (RuntimeError)        the records of runs: missing or unreadable
    ├── FileError (RuntimeError)          a file or folder: missing, full, not ours, not what it should be
    ├── UnexpectedError (RuntimeError)    anything else; a bug, or something that nobody has thought of
    └── SandboxError (RuntimeError)       the miniature DC2 and the servers of this machine
"""

__all__ = [
    "ApcampaignError",
    "ApdbError",
    "BpsError",
    "BusyError",
    "EmptyGraphError",
    "FileError",
    "LedgerError",
    "PipelineError",
    "PreconditionError",
    "RepositoryError",
    "SandboxError",
    "SchedulerError",
    "SettingsError",
    "UnexpectedError",
    "UnsupportedApdbError",
]

from collections.abc import Iterable


class ApcampaignError(Exception):
    """Something the user can fix.

    Parameters
    ----------
    what
        What is wrong, with the value.
    expected
        What was expected instead, as the words that follow «expected».
    remedy
        The next step, as an imperative.
    """

    def __init__(self, what: str, *, expected: str = "", remedy: str = ""):
        super().__init__(what)
        self.what = what
        self.expected = expected
        self.remedy = remedy

    def __str__(self) -> str:
        """Join what is wrong, what was expected and the next step into one sentence."""
        expected = f"expected {self.expected}" if self.expected else ""
        return "; ".join(part for part in (self.what, expected, self.remedy) if part)


class SettingsError(ApcampaignError, ValueError):
    """The campaign file, a site file, or a value given for them cannot be used."""


class PipelineError(ApcampaignError, ValueError):
    """A pipeline file cannot be found or loaded."""


class RepositoryError(ApcampaignError, RuntimeError):
    """The Butler repository, a collection or a quantum graph cannot be read or written."""


class SchedulerError(ApcampaignError, RuntimeError):
    """HTCondor does not answer, or refuses."""


class BpsError(ApcampaignError, RuntimeError):
    """BPS could not prepare or submit a run."""


class EmptyGraphError(BpsError):
    """The quantum graph of a run has no quanta."""


class ApdbError(ApcampaignError, RuntimeError):
    """The alert production database is not as it should be, or cannot be reached."""


class UnsupportedApdbError(ApdbError):
    """The alert production database is of a kind that runs can fill, but that cannot be looked into here."""


class PreconditionError(ApcampaignError, RuntimeError):
    """What must hold before something is done does not hold; nothing was done.

    Parameters
    ----------
    what, expected, remedy
        As for `ApcampaignError`.
    findings
        The findings of a preflight, where that is what refuses (`apcampaign.bps.lint.Finding`).
    """

    def __init__(self, what: str, *, expected: str = "", remedy: str = "", findings: Iterable[object] = ()):
        super().__init__(what, expected=expected, remedy=remedy)
        self.findings = tuple(findings)


class BusyError(PreconditionError):
    """Something of the campaign is active, or somebody is submitting it; the same can be asked for again later."""


class LedgerError(ApcampaignError, RuntimeError):
    """The records of a campaign's runs are missing or cannot be read."""


class FileError(ApcampaignError, RuntimeError):
    """A file or folder cannot be read or written."""


class UnexpectedError(ApcampaignError, RuntimeError):
    """Something failed that nobody has thought of: a bug, here or in what is called."""


class SandboxError(ApcampaignError, RuntimeError):
    """The miniature DC2, or a server of this machine, cannot be made or started."""
