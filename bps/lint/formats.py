"""Output formats of findings: text, JSON, SARIF and GitHub annotations."""

__all__ = ["write_findings"]

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .findings import Finding, Severity

_SARIF_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_GITHUB_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def write_findings(findings: Sequence[Finding], form: str = "text") -> str:
    """Write findings in one of several formats.

    Parameters
    ----------
    findings
        The findings.
    form
        ``text``, ``json``, ``sarif`` or ``github``.
    """
    return _FORMATS[form](findings)


def _text(findings: Sequence[Finding]) -> str:
    lines = []
    for finding in findings:
        place = f"{finding.place}: " if finding.place else ""
        key = f" ({finding.key})" if finding.key else ""
        lines.append(f"{place}{finding.severity}: {finding.what}{key} [{finding.rule}]")
        lines += [f"    why: {finding.why}", f"    fix: {finding.remedy}"]
    return "\n".join(lines)


def _json(findings: Sequence[Finding]) -> str:
    return json.dumps([finding.as_dict() for finding in findings], indent=2)


def _github(findings: Sequence[Finding]) -> str:
    lines = []
    for finding in findings:
        properties: dict[str, Any] = {
            "file": finding.file,
            "line": finding.line,
            "col": finding.column,
            "title": finding.rule,
        }
        given = ",".join(f"{k}={_escaped(str(v), ',:')}" for k, v in properties.items() if v is not None)
        text = _escaped(f"{finding.what}. {finding.why}. {finding.remedy}")
        lines.append(f"::{_GITHUB_LEVELS[finding.severity]} {given}::{text}")
    return "\n".join(lines)


def _escaped(text: str, more: str = "") -> str:
    """Escape the characters that GitHub's workflow commands use themselves."""
    text = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    for character in more:
        text = text.replace(character, f"%{ord(character):02X}")
    return text


def _sarif(findings: Sequence[Finding]) -> str:
    rules = sorted({finding.rule for finding in findings})
    content = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"name": "apcampaign", "rules": [{"id": rule} for rule in rules]}},
                "results": [_result(finding) for finding in findings],
            }
        ],
    }
    return json.dumps(content, indent=2)


def _result(finding: Finding) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "level": _SARIF_LEVELS[finding.severity],
        "message": {"text": f"{finding.what}. {finding.why}. {finding.remedy}"},
    }
    if finding.file is not None:
        location: dict[str, Any] = {"artifactLocation": {"uri": finding.file}}
        if finding.line is not None:
            location["region"] = {"startLine": finding.line, "startColumn": finding.column or 1}
        result["locations"] = [{"physicalLocation": location}]
    return result


_FORMATS: Mapping[str, Callable[[Sequence[Finding]], str]] = {
    "text": _text,
    "json": _json,
    "sarif": _sarif,
    "github": _github,
}
