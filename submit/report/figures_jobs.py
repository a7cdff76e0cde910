"""The figures of jobs: when they ran, how long, with how much memory, and what of it was for nothing."""

__all__ = ["MOST_BARS", "core_hours_figure", "memory_figure", "runtime_figure", "timeline_figure"]

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from ..monitor.jobs import Ending
from .figure import Column, Figure, Panel, Table, moment
from .model import ReportData, StepReport
from .timeline import Span, pack, running_counts, spans_of
from .usage import LabelUsage, Spread

#: With more executions than this the timeline shows how many ran at a time.
MOST_BARS = 600
_INTERVALS = 400
#: So many colours the page has for labels.
COLOURS = 10


def colour(place: int) -> str:
    """Name the colour of the label in that place."""
    return f"$c{place % COLOURS}"


def timeline_figure(data: ReportData) -> Figure:
    """Draw when the jobs of each label ran."""
    spans = spans_of(data.jobs, data.made)
    labels = list(dict.fromkeys(span.label for span in spans))
    by_label = {label: [span for span in spans if span.label == label] for label in labels}
    by_label = {label: group for label, group in by_label.items() if group}
    if len(spans) <= MOST_BARS:
        return _bars(by_label, spans)
    return _counts(by_label, spans)


def _bars(by_label: dict[str, list[Span]], spans: Sequence[Span]) -> Figure:
    traces: list[dict[str, Any]] = []
    ticks: list[tuple[float, str]] = []
    top = 0
    for place, (label, group) in enumerate(by_label.items()):
        lanes = pack(group)
        ticks.append((top + max(lanes) / 2, label))
        for bad in (False, True):
            chosen = [
                (span, top + lane)
                for span, lane in zip(group, lanes, strict=True)
                if (span.ending not in (None, Ending.DONE)) == bad
            ]
            if chosen:
                traces.append(_bar_trace(label, chosen, colour(place), bad=bad))
        top += max(lanes) + 2
    layout = {
        "barmode": "overlay",
        "bargap": 0.12,
        "xaxis": {"type": "date", "title": {"text": "UTC"}},
        "yaxis": {
            "tickvals": [where for where, _ in ticks],
            "ticktext": [label for _, label in ticks],
            "autorange": "reversed",
            "showgrid": False,
            "zeroline": False,
        },
        "showlegend": False,
    }
    label = "Bars over time, one for each execution of a job, in a band for each label"
    panel = Panel("plot-timeline", label, traces, layout, min(900, 120 + 14 * top))
    rows = [
        (
            span.label,
            span.name,
            moment(span.begin),
            moment(span.end),
            span.end - span.begin,
            str(span.ending or "running"),
            span.host,
        )
        for span in spans
    ]
    columns = (
        Column("label"),
        Column("job"),
        Column("began (UTC)"),
        Column("ended (UTC)"),
        Column("seconds", "number", 1),
        Column("ended as"),
        Column("host"),
    )
    return Figure(
        "timeline",
        "Timeline",
        "Each bar is one execution of a job; the red ones did not end well.",
        (panel,) if spans else (),
        Table(columns, rows),
    )


def _bar_trace(label: str, chosen: Sequence[tuple[Span, int]], fill: str, *, bad: bool) -> dict[str, Any]:
    return {
        "type": "bar",
        "orientation": "h",
        "name": f"{label}, ended badly" if bad else label,
        "y": [lane for _, lane in chosen],
        "base": [round(span.begin * 1000) for span, _ in chosen],
        # A bar of no length would not be seen.
        "x": [max(1000, round((span.end - span.begin) * 1000)) for span, _ in chosen],
        "text": [span.name for span, _ in chosen],
        "textposition": "none",
        "customdata": [
            [f"{span.end - span.begin:.0f} s", str(span.ending or "running"), span.host] for span, _ in chosen
        ],
        "hovertemplate": "%{text}<br>%{customdata[0]}, %{customdata[1]}<br>%{customdata[2]}<extra></extra>",
        "marker": {"color": "$bad" if bad else fill, "line": {"width": 0}},
    }


