"""All checks that ask the repository, run by run: repository, pipelines, clusters, selection, inputs, reuse."""

__all__ = ["RepositoryChecks", "check_repository", "check_taken_over", "run_check", "worst_first"]

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from ...bps.lint import Finding, Severity
from ...common.errors import RepositoryError
from ...common.progress import show_progress
from ...monitor.outcomes import TEMPLATE, TemplateCoverage, find_templates
from .bands import check_bands
from .clusters import check_clusters
from .injection import check_injection
from .inputs import check_inputs
from .pipelines import check_templates_made, load_graph, read_pipeline_graph
from .query_checks import check_query, check_wanted
from .release import check_release
from .repository import check_collections, check_writable, open_repository
from .reuse import Maker, check_reuse
from .run_spec import RunSpec, finding_from_error, make_finding
from .selection import Estimate, Selection, estimate_quanta, select
from .simulated import check_simulated_sky


@dataclass
class RepositoryChecks:
    """What was found in a repository.

    Parameters
    ----------
    findings
        What is wrong.
    selections
        Counts of what the data query of each run selects, by the run's name.
    estimates
        Quanta of each run, by its name.
    templates
        Of each run that reads the templates of another one, by its name: those that it needs, and those over which
        no visit for templates lies.
    """

    findings: list[Finding] = field(default_factory=list)
    selections: dict[str, dict[str, int]] = field(default_factory=dict)
    estimates: dict[str, tuple[Estimate, ...]] = field(default_factory=dict)
    templates: dict[str, TemplateCoverage] = field(default_factory=dict)


def check_repository(specs: Sequence[RunSpec]) -> RepositoryChecks:
    """Check everything for which the repository must be asked.

    Parameters
    ----------
    specs
        The runs, in an order in which they can be executed, all on one repository.
    """
    found = RepositoryChecks()
    if not specs:
        return found
    with ExitStack() as stack:
        butler: Any = None
        try:
            butler = stack.enter_context(open_repository(specs[0].butler))
        except RepositoryError as error:
            why = "nothing can be read from it, so nothing about the data is checked"
            found.findings.append(finding_from_error(error, "butler", why, remedy=error.remedy, key="butler"))
        graphs = _check_pipelines(specs, butler, found)
        if butler is not None:
            found.findings += run_check(check_writable, specs[0])
        selections: dict[str, Selection | None] = {}
        for spec in specs:
            parents = _find_parents(spec, specs)
            if butler is not None:
                selections[spec.name] = _check_data(butler, spec, parents, graphs, found)
                if coverage := _cover(butler, spec, parents, graphs, selections):
                    found.templates[spec.name] = coverage
            if spec.name in graphs:
                makers = [
                    Maker(name=parent.name, graph=graphs[parent.name], selection=selections.get(parent.name))
                    for parent in parents
                    if parent.output in spec.skip_existing and parent.name in graphs
                ]
                found.findings += run_check(
                    check_reuse, butler, spec, graphs[spec.name], selections.get(spec.name), makers
                )
    return found


def check_taken_over(specs: Sequence[RunSpec], prepared: Mapping[str, str]) -> list[Finding]:
    """Check only whether runs take over what was made with another configuration.

    Parameters
    ----------
    specs
        The runs, in an order in which they can be executed, all on one repository.
    prepared
        The graphs of runs that the repository does not know yet, by their RUN collection.

    Raises
    ------
    RepositoryError
        If the repository cannot be read.
    """
    findings: list[Finding] = []
    if not specs:
        return findings
    runs: dict[str, Maker] = {}
    with open_repository(specs[0].butler) as butler:
        for spec in specs:
            graph, _ = load_graph(spec, butler)
            if graph is None:  # preparing it says why
                continue
            selection, _ = select(butler, spec, graph)
            runs[spec.name] = Maker(name=spec.name, graph=graph, selection=selection)
            makers = [
                runs[parent.name]
                for parent in _find_parents(spec, specs)
                if parent.output in spec.skip_existing and parent.name in runs
            ]
            makers += [
                Maker(name=name, graph=read_pipeline_graph(prepared[name]))
                for name in spec.skip_existing
                if name in prepared
            ]
            findings += run_check(check_reuse, butler, spec, graph, selection, makers)
    return findings


def _find_parents(spec: RunSpec, specs: Sequence[RunSpec]) -> list[RunSpec]:
    """Find the runs whose outputs a run reads."""
    return [other for other in specs if other.output in spec.planned]


