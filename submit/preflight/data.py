"""Everything for which the repository must be asked, subject by subject."""

__all__ = ["check_data", "gather", "worst_first"]

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import Any

from ...bps import Step
from ...bps.lint import Finding, Severity
from .clusters import check_clusters
from .inputs import check_inputs
from .pipelines import check_agreement, load_graph
from .repository import check_collections, check_writable, open_repository
from .selection import Estimate, Selection, check_query, estimate_quanta, select
from .subject import Subject, problem


def check_data(
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
            findings += gather(check_clusters, subject, graph)
    if {Step.TEMPLATES, Step.DIFFIM} <= graphs.keys():
        findings += gather(check_agreement, graphs[Step.TEMPLATES], graphs[Step.DIFFIM])
    if butler is None:
        return selections, estimates, findings
    with closing(butler):
        findings += gather(check_writable, subjects[0])
        made: set[str] = set()
        for subject in subjects:
            collections = gather(check_collections, butler, subject)
            findings += collections
            graph = graphs.get(subject.name)
            if graph is None:
                continue
            findings += gather(check_query, butler, subject, graph)
            selection: Selection | None = None
            if not any(finding.rule == "no-collection" for finding in collections):
                selection, more = select(butler, subject, graph)
                findings += more
                findings += gather(check_inputs, butler, subject, graph, selection, frozenset(made))
            if selection is not None:
                selections[subject.name] = selection.counts
                estimates[subject.name] = tuple(estimate_quanta(selection, graph))
            made |= {name for name in graph.dataset_types if graph.producer_of(name) is not None}
    return selections, estimates, findings


def gather(check: Callable[..., Iterator[Finding]], *arguments: Any) -> list[Finding]:
    """Gather the findings of a check of data; one that fails is a finding too, and the others go on."""
    try:
        return list(check(*arguments))
    except Exception as error:
        first = str(error).splitlines()[0] if str(error) else ""
        what = check.__name__.lstrip("_").removeprefix("check_").replace("_", " ")
        return [
            problem(
                Severity.WARNING,
                "unchecked",
                f"the check of {what} could not be done: {type(error).__name__}: {first}",
                "mistakes of that kind are not found now",
                "mend the other findings first, then check again",
            )
        ]


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Put findings in order, each once, errors first."""
    rank = list(Severity)
    return sorted(dict.fromkeys(findings), key=lambda finding: rank.index(finding.severity))
