"""Figures of jobs: run times, memory, and core-hours with the wasted ones apart."""

__all__ = ["draw_core_hours", "draw_memory", "draw_run_times"]

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from ..common.text import count
from ..monitor.outcomes import Spread
from .figure import Column, Figure, Panel, Table
from .job_usage import LabelUsage
from .model import StepReport


def _names(labels: Sequence[tuple[str, str]]) -> list[str]:
    """Name (step, label)s, with the step where the label alone would not tell."""
    seen = Counter(label for _, label in labels)
    return [f"{label}, {step}" if seen[label] > 1 and step else label for step, label in labels]


def _named(usage: Iterable[LabelUsage]) -> list[tuple[str, LabelUsage]]:
    usage = list(usage)
    return list(zip(_names([(str(each.step or ""), each.label) for each in usage]), usage, strict=True))


def _ranges(
    names: Sequence[str], spreads: Sequence[Spread], unit: str, digits: int = 0
) -> list[dict[str, Any]]:
    """Draw minimum to maximum as a line, the middle half as a bar, the median as a mark."""
    whole: list[float | None] = []
    lines: list[str | None] = []
    for name, spread in zip(names, spreads, strict=True):
        whole += [spread.least, spread.most, None]
        lines += [name, name, None]
    hover = [
        f"{name}: {count(spread.count, 'execution')}<br>median {spread.median:,.{digits}f} {unit}, 95 % below "
        f"{spread.high:,.{digits}f}<br>{spread.least:,.{digits}f} to {spread.most:,.{digits}f}"
        for name, spread in zip(names, spreads, strict=True)
    ]
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "name": "least to most",
            "x": whole,
            "y": lines,
            "line": {"color": "$muted", "width": 2},
            "hoverinfo": "skip",
        },
        {
            "type": "bar",
            "orientation": "h",
            "name": "middle half",
            "y": list(names),
            "base": [spread.lower for spread in spreads],
            "x": [spread.upper - spread.lower for spread in spreads],
            "marker": {"color": "$accent", "opacity": 0.55, "line": {"width": 0}},
            "width": 0.5,
            "hoverinfo": "skip",
        },
        {
            "type": "scatter",
            "mode": "markers",
            "name": "median",
            "x": [spread.median for spread in spreads],
            "y": list(names),
            "hovertext": hover,
            "hoverinfo": "text",
            "marker": {
                "color": "$accent",
                "size": 9,
                "symbol": "diamond",
                "line": {"color": "$panel", "width": 1},
            },
        },
    ]


def _height(names: Sequence[str]) -> int:
    return 130 + 23 * len(names)


def _category_layout(names: Sequence[str], title: str) -> dict[str, Any]:
    return {
        "barmode": "overlay",
        "xaxis": {"title": {"text": title}, "rangemode": "tozero"},
        "yaxis": {
            "type": "category",
            # Every label is written, however many there are.
            "tickmode": "linear",
            "dtick": 1,
            **(
                {"categoryorder": "array", "categoryarray": list(reversed(names))}
                if names
                else {"autorange": "reversed"}
            ),
        },
    }


_SPREAD = ("least", "quarter", "median", "three quarters", "95 %", "most")


def _spread_columns(unit: str, digits: int) -> tuple[Column, ...]:
    return tuple(Column(f"{name} ({unit})", "number", digits) for name in _SPREAD)


def _spread_values(spread: Spread | None) -> tuple[float | None, ...]:
    if spread is None:
        return (None,) * len(_SPREAD)
    return (spread.least, spread.lower, spread.median, spread.upper, spread.high, spread.most)


def draw_run_times(usage: Sequence[LabelUsage], steps: Sequence[StepReport] = ()) -> Figure:
    """Draw how long the executions of each label, and the quanta of each task, took."""
    views: dict[str, list[tuple[str, str, Spread | None]]] = {
        "jobs": [(str(each.step or ""), each.label, each.wall) for each in usage],
        "tasks": [
            (str(step.step), label, task.seconds) for step in steps for label, task in step.tasks.items()
        ],
    }
    traces: list[dict[str, Any]] = []
    heights: dict[str, int] = {}
    for view, values in views.items():
        shown = [(step, label, spread) for step, label, spread in values if spread]
        if shown:
            names = _names([(step, label) for step, label, _ in shown])
            ranges = _ranges(names, [each for *_, each in shown], "s", 1)
            traces += [{**trace, "view": view} for trace in ranges]
            heights[view] = _height(names)
    layout = _category_layout([], "run time (s)")
    height = next(iter(heights.values()), 0)
    panel = Panel("plot-runtime", "Run times by label", traces, layout, height, heights)
    caption = (
        "How long the executions that succeeded took: all of them, the middle half, and the median. Those of "
        "tasks are a sample of their quanta."
    )
    return Figure(
        "runtime",
        "Run times",
        caption,
        (panel,) if heights else (),
        _list_run_times(usage, steps),
        tuple(heights),
    )


