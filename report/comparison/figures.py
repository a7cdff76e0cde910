"""Figures of a comparison: DiaSources by S/N, over time and on the sky, changes of flux and position, costs."""

__all__ = ["draw_figures"]

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..figure import Column, Figure, Panel, Table, log_axis
from ..figures_visits import draw_over_time
from .catalogue_values import CatalogueComparison
from .comparison import Comparison
from .figures_counts import COLOURS, NAMES, counts_columns, counts_rows, draw_sky

if TYPE_CHECKING:
    import pandas as pd

#: More marks than these are a sample; they are drawn as SVG.
_MOST_MARKS = 3000


def draw_figures(comparison: Comparison) -> dict[str, Figure]:
    """Draw all figures of a comparison, by their ids."""
    figures = list(_draw_sources(comparison.sources)) if comparison.sources is not None else []
    return {figure.id: figure for figure in (*figures, _draw_costs(comparison))}


def _draw_sources(found: CatalogueComparison) -> Iterator[Figure]:
    yield _draw_snr(found)
    yield _draw_visits(found)
    yield draw_sky(found)
    yield _draw_changes(found)


def _draw_snr(found: CatalogueComparison) -> Figure:
    table = found.tables["snr"]
    starts = [f"from {start:g}" if start >= 0 else "unknown" for start in table.index]
    traces = [
        {
            "type": "bar",
            "name": name,
            "x": starts,
            "y": table[column].tolist(),
            "marker": {"color": COLOURS[column]},
        }
        for column, name in NAMES.items()
    ]
    layout = {
        "barmode": "stack",
        "xaxis": {"type": "category", "title": {"text": "S/N"}, "tickangle": -45},
        "yaxis": {"title": {"text": "DiaSources"}},
    }
    rows = [(start, *rest) for start, rest in zip(starts, counts_rows(table), strict=True)]
    caption = (
        "DiaSources by signal-to-noise ratio; of those in both that of A. The significance is that of more only "
        "in B than only in A."
    )
    panel = Panel("plot-snr", "Histogram of the signal-to-noise ratio", traces, layout, 320)
    return Figure(
        "snr", "By S/N", caption, (panel,) if rows else (), Table(counts_columns(Column("S/N")), rows)
    )


def _draw_visits(found: CatalogueComparison) -> Figure:
    table = found.tables["visit"]
    keys = [
        (int(visit), str(band), float(mjd))
        for visit, band, mjd in zip(table.index, table["band"], table["mjd"], strict=True)
    ]
    ofall = table["both"] + table["only_a"], table["both"] + table["only_b"]
    values = {
        "only in A (share)": (table["only_a"] / ofall[0].where(ofall[0] > 0, 1)).tolist(),
        "only in B (share)": (table["only_b"] / ofall[1].where(ofall[1] > 0, 1)).tolist(),
        "median change of flux (σ)": [None if np.isnan(pull) else float(pull) for pull in table["pull"]],
    }
    panels = [
        draw_over_time(
            f"plot-visits-{place}",
            title[0].upper() + title[1:],
            title,
            [(*key, value) for key, value in zip(keys, column, strict=True)],
        )
        for place, (title, column) in enumerate(values.items())
    ]
    first = (Column("visit", "id"), Column("band"), Column("MJD (TAI)", "number", 5))
    rows = [
        (*key, *counts, pull)
        for key, counts, pull in zip(
            keys, counts_rows(table), values["median change of flux (σ)"], strict=True
        )
    ]
    columns = (*counts_columns(*first), Column("median change of flux (σ)", "number", 3))
    caption = "DiaSources of each visit that are in one only, and how the flux of the others has changed."
    return Figure("visits", "Over time", caption, tuple(panels) if rows else (), Table(columns, rows))


