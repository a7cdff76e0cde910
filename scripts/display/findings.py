"""Findings of the linter and the preflight, as a table or in a machine-readable format."""

__all__ = ["draw_findings", "show_findings"]

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from ...common.text import printable
from .console import make_console

if TYPE_CHECKING:
    from rich.console import Group

    from ...bps.lint import Finding

#: Colour of a severity, the worst first.
_STYLES = {"error": "bold red", "warning": "yellow", "info": "cyan"}


def show_findings(findings: "Sequence[Finding]", form: str) -> None:
    """Print findings: human-readable (``table``), or in one of the formats of `apcampaign.bps.lint`."""
    from ...bps.lint import write_findings

    if form == "table":
        make_console().print(draw_findings(findings))
    elif text := write_findings(findings, form):
        click.echo(printable(text))


def draw_findings(findings: "Sequence[Finding]") -> "Group":
    """Draw findings, each with its reason and its remedy, and count them."""
    from rich.console import Group
    from rich.text import Text

    lines = []
    for finding in findings:
        head = Text()
        if finding.place:
            head.append(f"{finding.place}: ")
        head.append(str(finding.severity), style=_STYLES[finding.severity])
        key = f"({finding.key}) " if finding.key and not finding.place else ""
        head.append(f": {finding.what} {key}").append(f"[{finding.rule}]", style="dim")
        lines += [head, Text(f"    {finding.why}", style="dim"), Text(f"    → {finding.remedy}")]
    counts = Counter(str(finding.severity) for finding in findings)
    numbers = [f"{counts[name]} {name}{'s' * (counts[name] != 1)}" for name in _STYLES if counts[name]]
    return Group(*lines, Text(", ".join(numbers) or "nothing found", style="bold"))
