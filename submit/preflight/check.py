"""Preflight of a whole campaign: calls every check, and collects all findings."""

__all__ = ["Preflight", "check_campaign", "check_plan_reuse"]

import os
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ...bps import CampaignConfig, Ordering, Plan, PlannedRun, Step, dump_config, plan_campaign
from ...bps.lint import Finding, Severity, lint_file
from ...common.errors import ApcampaignError
from ...common.html import html_lines, html_table
from ...ledger import Workspace
from ...monitor.outcomes import TemplateCoverage, check_templates
from .apdb import check_apdb
from .command_options import check_command_options
from .environment import check_disks, check_environment, check_versions, leave_out_consequences
from .file_names import check_file_names, check_folder
from .injection_apart import check_beside
from .plugin import check_algorithm, check_plugin
from .repository_checks import check_repository, check_taken_over, run_check, worst_first
from .resources import check_slots
from .run_spec import RunSpec, finding_from_error, make_finding, make_run_spec, outputs_before
from .selection import Estimate

#: Rules of the linter that do not apply here: a submission puts the order of visits into the workflow itself, a
#: plugin that is not installed is reported as an error, so is a pipeline that cannot be read, and what is set of a
#: pipeline is compared with the loaded one.
_NOT_OURS = ("apdb-order", "plugin-unknown", "unchecked", "override")


@dataclass(frozen=True, kw_only=True)
class Preflight:
    """What the preflight found.

    Parameters
    ----------
    findings
        What is wrong, errors first.
    selections
        Counts of what the data query of each run selects, by the run's name in the plan.
    estimates
        Quanta of each run, by its name. Tasks whose outputs an earlier run makes are counted in both.
    seconds
        How long it took.
    """

    findings: tuple[Finding, ...]
    selections: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    estimates: Mapping[str, tuple[Estimate, ...]] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        """Whether there is no error."""
        return not any(finding.severity is Severity.ERROR for finding in self.findings)

    def as_dict(self) -> dict[str, Any]:
        """Convert it to plain values, for JSON."""
        return {
            "good": self.good,
            "findings": [finding.as_dict() for finding in self.findings],
            "selections": {name: dict(counts) for name, counts in self.selections.items()},
            "estimates": {
                name: {estimate.label: estimate.quanta for estimate in estimates}
                for name, estimates in self.estimates.items()
            },
            "seconds": round(self.seconds, 1),
        }

    def _repr_html_(self) -> str:
        """Draw it for a notebook: the findings, and what the runs process."""
        verdict = "no errors" if self.good else "errors, with which nothing can be submitted"
        findings = [(f.severity, f.key, f.what, f.why, f.remedy, f.rule) for f in self.findings]
        runs = [
            (
                name,
                ", ".join(f"{count:,} {dimension}" for dimension, count in counts.items()),
                f"{sum(estimate.quanta for estimate in self.estimates.get(name, ())):,}",
            )
            for name, counts in self.selections.items()
        ]
        return (
            html_lines([f"preflight: {verdict}; checked in {self.seconds:.1f} s"])
            + html_table(("severity", "key", "what", "why", "fix", "rule"), findings)
            + html_table(("run", "selected", "quanta, at most"), runs)
        )


