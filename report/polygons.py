"""Polygons on the sky as plotly draws them, and the shades that they are filled with."""

__all__ = ["SHADES", "area", "middle", "near", "outline", "shade"]

from collections.abc import Iterable, Sequence
from typing import Any

from .sky_model import Corner

#: How many shades the page's scale of colours has.
SHADES = 8


def near(ra: float, origin: float) -> float:
    """Give a right ascension without a jump at 360 degrees."""
    return origin + (ra - origin + 180) % 360 - 180


def outline(polygons: Iterable[Sequence[Corner]], origin: float) -> dict[str, list[float | None]]:
    """Put closed polygons one after another, with gaps between them."""
    x: list[float | None] = []
    y: list[float | None] = []
    for corners in polygons:
        for ra, dec in (*corners, corners[0]):
            x.append(round(near(ra, origin), 5))
            y.append(round(dec, 5))
        x.append(None)
        y.append(None)
    return {"x": x, "y": y}


def middle(corners: Sequence[Corner], origin: float) -> Corner:
    """Give the mean of the corners."""
    count = len(corners)
    return (
        sum(near(ra, origin) for ra, _ in corners) / count,
        sum(dec for _, dec in corners) / count,
    )


def area(polygons: Sequence[Sequence[Corner]], origin: float, name: str, fill: str) -> dict[str, Any]:
    """Fill polygons with a colour."""
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        **outline(polygons, origin),
        "fill": "toself",
        "fillcolor": fill,
        "line": {"color": "$panel", "width": 0.6},
        "hoverinfo": "skip",
    }


def shade(place: int, count: int) -> str:
    """Name the shade of the interval in that place, of so many."""
    return f"$s{round(place * (SHADES - 1) / max(1, count - 1)) if count > 1 else SHADES - 3}"
