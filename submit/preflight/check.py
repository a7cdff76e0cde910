"""The whole preflight: every subject in turn, all findings at once."""

__all__ = ["Preflight", "check_campaign"]

import os
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ...bps import (
    Campaign,
    Ordering,
    PlannedRun,
    Site,
    Step,
    build_config,
    dump_config,
    make_timestamp,
    plan_campaign,
)
from ...bps.lint import Finding, Severity, lint_file
from ...common.errors import ApcampaignError
from ..gate import check_templates
from ..paths import CampaignPaths
from .data import check_data, gather, worst_first
from .database import check_database
from .selection import Estimate
from .subject import Subject, problem
from .surroundings import check_disks, check_environment, check_versions
from .workers import check_workers

#: Rules of the linter that do not hold for what `apcampaign submit` makes: it adds the order of visits itself.
_NOT_OURS = ("apdb-order", "plugin-unknown")


@dataclass(frozen=True, kw_only=True)
class Preflight:
    """What the preflight found.

    Parameters
    ----------
    findings
        What is wrong.
    selections
        Counts of what each step's data query selects, by step.
    estimates
        Quanta by step; tasks whose outputs the first step has made count in both.
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
        """Give it as plain values, for JSON."""
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


def check_campaign(
    campaign: Campaign,
    site: Site,
    paths: CampaignPaths,
    *,
    templates: str | None = None,
    steps: Iterable[Step] = tuple(Step),
    environment: Mapping[str, str] = os.environ,
) -> Preflight:
    """Check a whole campaign. Changes nothing.

    Parameters
    ----------
    campaign, site, paths
        What to run, where, and where its files go.
    templates
        A collection with templates, instead of the campaign's own first step.
    steps
        Which steps are to run.
    environment
        The variables of whoever submits.
    """
    begin = time.monotonic()
    findings: list[Finding] = []
    subjects: list[Subject] = []
    steps = tuple(steps)
    plan = plan_campaign(campaign, timestamp=make_timestamp(), steps=steps, templates=templates)
    made = {run.output for run in plan.runs}
    for run in plan.runs:
        try:
            subject, config = _subject_of(campaign, run, site, paths, environment)
        except ApcampaignError as error:
            what, _, mend = str(error).partition("; ")
            why = "the BPS config of this step cannot be made"
            findings.append(
                problem(Severity.ERROR, "campaign", what, why, mend or "correct it", key=str(run.step))
            )
            continue
        subjects.append(replace(subject, planned=frozenset(made & set(run.inputs))))
        findings += _lint(run, config, environment)
    findings += check_environment(subjects, environment)
    findings += check_versions(subjects)
    folders = {"the runs": paths.folder}
    if Path(campaign.butler).exists():  # else it is an alias, or elsewhere
        folders["the outputs"] = Path(campaign.butler)
    findings += check_disks(folders)
    if Step.DIFFIM in steps:
        findings += check_database(campaign, paths)
        findings += _check_order(campaign)
    findings += check_workers(site, subjects)
    selections, estimates, more = check_data(subjects)
    findings += more
    for run in plan.runs:
        there = run.inputs[0] not in made and not any(finding.rule == "no-input" for finding in findings)
        if run.step is Step.DIFFIM and str(run.step) in selections and there:
            findings += gather(_check_templates, campaign, run)
    return Preflight(
        findings=tuple(worst_first(findings)),
        selections=selections,
        estimates=estimates,
        seconds=time.monotonic() - begin,
    )


def _check_templates(campaign: Campaign, run: PlannedRun) -> Iterator[Finding]:
    """Report templates that are missing where no run before makes them."""
    result = check_templates(campaign, run)
    if result.missing:
        allowed = campaign.allow_missing_templates
        yield problem(
            Severity.ERROR if result.missing_percent > allowed else Severity.WARNING,
            "no-templates",
            result.explain(),
            "there is no difference image where there is no template",
            f"build them, or allow that some are missing (allowMissingTemplates, now {allowed:g} %)",
            key=f"{run.step}: inCollection",
        )


def _check_order(campaign: Campaign) -> Iterator[Finding]:
    """Report associations that do not wait for each other."""
    if campaign.diffim.ordering is Ordering.NONE:
        yield problem(
            Severity.WARNING,
            "apdb-order",
            "associations do not wait for each other",
            "a visit may read the APDB before an earlier one of the same sky has written it: history goes missing",
            "take ordering: overlap",
            key="diffim: ordering",
        )


def _subject_of(
    campaign: Campaign, run: PlannedRun, site: Site, paths: CampaignPaths, environment: Mapping[str, str]
) -> tuple[Subject, dict[str, Any]]:
    # The APDB may not have been made yet; the pipeline only needs a name.
    apdb = campaign.apdb.config or str(paths.apdb_config)
    config = build_config(
        campaign,
        run,
        site,
        submit_path=paths.run(run).submit,
        apdb_config=apdb,
        environment=environment,
        edges_added=True,
    )
    payload = config["payload"]
    subject = Subject(
        name=str(run.step),
        butler=str(payload["butlerConfig"]),
        inputs=run.inputs,
        output=run.output,
        output_run=run.output_run,
        query=str(payload["dataQuery"]),
        pipeline=str(config["pipelineYaml"]),
        parameters={"apdb_config": apdb} if run.step is Step.DIFFIM else {},
        config=config,
        renews=True,
    )
    return subject, config


def _lint(run: PlannedRun, config: Mapping[str, Any], environment: Mapping[str, str]) -> Iterator[Finding]:
    """Lint the config that would be written; it has no lines that anybody could look up."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bps.yaml"
        path.write_text(dump_config(config), encoding="utf-8")
        for finding in lint_file(path, environment=environment, ignore=_NOT_OURS):
            key = f"{run.step}: {finding.key}" if finding.key else str(run.step)
            yield replace(finding, file=None, line=None, column=None, key=key)
