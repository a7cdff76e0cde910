"""The linter: mistakes in BPS submit files, ours or anybody's, found without a repository.

The flow: `read_with_includes` reads a file with what it includes into a tree that knows the line of every
key; `load_vocabulary` reads the words that the installed BPS knows, from its defaults and its code; each rule of
`apcampaign.bps.lint.rules` looks at both (a `View`) and yields a `Finding` a mistake. `lint_file` does it
all; `write_findings` makes text, JSON, SARIF or GitHub annotations of it.

Nothing here imports ``lsst``: BPS is read, not run.
"""

from .findings import Finding, Severity, sort_findings
from .formats import FORMATS, write_findings
from .lint import lint_file
from .vocabulary import Vocabulary, load_vocabulary

__all__ = [
    "FORMATS",
    "Finding",
    "Severity",
    "Vocabulary",
    "lint_file",
    "load_vocabulary",
    "sort_findings",
    "write_findings",
]
