"""What a check has to say: one finding a mistake."""

__all__ = ["Finding", "Severity", "sort_findings"]

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """How bad it is: an error fails or falsifies the run, a warning probably does, an info is good to know."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One mistake.

    Parameters
    ----------
    severity
        How bad it is.
    rule
        Which rule found it; the name that switches the rule off.
    what
        The mistake, with the value.
    why
        What comes of it.
    mend
        The next step.
    file
        Where it is; none if it is not in a file.
    key
        The path of the key in the file, joined by dots.
    line, column
        Counted from 1.
    """

    severity: Severity
    rule: str
    what: str
    why: str
    mend: str
    file: str | None = None
    key: str | None = None
    line: int | None = None
    column: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values, for JSON."""
        return {**asdict(self), "severity": str(self.severity)}

    @property
    def place(self) -> str:
        """Where it is, as compilers write it: ``file:line:column``."""
        return ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)


def sort_findings(findings: Iterable[Finding]) -> list[Finding]:
    """Put findings in order, each once: what is in no file first, then by place, the worst first."""
    rank = list(Severity)
    return sorted(
        dict.fromkeys(findings),
        key=lambda f: (f.file or "", f.line or 0, rank.index(f.severity), f.column or 0, f.rule, f.what),
    )