def _draw_changes(found: CatalogueComparison) -> Figure:
    """Draw how flux and position of what is in both differ, of a sample where there are many."""
    matched = found.matched
    step = max(1, -(-len(matched) // _MOST_MARKS))
    shown = matched.iloc[::step]
    sample = f" A sample of {len(shown):,} of {len(matched):,}." if step > 1 else ""
    panels = (
        _draw_marks(
            "Flux",
            ("S/N in A", _rounded(shown["snr_a"].abs(), 2), log_axis("S/N in A")),
            ("flux, B − A (σ)", _rounded(shown["pull"], 4), {}),
        ),
        _draw_marks(
            "Position",
            ("to the east (″)", _rounded(shown["east"], 5), {}),
            ("to the north (″)", _rounded(shown["north"], 5), {"scaleanchor": "x"}),
        ),
    )
    columns = (
        Column("quantity"),
        Column("differ", "number"),
        Column("median", "number", 5),
        Column("scatter", "number", 5),
        Column("largest", "number", 5),
        Column("larger", "number"),
        Column("smaller", "number"),
        Column("significance (σ)", "number", 1),
    )
    rows = [
        (
            f"{name} ({shift.unit})" if shift.unit else name,
            shift.changed,
            *(None if np.isnan(value) else value for value in (shift.median, shift.scatter, shift.largest)),
            shift.up,
            shift.down,
            shift.significance,
        )
        for name, shift in found.shifts.items()
    ]
    caption = (
        "B minus A of the DiaSources that are in both, flux in units of both errors, as if these were independent."
        f" The significance is that of more larger than smaller ones.{sample}"
    )
    return Figure("changes", "Flux and position", caption, panels if len(shown) else (), Table(columns, rows))


def _draw_marks(
    title: str,
    x: tuple[str, list[float | None], dict[str, Any]],
    y: tuple[str, list[float | None], dict[str, Any]],
) -> Panel:
    """Mark points; each axis is its title, its values and more of its layout."""
    trace = {
        "type": "scatter",
        "mode": "markers",
        "showlegend": False,
        "hoverinfo": "x+y",
        "x": x[1],
        "y": y[1],
        "marker": {"size": 5, "color": "$s5"},
    }
    layout = {f"{name}axis": {"title": {"text": axis[0]}, **axis[2]} for name, axis in (("x", x), ("y", y))}
    return Panel(f"plot-{title.lower()}", f"Change of {title.lower()}", [trace], layout, 300, title=title)


def _rounded(values: "pd.Series[Any]", digits: int) -> list[float | None]:
    return [None if np.isnan(value) else round(float(value), digits) for value in values]


def _draw_costs(comparison: Comparison) -> Figure:
    found = list(comparison.list_tasks())
    shown = [row for row in found if row.seconds[0] and row.seconds[1]]
    often = Counter(row.label for row in shown)
    labels = [row.label if often[row.label] == 1 else f"{row.label} ({row.step})" for row in shown]
    traces = [
        {
            "type": "bar",
            "orientation": "h",
            "name": name,
            "y": labels,
            "x": [round(float(row.seconds[side] or 0), 3) for row in shown],
            "marker": {"color": colour},
        }
        for side, name, colour in ((0, "A", "$s3"), (1, "B", "$s6"))
    ]
    layout = {
        "xaxis": {"title": {"text": "median seconds"}},
        "yaxis": {"type": "category", "autorange": "reversed"},
    }
    columns = (
        Column("step"),
        Column("task"),
        *(Column(f"{what} {side}", "number") for what in ("quanta", "done") for side in "AB"),
        *(Column(f"seconds {side}", "number", 2) for side in "AB"),
        *(Column(f"MiB {side}", "number") for side in "AB"),
    )
    rows = [(row.step, row.label, *row.expected, *row.done, *row.seconds, *row.memory) for row in found]
    caption = "Quanta by task, the median time of a quantum, and the most memory that one took."
    panel = Panel("plot-tasks", "Run time by task", traces, layout, 120 + 22 * len(shown))
    return Figure("tasks", "Tasks", caption, (panel,) if shown else (), Table(columns, rows))