def _check_pipelines(specs: Sequence[RunSpec], butler: Any, found: RepositoryChecks) -> dict[str, Any]:
    """Load the pipeline of each run, and compare those of which one reads what the other makes."""
    graphs: dict[str, Any] = {}
    for spec in specs:
        release = run_check(check_release, spec)
        graph, findings = load_graph(spec, butler)
        # That a pipeline cannot be read has its cause in the release, where that lacks tasks.
        found.findings += release if release and graph is None else [*release, *findings]
        if graph is not None:
            graphs[spec.name] = graph
            found.findings += run_check(check_clusters, spec, graph)
    for spec in specs:
        for parent in _find_parents(spec, specs):
            if spec.name in graphs and parent.name in graphs:
                both, names = (graphs[parent.name], graphs[spec.name]), (parent.name, spec.name)
                found.findings += run_check(check_templates_made, *both, names)
    return graphs


def _check_data(
    butler: Any, spec: RunSpec, parents: Sequence[RunSpec], graphs: Mapping[str, Any], found: RepositoryChecks
) -> Selection | None:
    """Check the collections of a run, and if its pipeline could be loaded what its data query selects."""
    collections = run_check(check_collections, butler, spec)
    found.findings += collections
    graph = graphs.get(spec.name)
    if graph is None:
        return None
    found.findings += run_check(check_query, butler, spec, graph)
    if any(finding.rule == "no-collection" for finding in collections):
        return None
    selection: Selection | None
    with show_progress(f"reading what {spec.name} selects"):
        selection, findings = select(butler, spec, graph)
    found.findings += findings
    made = _find_products(spec, parents, graphs)
    found.findings += run_check(check_inputs, butler, spec, graph, selection, made)
    found.findings += run_check(check_injection, butler, spec, graph, selection)
    if selection is not None:
        found.findings += run_check(check_wanted, butler, spec, selection)
        found.findings += run_check(check_simulated_sky, spec, graph, selection)
        found.findings += run_check(check_bands, spec, graph, selection)
        found.selections[spec.name] = selection.counts
        found.estimates[spec.name] = tuple(estimate_quanta(selection, graph))
    return selection


def _cover(
    butler: Any,
    spec: RunSpec,
    parents: Sequence[RunSpec],
    graphs: Mapping[str, Any],
    selections: Mapping[str, Selection | None],
) -> TemplateCoverage | None:
    """Compare the patches under the visits of a run with those under the visits that make its templates.

    `None` if it reads no templates that another run makes, or not all patches of that were looked up.
    """
    science = selections.get(spec.name)
    makers = [
        parent
        for parent in parents
        if parent.name in graphs and graphs[parent.name].producer_of(TEMPLATE) is not None
    ]
    built = [selections.get(maker.name) for maker in makers]
    if science is None or not makers or any(each is None or each.cut or each.share < 1 for each in built):
        return None
    names = ("tract", "patch", "band")
    if not {*names} <= {*science.dimensions} or any(
        each and not {*names} <= {*each.dimensions} for each in built
    ):
        return None
    needed = science.project(names)
    covered = {key for each in built if each for key in each.project(names)}
    for maker in makers:  # what earlier runs have built is in the same collection
        covered |= find_templates(butler, maker.output)
    return TemplateCoverage(
        needed=needed, missing=needed - covered, collections=tuple(maker.output for maker in makers)
    )


def _find_products(
    spec: RunSpec, parents: Sequence[RunSpec], graphs: Mapping[str, Any]
) -> frozenset[str] | None:
    """Name the dataset types that the runs before one make; `None` if one of their pipelines is not known."""
    before = [graphs[parent.name] for parent in parents if parent.name in graphs]
    if len(before) < len(parents) or not spec.planned <= {parent.output for parent in parents}:
        return None
    return frozenset(
        name for graph in before for name in graph.dataset_types if graph.producer_of(name) is not None
    )


def run_check(check: Callable[..., Iterator[Finding]], *arguments: Any) -> list[Finding]:
    """Collect the findings of a check; one that fails is a finding too, and the others go on."""
    what = check.__name__.lstrip("_").removeprefix("check_").replace("_", " ")
    try:
        with show_progress(f"checking {what}"):
            return list(check(*arguments))
    except Exception as error:
        first = str(error).splitlines()[0] if str(error) else ""
        return [
            make_finding(
                Severity.WARNING,
                "unchecked",
                f"the check of {what} could not be done: {type(error).__name__}: {first}",
                "mistakes of that kind are not found now",
                "fix the other findings first, then check again",
            )
        ]


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Put findings in order, each once, errors first."""
    rank = list(Severity)
    return sorted(dict.fromkeys(findings), key=lambda finding: rank.index(finding.severity))
