"""Options and exit code of the commands that report findings: ``check`` and ``lint``."""

__all__ = ["RULES", "exit_code", "finding_options"]

import difflib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem
from click.types import StringParamType

if TYPE_CHECKING:
    from ...bps.lint import Finding

FORMS = ("table", "text", "json", "sarif", "github")

#: All rules; docs/lint.md says what each finds.
RULES = (
    "apdb",
    "apdb-order",
    "apdb-retries",
    "apdb-unchecked",
    "band",
    "butler",
    "butler-write",
    "campaign",
    "cluster",
    "cluster-cycle",
    "cluster-unused",
    "compute-site",
    "data-query",
    "dimension",
    "disk",
    "duplicate-key",
    "empty-value",
    "environment",
    "environment-unset",
    "file-name",
    "file-names",
    "fixed-run",
    "group-scripts",
    "include",
    "incomplete",
    "injection",
    "large",
    "misplaced-key",
    "missing-key",
    "misspelt-key",
    "misspelt-site",
    "no-calibration",
    "no-collection",
    "no-data",
    "no-input",
    "no-label",
    "no-pipeline",
    "no-refcat",
    "no-subset",
    "no-templates",
    "options",
    "ordering",
    "other-file",
    "output-exists",
    "override",
    "payload-wins",
    "pipeline",
    "pipelines-differ",
    "plugin-unknown",
    "query-needless",
    "query-open",
    "relative-pipeline",
    "release",
    "removed-key",
    "reuse",
    "simulated-sky",
    "slots",
    "space",
    "stack",
    "stale-chain",
    "unbalanced-brace",
    "unbalanced-quote",
    "uncovered",
    "unchecked",
    "undefined-variable",
    "unknown-class",
    "unknown-key",
    "versions",
    "wms",
    "wrong-type",
    "wrong-unit",
    "yaml",
)


class RuleType(StringParamType):
    """The name of a rule."""

    name = "rule"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Refuse what is none."""
        if value not in RULES:
            near = difflib.get_close_matches(value, RULES, n=2)
            hint = f"did you mean {' or '.join(near)}?" if near else f"valid are {', '.join(RULES)}"
            self.fail(f"there is no rule {value!r}; {hint}", param, ctx)
        return str(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Name the rules."""
        return [CompletionItem(rule) for rule in RULES if rule.startswith(incomplete)]


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
            "--ignore",
            type=RuleType(),
            multiple=True,
            metavar="RULE",
            help="A rule to switch off; may be repeated.",
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
