"""Diagrams of a forecast (Mermaid, Graphviz): labels of jobs, what they wait for, and the DAG's nodes."""

__all__ = ["draw_dot", "draw_mermaid"]

import json
from collections.abc import Iterator

from ...bps import gate_node, prepare_node
from .model import Forecast, JobForecast, RunForecast

_LAST = "summary"


def draw_dot(forecast: Forecast) -> str:
    """Draw a forecast in the language of Graphviz."""
    lines = [
        f"digraph {json.dumps(forecast.campaign)} {{",
        '  rankdir=LR; node [shape=box, style=rounded, fontname="sans-serif"]; edge [color="#667788"];',
    ]
    for each in forecast.runs:
        lines.append(f'  subgraph "cluster_{each.run.name}" {{ label="{each.run.name}"; style=dashed;')
        lines += [f"    {_node(each, job)} [label={json.dumps(_describe(job))}];" for job in each.jobs]
        lines.append("  }")
    lines += [f"  {_quoted(name)} [shape=ellipse];" for name in _dag_nodes(forecast)]
    lines += [f"  {parent} -> {child};" for parent, child in _edges(forecast)]
    return "\n".join([*lines, "}", ""])


def draw_mermaid(forecast: Forecast) -> str:
    """Draw a forecast in the language of Mermaid."""
    names: dict[str, str] = {}

    def short(node: str) -> str:
        return names.setdefault(node, f"n{len(names)}")

    lines = ["flowchart LR"]
    for each in forecast.runs:
        lines.append(f"  subgraph {each.run.name}")
        for job in each.jobs:
            text = "<br>".join(_describe(job).splitlines())
            lines.append(f'    {short(_node(each, job))}["{text}"]')
        lines.append("  end")
    lines += [f'  {short(_quoted(name))}(["{name}"])' for name in _dag_nodes(forecast)]
    lines += [f"  {short(parent)} --> {short(child)}" for parent, child in _edges(forecast)]
    return "\n".join([*lines, ""])


def _quoted(name: str) -> str:
    return json.dumps(name)


def _node(run: RunForecast, job: JobForecast) -> str:
    return _quoted(f"{run.run.name}/{job.label}")


def _describe(job: JobForecast) -> str:
    quanta = sum(job.quanta.values())
    counts = f"{job.jobs:,} jobs, {quanta:,} quanta" if quanta else f"{job.jobs:,} job"
    return f"{job.label}\n{counts}\n{job.core_hours:,.2f} core-hours"


def _dag_nodes(forecast: Forecast) -> Iterator[str]:
    """Name the nodes of the campaign DAG that are no runs: before each that waits for others, and at the end."""
    for each in forecast.runs:
        if each.parents:
            yield from (gate_node(each.run), prepare_node(each.run))
    yield _LAST


def _edges(forecast: Forecast) -> Iterator[tuple[str, str]]:
    """Give the pairs of nodes of which the second waits for the first."""
    ends = {each.run.name: _node(each, each.jobs[-1]) for each in forecast.runs}
    waited = {parent for each in forecast.runs for parent in each.parents}
    for each in forecast.runs:
        if each.parents:
            gate, prepare = _quoted(gate_node(each.run)), _quoted(prepare_node(each.run))
            yield from ((ends[parent], gate) for parent in each.parents)
            yield gate, prepare
            yield prepare, _node(each, each.jobs[0])
        yield from _job_edges(each)
        if each.run.name not in waited:
            yield ends[each.run.name], _quoted(_LAST)


def _job_edges(run: RunForecast) -> Iterator[tuple[str, str]]:
    first, last = run.jobs[0], run.jobs[-1]
    labels = {job.label: job for job in run.jobs}
    for job in run.jobs[1:]:
        parents = [labels[name] for name in job.parents if name in labels]
        if job is last:
            # It waits for all others; edges from those that nothing else waits for imply the rest.
            waited = {name for other in run.jobs if other is not last for name in other.parents}
            parents = [parent for parent in parents if parent.label not in waited]
        for parent in parents or [first]:
            yield _node(run, parent), _node(run, job)
