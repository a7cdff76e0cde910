"""Building blocks of the page: figures, their tables, and how numbers are written in both."""

__all__ = [
    "Column",
    "Figure",
    "Panel",
    "Table",
    "band_colour",
    "band_order",
    "interval",
    "log_axis",
    "moment",
    "number",
]

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

Value = str | float | int | None

_BANDS = "ugrizy"
_COLOURS = 9  # of the page, which has one more for what is of no kind


#: Plotly writes the 2 and the 5 between powers of ten so small that nobody can read them.
_LOG_TICKS = tuple(factor * 10.0**power for power in range(-3, 7) for factor in (1, 3))


def log_axis(title: str) -> dict[str, Any]:
    """Give a logarithmic axis with labels of one size."""
    return {
        "type": "log",
        "title": {"text": title},
        "tickmode": "array",
        "tickvals": list(_LOG_TICKS),
        "ticktext": [f"{value:,g}" for value in _LOG_TICKS],
    }


def interval(low: float, high: float, digits: int = 0) -> str:
    """Write an interval with as many digits after the point, or with so many more that its ends differ."""
    if high > low:
        digits = max(digits, math.ceil(-math.log10(high - low)))
    return f"{low:,.{digits}f}–{high:,.{digits}f}"


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Parameters
    ----------
    title
        With the unit, if it has one.
    kind
        How it is aligned, written and sorted. An ``id`` is a whole number that nothing is computed with: all its
        digits are written, without spaces between them, and JavaScript never takes it for a number.
    digits
        Of numbers, after the point.
    """

    title: str
    kind: Literal["text", "number", "id"] = "text"
    digits: int = 0

    def show(self, value: Value) -> str:
        """Write a value in human-readable form."""
        if value is None:
            return "–"
        return str(value) if self.kind == "id" or isinstance(value, str) else number(value, self.digits)


@dataclass(frozen=True)
class Table:
    """The values behind a figure.

    Parameters
    ----------
    columns
        The columns.
    rows
        Their values, unrounded.
    """

    columns: tuple[Column, ...]
    rows: Sequence[Sequence[Value]]


@dataclass(frozen=True)
class Panel:
    """One drawing.

    Parameters
    ----------
    id
        Of its element in the page.
    label
        What it shows, for those who do not see it.
    traces
        Plotly's traces. A colour such as ``$band-g`` is one of the page's, light or dark. One with a key
        ``view`` is drawn in that view only.
    layout
        Plotly's layout, besides what all have.
    height
        In pixels.
    heights
        Other heights, by view.
    title
        A heading of its own, where a figure has several panels.
    """

    id: str
    label: str
    traces: Sequence[Mapping[str, Any]]
    layout: Mapping[str, Any] = field(default_factory=dict)
    height: int = 360
    heights: Mapping[str, int] = field(default_factory=dict)
    title: str = ""


@dataclass(frozen=True)
class Figure:
    """A figure of the page.

    Parameters
    ----------
    id, title
        Its anchor and heading.
    caption
        What it shows, in a sentence or two.
    panels
        The drawings; none if there is nothing to draw yet.
    table
        Their values.
    views
        Names of the views that can be chosen, the first at the start.
    """

    id: str
    title: str
    caption: str
    panels: tuple[Panel, ...]
    table: Table
    views: tuple[str, ...] = ()


def band_colour(band: str) -> str:
    """Name the colour of a band; several bands of filters other than these may share one."""
    return f"$band-{band}" if band in tuple(_BANDS) else f"$c{zlib.crc32(band.encode()) % _COLOURS}"


def band_order(band: str) -> tuple[int, str]:
    """Sort bands from blue to red; others come last."""
    return (_BANDS.index(band) if band in tuple(_BANDS) else len(_BANDS), band)


def number(value: float | None, digits: int = 0) -> str:
    """Write a number with thin spaces between thousands; a dash if there is none."""
    return "–" if value is None else f"{value:,.{digits}f}".replace(",", "\u202f")


def moment(seconds: float | None) -> str:
    """Write a moment, given in seconds since 1970, in UTC."""
    if seconds is None:
        return "–"
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
