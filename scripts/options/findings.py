"""Options and exit code of the commands that report findings: ``check`` and ``lint``."""

__all__ = ["exit_code", "finding_options"]

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ...bps.lint import Finding

FORMS = ("table", "text", "json", "sarif", "github")


def finding_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of findings: ``form``, ``ignore`` and ``strict``."""
    options = (
        click.option(
            "--format",
            "form",
            type=click.Choice(FORMS),
            default="table",
            show_default=True,
            help="Output format; sarif and github are for code hosts.",
        ),
        click.option("--json", "form", flag_value="json", help="The same as --format json."),
        click.option(
            "--ignore", multiple=True, metavar="RULE", help="A rule to switch off; may be repeated."
        ),
        click.option("--strict", is_flag=True, help="Exit with 1 for warnings too."),
    )
    for option in reversed(options):
        function = option(function)
    return function


def exit_code(findings: "Sequence[Finding]", *, strict: bool) -> int:
    """Compute the exit code: 1 if there is an error or, if ``strict``, a warning; else 0."""
    from ...bps.lint import Severity

    bad = {Severity.ERROR, Severity.WARNING} if strict else {Severity.ERROR}
    return int(any(finding.severity in bad for finding in findings))
