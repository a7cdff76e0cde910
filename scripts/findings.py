"""What the commands that find mistakes have in common: how findings are shown, and the exit code."""

__all__ = ["exit_code", "finding_options", "show_findings"]

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ..bps.lint import Finding

FORMS = ("table", "text", "json", "sarif", "github")
_STYLES = {"error": "bold red", "warning": "yellow", "info": "cyan"}


def finding_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of findings: ``form``, ``ignore`` and ``strict``."""
    options = (
        click.option(
            "--format",
            "form",
            type=click.Choice(FORMS),
            default="table",
            show_default=True,
            help="How to print what was found: sarif and github are for code hosts.",
        ),
        click.option("--json", "form", flag_value="json", help="The same as --format json."),
        click.option("--ignore", multiple=True, metavar="RULE", help="A rule to switch off."),
        click.option("--strict", is_flag=True, help="Exit 1 for warnings too."),
    )
    for option in reversed(options):
        function = option(function)
    return function


def show_findings(findings: "Sequence[Finding]", form: str) -> None:
    """Print findings."""
    from ..bps.lint import write_findings

    if form == "table":
        _show_table(findings)
    elif text := write_findings(findings, form):
        click.echo(text)


def exit_code(findings: "Sequence[Finding]", *, strict: bool) -> int:
    """Give 1 if there is an error (or, if strict, a warning), else 0."""
    from ..bps.lint import Severity

    bad = {Severity.ERROR, Severity.WARNING} if strict else {Severity.ERROR}
    return int(any(finding.severity in bad for finding in findings))


def _show_table(findings: "Sequence[Finding]") -> None:
    from collections import Counter

    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    for finding in findings:
        head = Text()
        if finding.place:
            head.append(f"{finding.place}: ")
        head.append(str(finding.severity), style=_STYLES[finding.severity])
        head.append(f": {finding.what} ").append(f"[{finding.rule}]", style="dim")
        console.print(head)
        console.print(Text(f"    {finding.why}", style="dim"))
        console.print(Text(f"    → {finding.mend}"))
    counts = Counter(str(finding.severity) for finding in findings)
    numbers = [f"{counts[name]} {name}{'s' * (counts[name] != 1)}" for name in _STYLES if counts[name]]
    console.print(", ".join(numbers) or "nothing found", style="bold")