def _list_run_times(usage: Sequence[LabelUsage], steps: Sequence[StepReport]) -> Table:
    rows: list[tuple[str | float | None, ...]] = [
        (
            "job",
            str(each.step or ""),
            each.label,
            each.attempts,
            *_spread_values(each.wall),
            each.waited.median if each.waited else None,
            each.cpu_percent,
        )
        for each in usage
    ]
    rows += [
        ("task", str(step.step), label, task.quanta, *_spread_values(task.seconds), None, None)
        for step in steps
        for label, task in step.tasks.items()
    ]
    columns = (
        Column("kind"),
        Column("step"),
        Column("label"),
        Column("executions", "number"),
        *_spread_columns("s", 1),
        Column("median wait (s)", "number"),
        Column("cores busy (%)", "number"),
    )
    return Table(columns, rows)


def draw_memory(usage: Sequence[LabelUsage]) -> Figure:
    """Draw how much memory the executions of each label used, against what they requested."""
    shown = [
        (name, each, each.memory)
        for name, each in _named(each for each in usage if each.memory)
        if each.memory
    ]
    names = [name for name, _, _ in shown]
    traces = _ranges(names, [spread for _, _, spread in shown], "MiB")
    traces += _request_traces([(name, each) for name, each, _ in shown])
    layout = _category_layout(names, "memory (MiB)")
    panel = Panel("plot-memory", "Memory used and requested by label", traces, layout, _height(names))
    rows = [
        (
            str(each.step or ""),
            each.label,
            *_spread_values(each.memory),
            each.requested_memory,
            each.suggested_memory,
            each.memory_holds,
            "tasks" if each.exact else "HTCondor" if each.memory else None,
        )
        for each in usage
    ]
    columns = (
        Column("step"),
        Column("label"),
        *_spread_columns("MiB", 0),
        Column("requested (MiB)", "number"),
        Column("suggested (MiB)", "number"),
        Column("holds for memory", "number"),
        Column("noted by"),
    )
    caption = (
        "The most that executions used, against what was requested: as the tasks noted it, or as HTCondor saw it, "
        "which misses the peaks of short jobs. Suggested is a quarter above the most that was used."
    )
    return Figure("memory", "Memory", caption, (panel,) if shown else (), Table(columns, rows))


def _request_traces(usage: Sequence[tuple[str, LabelUsage]]) -> list[dict[str, Any]]:
    """Mark what was requested, and what is suggested where that differs."""
    traces: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "markers",
            "name": "requested",
            "x": [each.requested_memory for _, each in usage],
            "y": [name for name, _ in usage],
            "marker": {"symbol": "line-ns-open", "size": 18, "color": "$text", "line": {"width": 2}},
            "hovertemplate": "requested %{x:,.0f} MiB<extra></extra>",
        }
    ]
    if suggested := [(name, each.suggested_memory) for name, each in usage if each.suggested_memory]:
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": "suggested",
                "x": [memory for _, memory in suggested],
                "y": [name for name, _ in suggested],
                "marker": {
                    "symbol": "triangle-down-open",
                    "size": 12,
                    "color": "$good",
                    "line": {"width": 2},
                },
                "hovertemplate": "suggested %{x:,.0f} MiB<extra></extra>",
            }
        )
    return traces


def draw_core_hours(usage: Sequence[LabelUsage]) -> Figure:
    """Draw the core-hours of each label, those that were wasted apart."""
    shown = [each for each in usage if each.hours.total > 0]
    names = [name for name, _ in _named(shown)]
    parts = (
        ("succeeded", "$accent", [each.hours.good for each in shown]),
        ("failed or interrupted", "$bad", [each.hours.bad for each in shown]),
        ("running", "$muted", [each.hours.open for each in shown]),
    )
    traces = [
        {
            "type": "bar",
            "orientation": "h",
            "name": name,
            "y": names,
            "x": values,
            "marker": {"color": fill},
            "hovertemplate": "%{y}: %{x:.3g} core-hours, " + name + "<extra></extra>",
        }
        for name, fill, values in parts
        if any(values)
    ]
    layout = {**_category_layout(names, "core-hours"), "barmode": "stack"}
    panel = Panel("plot-hours", "Core-hours by label", traces, layout, _height(names))
    rows = [
        (str(step or ""), each.label, each.hours.good, each.hours.bad, each.hours.open)
        for step, group in groupby(usage, key=lambda each: each.step)
        for each in group
    ]
    columns = (
        Column("step"),
        Column("label"),
        Column("succeeded (core-hours)", "number", 3),
        Column("failed or interrupted (core-hours)", "number", 3),
        Column("running (core-hours)", "number", 3),
    )
    caption = "Where the time went: executions that succeeded, and those that failed or were interrupted."
    return Figure("hours", "Core-hours", caption, (panel,) if shown else (), Table(columns, rows))
