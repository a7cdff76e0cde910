"""What a campaign file alone shows of the campaign: nobody is asked, neither repository nor database nor WMS."""

__all__ = ["check_campaign_file"]

import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from ...apdb import check_namespace
from ...bps import (
    GRAPH_OPTIONS,
    CampaignConfig,
    PlannedRun,
    Site,
    StepSettings,
    build_config,
    dump_config,
    load_site,
    plan_campaign,
)
from ...bps.lint import Finding, Severity, lint_file
from ...bps.lint.campaign_file import load_alone
from ...bps.lint.tree import Section, read_tree
from ...bps.options import RUN_OPTIONS
from ...common.errors import ApcampaignError, SettingsError
from ...pipelines import find_pipeline

#: Rules of the linter about what only the machine has from which the campaign is submitted, and about an order of
#: visits that `submit` makes by itself.
_NOT_HERE = ("apdb-order", "environment-unset", "group-scripts", "plugin-unknown", "unchecked")
#: The keys of a step or of the campaign that BPS's keys are made from.
_MADE_FROM: Mapping[str, tuple[str, ...]] = {
    "pipelineYaml": ("pipeline", "pipelineYaml"),
    "payload.butlerConfig": ("butler",),
    "payload.inCollection": ("inCollection",),
    "payload.dataQuery": ("dataQuery", "where"),
    GRAPH_OPTIONS: ("qgraphOptions", "config", "parameters"),
    RUN_OPTIONS: ("runOptions",),
}


def check_campaign_file(path: Path, environment: Mapping[str, str] | None = None) -> list[Finding]:
    """Find mistakes in a campaign file that can be read, but not used by every command.

    Its site, its pipelines and its namespace are looked up, and the rules of the linter are applied to the configs
    that BPS would get.

    Parameters
    ----------
    path
        The file. Nothing is found in one that cannot be read: that is told by `apcampaign.bps.lint`.
    environment
        The submitter's variables; those of this process by default.
    """
    environment = os.environ if environment is None else environment
    try:
        campaign = load_alone(path)
    except SettingsError:
        return []
    file = read_tree(path)[0]
    findings = []
    for keys, error in _find_errors(campaign):
        findings.append(_make_finding(path, file, keys, error))
    if not findings:
        try:
            site = load_site(campaign.site)
            runs = [(run, list(_lint(campaign, run, site, environment))) for run in plan_campaign(campaign)]
        except ApcampaignError as error:
            key = error.what.partition(":")[0]
            return [_make_finding(path, file, tuple(key.split(".")), error)]
        own = read_tree(site.file)[0] if site.file and _is_own(campaign.site) else Section()
        findings = _place_all(path, file, own, runs)
    return findings


def _find_errors(campaign: CampaignConfig) -> Iterator[tuple[tuple[str, ...], ApcampaignError]]:
    """Find what is named and not there, or cannot be made."""
    try:
        load_site(campaign.site)
    except ApcampaignError as error:
        yield ("site",), error
    for step in campaign.steps:
        settings: StepSettings = getattr(campaign, step)
        try:
            find_pipeline(settings.pipeline, f"{step}.pipeline")
        except ApcampaignError as error:
            yield (step, "pipeline"), error
    apdb = campaign.apdb
    if apdb.namespace and not (apdb.url or "").startswith("sqlite"):
        try:
            check_namespace(apdb.namespace)
        except ApcampaignError as error:
            yield ("apdb", "namespace"), error


def _lint(
    campaign: CampaignConfig, run: PlannedRun, site: Site, environment: Mapping[str, str]
) -> Iterator[Finding]:
    """Lint the config of a run; what is in it has no file."""
    config = build_config(
        campaign,
        run,
        site,
        submit_path=Path("/submit") / run.step / run.folder,
        apdb_config=campaign.apdb.config or "label:apdb",
        environment=environment,
    )
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "bps.yaml"
        written.write_text(dump_config(config), encoding="utf-8")
        for finding in lint_file(written, environment=environment, ignore=_NOT_HERE):
            if finding.file != str(written):
                yield finding
            elif finding.rule != "include" or _is_own(campaign.site):
                yield replace(finding, file=None, line=None, column=None)


def _place_all(
    path: Path, file: Section, site: Section, runs: Iterable[tuple[PlannedRun, list[Finding]]]
) -> list[Finding]:
    """Find where the mistakes of the configs stand in the campaign file, or in the site's."""
    found = [[_place(each, path, file, site, run.step) for each in findings] for run, findings in runs]
    unknown = [{each.key for each in findings if each.rule == "no-label"} for findings in found]
    everywhere = set.intersection(*unknown)

    def counts(finding: Finding, *, first: bool) -> bool:
        # A task of settings for both steps need only be one of either's pipeline.
        shared = finding.rule == "no-label" and str(finding.key).startswith("bps.")
        return not shared or (first and finding.key in everywhere)

    return list(
        dict.fromkeys(
            each for findings in found for each in findings if counts(each, first=findings is found[0])
        )
    )


def _place(finding: Finding, path: Path, file: Section, site: Section, step: str) -> Finding:
    if finding.file is not None or finding.key is None:
        return replace(finding, file=finding.file or str(path))
    keys = finding.key.split(".")
    made_from = [
        each for key in _MADE_FROM.get(finding.key, ()) for each in ((step, key), (key,))
    ]  # a step's own before the campaign's
    places = [(file, (step, "bps", *keys)), (file, ("bps", *keys)), *((file, each) for each in made_from)]
    places += [(site, tuple(keys))]
    # What a section lacks is told of the section.
    places += [(file, (*top, *keys[:1])) for top in ((step, "bps"), ("bps",))]
    for tree, names in places:
        if item := tree.find(*names):
            where = item.place
            return replace(
                finding, file=where.file, line=where.line, column=where.column, key=".".join(item.path)
            )
    return replace(finding, file=str(path), key=f"{step}: {finding.key}")


def _make_finding(path: Path, file: Section, keys: tuple[str, ...], error: ApcampaignError) -> Finding:
    item = next((found for most in range(len(keys), 0, -1) if (found := file.find(*keys[:most]))), None)
    end = "no APDB can be made for it" if keys[0] == "apdb" else "no run of this campaign can be prepared"
    remedy = error.remedy or (f"write {error.expected}" if error.expected else "correct it")
    what = re.sub(rf"^{re.escape('.'.join(keys))}: ", "", error.what)
    return Finding(
        severity=Severity.ERROR,
        rule="campaign",
        what=what,
        why=f"the file can be read, but {end}",
        remedy=remedy,
        file=item.place.file if item else str(path),
        key=".".join(keys),
        line=item.place.line if item else None,
        column=item.place.column if item else None,
    )


def _is_own(site: str) -> bool:
    """Tell whether a site is a file of the user's rather than one that comes along."""
    return "/" in site or site.endswith(".yaml")
