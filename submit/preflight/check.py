"""The whole preflight: every subject in turn, all findings at once."""

__all__ = ["Preflight", "check_campaign", "check_file"]

import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ...bps import Campaign, PlannedRun, Site, Step, build_config, dump_config, make_timestamp, plan_campaign
from ...bps.lint import Finding, Severity, lint_file
from ...bps.lint.includes import expand, read_with_includes
from ...bps.lint.tree import plain
from ...common.errors import ApcampaignError
from ..paths import CampaignPaths
from .database import check_database
from .inputs import check_inputs
from .pipelines import check_agreement, load_graph
from .repository import check_collections, check_writable, open_repository
from .selection import Estimate, Selection, check_query, estimate_quanta, select
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
    findings += check_workers(site, subjects)
    selections, estimates, more = _check_data(subjects)
    findings += more
    return Preflight(
        findings=tuple(_worst_first(findings)),
        selections=selections,
        estimates=estimates,
        seconds=time.monotonic() - begin,
    )


def check_file(path: Path, environment: Mapping[str, str] = os.environ) -> list[Finding]:
    """Check anybody's submit file against the repository and the pipeline that it names. Changes nothing.

    Parameters
    ----------
    path
        The file.
    environment
        The variables of whoever submits.
    """
    root, _, _ = read_with_includes(path, environment)
    config = plain(root)
    payload = config.get("payload") or {}
    settings = {**config, **(payload if isinstance(payload, dict) else {})}

    def text(key: str, default: str = "") -> str:
        value = settings.get(key, default)
        return expand(str(value), environment) if value is not None else ""

    needed = ("butlerConfig", "inCollection", "pipelineYaml")
    if missing := [key for key in needed if not text(key) or "{" in text(key)]:
        return [
            replace(
                problem(
                    Severity.INFO,
                    "incomplete",
                    f"the repository is not asked: the file has no plain {', '.join(missing)}",
                    "what it would process is not known",
                    "check the file that is submitted in the end",
                ),
                file=str(path),
            )
        ]
    subject = Subject(
        name=path.name,
        butler=text("butlerConfig"),
        inputs=tuple(word.strip(" '") for word in text("inCollection").split(",")),
        output=text("output"),
        output_run=text("outputRun"),
        query=text("dataQuery"),
        pipeline=text("pipelineYaml"),
        parameters=_parameters(text("extraQgraphOptions")),
        config=config,
    )
    findings = [*check_environment([subject], environment), *check_versions([subject])]
    findings += _check_data([subject])[2]
    return [replace(finding, file=str(path)) for finding in _worst_first(findings)]


def _parameters(options: str) -> dict[str, str]:
    """Find the parameters of the pipeline in options such as ``-c parameters:name=value``."""
    words = options.replace("=", "=").split()
    pairs = [word.removeprefix("parameters:") for word in words if word.startswith("parameters:")]
    return dict(pair.split("=", 1) for pair in pairs if "=" in pair)


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


def _check_data(
    subjects: list[Subject],
) -> tuple[dict[str, dict[str, int]], dict[str, tuple[Estimate, ...]], list[Finding]]:
    """Check everything for which the repository must be asked."""
    selections: dict[str, dict[str, int]] = {}
    estimates: dict[str, tuple[Estimate, ...]] = {}
    findings: list[Finding] = []
    if not subjects:
        return selections, estimates, findings
    butler, more = open_repository(subjects[0].butler)
    findings += more
    graphs: dict[str, Any] = {}
    for subject in subjects:
        graph, more = load_graph(subject, butler)
        findings += more
        if graph is not None:
            graphs[subject.name] = graph
    if {Step.TEMPLATES, Step.DIFFIM} <= graphs.keys():
        findings += _all_of(check_agreement, graphs[Step.TEMPLATES], graphs[Step.DIFFIM])
    if butler is None:
        return selections, estimates, findings
    with closing(butler):
        findings += check_writable(subjects[0])
        made: set[str] = set()
        for subject in subjects:
            collections = _all_of(check_collections, butler, subject)
            findings += collections
            graph = graphs.get(subject.name)
            if graph is None:
                continue
            findings += _all_of(check_query, butler, subject, graph)
            selection: Selection | None = None
            if not any(finding.rule == "no-collection" for finding in collections):
                selection, more = select(butler, subject, graph)
                findings += more
                findings += _all_of(check_inputs, butler, subject, graph, selection, frozenset(made))
            if selection is not None:
                selections[subject.name] = selection.counts
                estimates[subject.name] = tuple(estimate_quanta(selection, graph))
            made |= {name for name in graph.dataset_types if graph.producer_of(name) is not None}
    return selections, estimates, findings


def _all_of(check: Callable[..., Iterator[Finding]], *arguments: Any) -> list[Finding]:
    """Gather the findings of a check of data; one that fails is a finding too, and the others go on."""
    try:
        return list(check(*arguments))
    except Exception as error:
        first = str(error).splitlines()[0] if str(error) else ""
        what = check.__name__.removeprefix("check_").replace("_", " ")
        return [
            problem(
                Severity.WARNING,
                "unchecked",
                f"the check of {what} could not be done: {type(error).__name__}: {first}",
                "mistakes of that kind are not found now",
                "mend the other findings first, then check again",
            )
        ]


def _worst_first(findings: Iterable[Finding]) -> list[Finding]:
    rank = list(Severity)
    return sorted(dict.fromkeys(findings), key=lambda finding: rank.index(finding.severity))
