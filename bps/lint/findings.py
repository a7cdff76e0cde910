"""Findings of the linter and the preflight: each tells one mistake, its consequence and its remedy."""

__all__ = ["Finding", "Severity", "sort_findings"]

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """How bad it is: an error makes the run fail or its results wrong, a warning probably, an info does not."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One mistake.

    Parameters
    ----------
    severity
        Its severity.
    rule
        The rule that found it; by this name the rule can be ignored.
    what
        The mistake, with the value.
    why
        The consequence.
    remedy
        The next step.
    file
        The file with the mistake; `None` if it is not in a file.
    key
        The path of the key in the file, joined by dots.
    line, column
        Its place in the file, counted from 1.
    """

    severity: Severity
    rule: str
    what: str
    why: str
    remedy: str
    file: str | None = None
    key: str | None = None
    line: int | None = None
    column: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values, for JSON."""
        return {**asdict(self), "severity": str(self.severity)}

    @property
    def place(self) -> str:
        """Its place, as compilers write it: ``file:line:column``."""
        return ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)


def sort_findings(findings: Iterable[Finding]) -> list[Finding]:
    """Sort findings, each once: those without a file first, then by place, the worst first."""
    rank = list(Severity)
    return sorted(
        dict.fromkeys(findings),
        key=lambda f: (
            (f.file or "", f.line or 0, rank.index(f.severity), f.column or 0),
            (f.rule, f.what, f.key or "", f.why, f.remedy),
        ),
    )
