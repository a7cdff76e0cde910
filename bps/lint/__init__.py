"""Linter of BPS submit files: the mistakes that the files alone show, without a repository.

The flow: `includes.read_with_includes` reads a file with what it includes into a tree that knows the line of
every key; `load_vocabulary` reads the keys that the installed BPS knows from its defaults and its code; each
rule of `apcampaign.bps.lint.rules` looks at both (a `SubmitFile`) and yields one `Finding` per mistake.
`lint_file` does all of this; `write_findings` writes findings as text, JSON, SARIF or GitHub annotations.

What needs the repository, the APDB or the scheduler is checked by `apcampaign.submit.preflight`, which yields
the same `Finding`. Nothing here imports ``lsst``: BPS is read, not run.
"""

from .campaign_file import is_campaign_file
from .findings import Finding, Severity
from .formats import write_findings
from .lint import lint_file
from .vocabulary import load_vocabulary

__all__ = [
    "Finding",
    "Severity",
    "is_campaign_file",
    "lint_file",
    "load_vocabulary",
    "write_findings",
]