def _counts(by_label: dict[str, list[Span]], spans: Sequence[Span]) -> Figure:
    first, last = spans[0].begin, max(span.end for span in spans)
    edges = np.linspace(first, max(last, first + 1), _INTERVALS + 1)
    middles = (edges[1:] + edges[:-1]) / 2
    counts = {label: running_counts(group, edges) for label, group in by_label.items()}
    traces = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": label,
            "stackgroup": "running",
            "x": [round(float(middle) * 1000) for middle in middles],
            "y": [round(float(value), 2) for value in values],
            "line": {"width": 0.5, "color": colour(place), "shape": "hv"},
            "fillcolor": colour(place),
            "hovertemplate": "%{y:.1f} " + label + "<extra></extra>",
        }
        for place, (label, values) in enumerate(counts.items())
    ]
    layout = {
        "xaxis": {"type": "date", "title": {"text": "UTC"}},
        "yaxis": {"title": {"text": "jobs running"}, "rangemode": "tozero"},
        "hovermode": "x unified",
    }
    seconds = (edges[1] - edges[0]).item()
    rows: list[tuple[str | float, ...]] = [
        (moment(float(middle)), *(float(values[place]) for values in counts.values()))
        for place, middle in enumerate(middles)
    ]
    columns = (Column("middle of interval (UTC)"), *(Column(label, "number", 1) for label in counts))
    panel = Panel("plot-timeline", "How many jobs of each label ran at a time", traces, layout, 420)
    caption = (
        f"How many jobs of each label ran at a time, averaged over intervals of {seconds:,.0f} s "
        f"({len(spans):,} executions: too many to draw each)."
    )
    return Figure("timeline", "Timeline", caption, (panel,), Table(columns, rows))


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
        f"{name}: {spread.count} executions<br>median {spread.median:,.{digits}f} {unit}, 95 % below "
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
            **(
                {"categoryorder": "array", "categoryarray": list(reversed(names))}
                if names
                else {"autorange": "reversed"}
            ),
        },
    }


_SPREAD = ("least", "quarter", "median", "three quarters", "95 %", "most")


def _spread_columns(unit: str, digits: int) -> tuple[Column, ...]:
    return tuple(Column(f"{word} ({unit})", "number", digits) for word in _SPREAD)


def _spread_values(spread: Spread | None) -> tuple[float | None, ...]:
    if spread is None:
        return (None,) * len(_SPREAD)
    return (spread.least, spread.lower, spread.median, spread.upper, spread.high, spread.most)


def runtime_figure(usage: Sequence[LabelUsage], steps: Sequence[StepReport] = ()) -> Figure:
    """Draw how long the executions of each label, and the quanta of each task, took."""
    kinds: dict[str, list[tuple[str, str, Spread | None]]] = {
        "jobs": [(str(each.step or ""), each.label, each.wall) for each in usage],
        "tasks": [
            (str(step.step), label, task.seconds) for step in steps for label, task in step.tasks.items()
        ],
    }
    traces: list[dict[str, Any]] = []
    views = []
    heights: dict[str, int] = {}
    for view, values in kinds.items():
        shown = [(step, label, spread) for step, label, spread in values if spread]
        if shown:
            names = _names([(step, label) for step, label, _ in shown])
            traces += [
                {**trace, "view": view} for trace in _ranges(names, [each for *_, each in shown], "s", 1)
            ]
            views.append(view)
            heights[view] = _height(names)
    layout = _category_layout([], "run time (s)")
    panel = Panel(
        "plot-runtime", "Run times by label", traces, layout, next(iter(heights.values()), 0), heights
    )
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
    caption = (
        "How long the executions that ended well took: all of them, the middle half, and the median. Those of "
        "tasks are a sample of their quanta."
    )
    return Figure(
        "runtime", "Run times", caption, (panel,) if views else (), Table(columns, rows), tuple(views)
    )


def memory_figure(usage: Sequence[LabelUsage]) -> Figure:
    """Draw how much memory the executions of each label used, against what they asked for."""
    shown = [
        (name, each, each.memory)
        for name, each in _named(each for each in usage if each.memory)
        if each.memory
    ]
    names = [name for name, _, _ in shown]
    traces = _ranges(names, [spread for _, _, spread in shown], "MiB")
    traces.append(
        {
            "type": "scatter",
            "mode": "markers",
            "name": "requested",
            "x": [each.requested_memory for _, each, _ in shown],
            "y": names,
            "marker": {"symbol": "line-ns-open", "size": 18, "color": "$text", "line": {"width": 2}},
            "hovertemplate": "requested %{x:,.0f} MiB<extra></extra>",
        }
    )
    suggested = [(name, each.suggested_memory) for name, each, _ in shown if each.suggested_memory]
    if suggested:
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


def core_hours_figure(usage: Sequence[LabelUsage]) -> Figure:
    """Draw the core-hours of each label, those for nothing apart."""
    shown = [each for each in usage if each.hours.total > 0]
    names = [name for name, _ in _named(shown)]
    parts = (
        ("ended well", "$accent", [each.hours.good for each in shown]),
        ("ended otherwise", "$bad", [each.hours.bad for each in shown]),
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
        Column("ended well (core-hours)", "number", 3),
        Column("ended otherwise (core-hours)", "number", 3),
        Column("running (core-hours)", "number", 3),
    )
    caption = "Where the time went: executions that ended well, and those that had to be run again or failed."
    return Figure("hours", "Core-hours", caption, (panel,) if shown else (), Table(columns, rows))
