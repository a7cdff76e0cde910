"""Figure of the timeline: when each job ran, or how many ran at a time."""

__all__ = ["MOST_BARS", "draw_timeline"]

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..monitor import AttemptOutcome
from .figure import Column, Figure, Panel, Table, moment
from .model import ReportData
from .timeline import Span, find_spans, pack, running_counts

#: With more executions than this the timeline shows how many ran at a time.
MOST_BARS = 600
_INTERVALS = 400
#: How many colours the page has for labels.
_COLOURS = 10


def _colour(place: int) -> str:
    """Name the colour of the label in that place."""
    return f"$c{place % _COLOURS}"


def draw_timeline(data: ReportData) -> Figure:
    """Draw when the jobs of each label ran."""
    spans = find_spans(data.jobs, data.made)
    labels = list(dict.fromkeys(span.label for span in spans))
    by_label = {label: [span for span in spans if span.label == label] for label in labels}
    by_label = {label: group for label, group in by_label.items() if group}
    if len(spans) <= MOST_BARS:
        return _draw_bars(by_label, spans)
    return _draw_counts(by_label, spans)


def _draw_bars(by_label: Mapping[str, list[Span]], spans: Sequence[Span]) -> Figure:
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
                if (span.outcome not in (None, AttemptOutcome.DONE)) == bad
            ]
            if chosen:
                traces.append(_bar_trace(label, chosen, _colour(place), bad=bad))
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
    return Figure(
        "timeline",
        "Timeline",
        "Each bar is one execution of a job; the red ones failed or were interrupted.",
        (panel,) if spans else (),
        _list_executions(spans),
    )


def _list_executions(spans: Sequence[Span]) -> Table:
    rows = [
        (
            span.run,
            span.label,
            span.name,
            moment(span.begin),
            moment(span.end),
            span.end - span.begin,
            str(span.outcome or "running"),
            span.host,
        )
        for span in spans
    ]
    columns = (
        Column("run"),
        Column("label"),
        Column("job"),
        Column("began (UTC)"),
        Column("ended (UTC)"),
        Column("seconds", "number", 1),
        Column("outcome"),
        Column("host"),
    )
    return Table(columns, rows)


def _bar_trace(label: str, chosen: Sequence[tuple[Span, int]], fill: str, *, bad: bool) -> dict[str, Any]:
    return {
        "type": "bar",
        "orientation": "h",
        "name": f"{label}, failed or interrupted" if bad else label,
        "y": [lane for _, lane in chosen],
        "base": [round(span.begin * 1000) for span, _ in chosen],
        # A bar of no length would not be seen.
        "x": [max(1000, round((span.end - span.begin) * 1000)) for span, _ in chosen],
        "text": [span.name for span, _ in chosen],
        "textposition": "none",
        "customdata": [
            [f"{span.end - span.begin:.0f} s", str(span.outcome or "running"), span.host, span.run]
            for span, _ in chosen
        ],
        "hovertemplate": "%{customdata[3]}<br>%{text}<br>%{customdata[0]}, %{customdata[1]}<br>%{customdata[2]}"
        "<extra></extra>",
        "marker": {"color": "$bad" if bad else fill, "line": {"width": 0}},
    }


def _draw_counts(by_label: Mapping[str, list[Span]], spans: Sequence[Span]) -> Figure:
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
            "line": {"width": 0.5, "color": _colour(place), "shape": "hv"},
            "fillcolor": _colour(place),
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