def check_campaign(
    workspace: Workspace,
    *,
    steps: Collection[Step] | None = None,
    templates: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> Preflight:
    """Check a whole campaign. Changes nothing.

    Parameters
    ----------
    workspace
        The campaign.
    steps
        The steps that are to be executed; all that the campaign has by default.
    templates
        A collection with templates, instead of the output of the campaign's own first step.
    environment
        The submitter's variables; those of this process by default.

    Raises
    ------
    SettingsError
        If the site is unknown, or BPS is not installed.
    """
    begin = time.monotonic()
    environment = os.environ if environment is None else environment
    plan = plan_campaign(workspace.campaign, steps=steps, templates=templates)
    specs, findings = _check_configs(workspace, plan, environment)
    findings += check_environment(specs, environment)
    findings += check_versions(specs)
    findings += check_disks(_find_folders(workspace))
    findings += check_file_names(plan, workspace.campaign)
    findings += check_folder(workspace, plan)
    if any(run.fills_apdb for run in plan):
        findings += check_apdb(workspace)
        findings += _check_order(workspace.campaign)
        findings += check_beside(workspace)
    findings += check_slots(workspace.site, specs)
    in_repository = check_repository(specs)
    findings += in_repository.findings
    for name, coverage in in_repository.templates.items():
        findings += _check_visits_for_templates(workspace.campaign, name, coverage)
    if not any(finding.rule == "no-input" for finding in findings):
        for run in plan:
            built = not run.needs_templates or run.inputs[0] in outputs_before(plan, run)
            if not built and run.name in in_repository.selections:
                findings += run_check(_check_templates, workspace.campaign, run)
    return Preflight(
        findings=tuple(worst_first(leave_out_consequences(findings, specs, environment))),
        selections=in_repository.selections,
        estimates=in_repository.estimates,
        seconds=time.monotonic() - begin,
    )


def check_plan_reuse(
    workspace: Workspace, plan: Plan, *, prepared: Mapping[str, str], own: bool = True
) -> list[Finding]:
    """Check only whether the runs of a plan take over what was made with another configuration.

    Parameters
    ----------
    workspace, plan
        The campaign, and the runs.
    prepared
        The graphs of runs that the repository does not know yet, by their RUN collection.
    own
        Whether to compare with earlier runs of the same step too.

    Raises
    ------
    ApcampaignError
        If a BPS config cannot be made, or the repository cannot be read.
    """
    specs = []
    for run in plan:
        compared = run if own else replace(run, skip_existing=_others(run))
        specs.append(make_run_spec(workspace, compared, os.environ, planned=outputs_before(plan, run)))
    return check_taken_over(specs, prepared)


def _others(run: PlannedRun) -> tuple[str, ...]:
    """Name the collections that a run skips and that no earlier run of its step has filled."""
    return tuple(name for name in run.skip_existing if not name.startswith(f"{run.output}/"))


def _check_configs(
    workspace: Workspace, plan: Plan, environment: Mapping[str, str]
) -> tuple[list[RunSpec], list[Finding]]:
    """Make the BPS config of each run of a plan, and check it."""
    findings: list[Finding] = []
    specs: list[RunSpec] = []
    for run in plan:
        try:
            spec = make_run_spec(workspace, run, environment, planned=outputs_before(plan, run))
        except ApcampaignError as error:
            why = "the BPS config of this run cannot be made"
            findings.append(finding_from_error(error, "campaign", why, remedy="correct it", key=run.name))
            continue
        specs.append(spec)
        findings += _lint(run, spec, environment)
        findings += check_plugin(spec)
        findings += check_algorithm(spec)
        findings += run_check(check_command_options, spec)
    return specs, findings


def _find_folders(workspace: Workspace) -> dict[str, Path]:
    """Find the folders that a submission writes to, by what it writes there."""
    folders = {"the runs": workspace.paths.folder}
    if Path(workspace.campaign.butler).exists():  # else it is an alias, or elsewhere
        folders["the outputs"] = Path(workspace.campaign.butler)
    return folders


def _check_templates(campaign: CampaignConfig, run: PlannedRun) -> Iterator[Finding]:
    """Report missing templates that no run of the plan makes."""
    coverage = check_templates(campaign, run)
    if coverage.missing:
        allowed = campaign.allow_missing_templates
        yield make_finding(
            Severity.ERROR if coverage.missing_percent > allowed else Severity.WARNING,
            "no-templates",
            coverage.describe(),
            "there is no difference image where there is no template",
            f"build them, or allow some to be missing (allowMissingTemplates, now {allowed:g} %)",
            key=f"{run.name}: inCollection",
        )


def _check_visits_for_templates(
    campaign: CampaignConfig, name: str, coverage: TemplateCoverage
) -> Iterator[Finding]:
    """Report templates that the templates step cannot build, since it has no visit there."""
    if coverage.missing:
        allowed = campaign.allow_missing_templates
        yield make_finding(
            Severity.WARNING if coverage.within(allowed) else Severity.ERROR,
            "uncovered",
            f"no visit for templates overlaps {len(coverage.missing)} of {len(coverage.needed)} (patch, band) "
            f"under the science visits: {coverage.list_missing()}",
            "there is no difference image where there is no template, and the gate between the steps lets only as "
            "many be missing as the campaign allows",
            "take more visits for templates, or fewer science visits ('where' of the step), or allow some to be "
            f"missing (allowMissingTemplates, now {allowed:g} %)",
            key=f"{name}: where",
        )


def _check_order(campaign: CampaignConfig) -> Iterator[Finding]:
    """Report associations that do not wait for each other."""
    if campaign.diffim.ordering is Ordering.NONE:
        yield make_finding(
            Severity.WARNING,
            "apdb-order",
            "associations do not wait for each other",
            "a visit may read the APDB before an earlier one of the same sky has written it: history goes missing",
            "set ordering: overlap",
            key="diffim: ordering",
        )


def _lint(run: PlannedRun, spec: RunSpec, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Lint the config that would be written; its line numbers would mean nothing to anybody."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bps.yaml"
        path.write_text(dump_config(spec.config), encoding="utf-8")
        for finding in lint_file(path, environment=environment, ignore=_NOT_OURS):
            key = f"{run.name}: {finding.key}" if finding.key else run.name
            # It is this installation that will submit the run.
            severity = Severity.ERROR if finding.rule == "group-scripts" else finding.severity
            yield replace(finding, severity=severity, file=None, line=None, column=None, key=key)
