"""Figures of counts: columns that all of them have, and the map of what is in one only."""

__all__ = ["COLOURS", "NAMES", "counts_columns", "counts_rows", "draw_sky"]

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..figure import Column, Figure, Panel, Table, Value
from ..polygons import SHADES, area, middle, near
from .catalogue_values import CatalogueComparison

if TYPE_CHECKING:
    import pandas as pd

#: Colours of what both have, and of what one has only.
COLOURS = {"both": "$muted", "only_a": "$bad", "only_b": "$accent"}
NAMES = {"both": "in both", "only_a": "only in A", "only_b": "only in B"}


def counts_columns(*first: Column) -> tuple[Column, ...]:
    """Make the columns of a table of counts, after the first ones."""
    names = (Column(title, "number") for title in NAMES.values())
    return (*first, *names, Column("significance (σ)", "number", 1))


def counts_rows(table: "pd.DataFrame") -> Iterator[tuple[Value, ...]]:
    """Give the values of these columns."""
    for row in table[[*NAMES, "significance"]].itertuples(index=False):
        yield (int(row[0]), int(row[1]), int(row[2]), float(row[3]))


def draw_sky(found: CatalogueComparison) -> Figure:
    """Draw where the DiaSources are that are in one only."""
    table = found.tables["pixel"]
    rows: list[tuple[Value, ...]] = []
    panels: tuple[Panel, ...] = ()
    if len(table):
        corners, centres = _outline_pixels(found.nside, table.index.to_numpy())
        rows = [
            (int(pixel), *centre, *counts)
            for pixel, centre, counts in zip(table.index, centres, counts_rows(table), strict=True)
        ]
        traces = [
            {**trace, "view": NAMES[column]}
            for column in ("only_a", "only_b")
            for trace in _sky_traces(corners, table, column)
        ]
        origin, decs = corners[0][0][0], [dec for polygon in corners for _, dec in polygon]
        ticks = [near(ra, origin) for polygon in corners for ra, _ in polygon]
        layout = {
            "xaxis": {
                "title": {"text": "right ascension (°)"},
                "range": [max(ticks), min(ticks)],
                "zeroline": False,
            },
            "yaxis": {
                "title": {"text": "declination (°)"},
                "scaleanchor": "x",
                "scaleratio": 1 / max(0.05, float(np.cos(np.radians(np.mean(decs))))),
                "zeroline": False,
            },
        }
        panels = (Panel("plot-sky", "Map of the DiaSources that are in one only", traces, layout, 520),)
    columns = counts_columns(
        Column("HEALPix pixel", "id"),
        Column("right ascension (°)", "number", 4),
        Column("declination (°)", "number", 4),
    )
    caption = (
        f"The share of DiaSources that are in one only, in HEALPix pixels (nested, nside {found.nside})."
    )
    return Figure(
        "sky",
        "On the sky",
        caption,
        panels,
        Table(columns, rows),
        (NAMES["only_a"], NAMES["only_b"]) if rows else (),
    )


def _outline_pixels(
    nside: int, pixels: Any
) -> tuple[list[list[tuple[float, float]]], list[tuple[float, float]]]:
    """Find the corners and the centres of HEALPix pixels, degrees."""
    import hpgeom

    ra, dec = (np.atleast_2d(each) for each in hpgeom.boundaries(nside, pixels))
    polygons = [
        [(float(x), float(y)) for x, y in zip(*pixel, strict=True)] for pixel in zip(ra, dec, strict=True)
    ]
    lon, lat = hpgeom.pixel_to_angle(nside, pixels)
    return polygons, [(float(x), float(y)) for x, y in zip(lon, lat, strict=True)]


def _sky_traces(
    corners: Sequence[Sequence[tuple[float, float]]], table: "pd.DataFrame", column: str
) -> Iterator[dict[str, Any]]:
    """Fill the pixels with the shade of their share, and give each a mark that tells its numbers."""
    origin = corners[0][0][0]
    total = table["both"] + table[column]
    shares = (table[column] / total.where(total > 0, 1)).to_numpy()
    largest = float(shares.max())
    for place in range(SHADES):
        low, high = largest * place / SHADES, largest * (place + 1) / SHADES
        chosen = [
            polygon
            for polygon, share in zip(corners, shares, strict=True)
            if low < share <= high or (place == 0 and share == 0)
        ]
        if chosen:
            name = f"{100 * low:.2g}–{100 * high:.2g} %" if largest else "0 %"
            yield area(chosen, origin, name, f"$s{place}")
            if not largest:
                break
    middles = [middle(polygon, origin) for polygon in corners]
    yield {
        "type": "scatter",
        "mode": "markers",
        "showlegend": False,
        "x": [round(x, 4) for x, _ in middles],
        "y": [round(y, 4) for _, y in middles],
        "marker": {"size": 8, "opacity": 0, "color": "$text"},
        "hovertext": [
            f"{number:,} of {of:,} DiaSources" for number, of in zip(table[column], total, strict=True)
        ],
        "hoverinfo": "text",
    }
