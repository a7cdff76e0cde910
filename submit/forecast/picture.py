"""A picture of a forecast: the labels of jobs, what they wait for, and the chain around them."""

__all__ = ["draw_dot", "draw_mermaid"]

import json
from collections.abc import Iterator

from ...bps import Step
from .model import Forecast, JobForecast, StepForecast

#: What is between the steps of a chain.
_BETWEEN = ("gate", "prepare-diffim")
_LAST = "summary"


def draw_dot(forecast: Forecast) -> str:
    """Draw a forecast in the language of Graphviz."""
    lines = [
        f"digraph {json.dumps(forecast.campaign)} {{",
        '  rankdir=LR; node [shape=box, style=rounded, fontname="sans-serif"]; edge [color="#667788"];',
    ]
    for step in forecast.steps:
        lines.append(f'  subgraph "cluster_{step.step}" {{ label="{step.step}"; style=dashed;')
        lines += [f"    {_node(step, job)} [label={json.dumps(_words(job))}];" for job in step.jobs]
        lines.append("  }")
    lines += [f'  "{name}" [shape=ellipse];' for name in _chain_nodes(forecast)]
    lines += [f"  {parent} -> {child};" for parent, child in _edges(forecast)]
    return "\n".join([*lines, "}", ""])


def draw_mermaid(forecast: Forecast) -> str:
    """Draw a forecast in the language of Mermaid."""
    names: dict[str, str] = {}

    def short(node: str) -> str:
        return names.setdefault(node, f"n{len(names)}")

    lines = ["flowchart LR"]
    for step in forecast.steps:
        lines.append(f"  subgraph {step.step}")
        for job in step.jobs:
            words = "<br>".join(_words(job).splitlines())
            lines.append(f'    {short(_node(step, job))}["{words}"]')
        lines.append("  end")
    lines += [f'  {short(_quoted(name))}(["{name}"])' for name in _chain_nodes(forecast)]
    lines += [f"  {short(parent)} --> {short(child)}" for parent, child in _edges(forecast)]
    return "\n".join([*lines, ""])


def _quoted(name: str) -> str:
    return json.dumps(name)


def _node(step: StepForecast, job: JobForecast) -> str:
    return _quoted(f"{step.step}/{job.label}")


def _words(job: JobForecast) -> str:
    quanta = sum(job.quanta.values())
    counts = f"{job.jobs:,} jobs, {quanta:,} quanta" if quanta else f"{job.jobs:,} job"
    return f"{job.label}\n{counts}\n{job.core_hours:,.2f} core-hours"


def _chain_nodes(forecast: Forecast) -> tuple[str, ...]:
    """Name the nodes of the chain that are no runs."""
    return (*(_BETWEEN if any(step.step is Step.DIFFIM for step in forecast.steps) else ()), _LAST)


def _edges(forecast: Forecast) -> Iterator[tuple[str, str]]:
    before: str | None = None
    for step in forecast.steps:
        first, *_, last = step.jobs
        if step.step is Step.DIFFIM:
            for name in _BETWEEN:
                if before is not None:
                    yield before, _quoted(name)
                before = _quoted(name)
        if before is not None:
            yield before, _node(step, first)
        labels = {job.label: job for job in step.jobs}
        for job in step.jobs[1:]:
            parents = [labels[name] for name in job.parents if name in labels]
            if job is last:
                # Of all that it waits for, those that nothing else waits for tell enough.
                waited = {name for other in step.jobs if other is not last for name in other.parents}
                parents = [parent for parent in parents if parent.label not in waited]
            for parent in parents or [first]:
                yield _node(step, parent), _node(step, job)
        before = _node(step, last)
    if before is not None:
        yield before, _quoted(_LAST)
