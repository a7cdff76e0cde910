"""Figures of visits: dates, DiaSources in each visit, and light curves."""

__all__ = ["draw_light_curves", "draw_visits"]

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from ..common.text import count
from .figure import Column, Figure, Panel, Table, band_colour, band_order, number
from .sky_model import DiaCatalog, LightCurve, VisitRow

_SYMBOLS = {
    "u": "circle",
    "g": "triangle-up",
    "r": "triangle-down",
    "i": "square",
    "z": "star",
    "y": "hexagram",
}
#: Marks of more visits than this are drawn small.
_MANY = 300
_UNIX_MJD = 40587.0


def _date(mjd: float) -> int:
    """Convert a date to what plotly takes: milliseconds since 1970."""
    return round((mjd - _UNIX_MJD) * 86_400_000)


def draw_visits(visits: Sequence[VisitRow]) -> Figure:
    """Draw the science visits over time, by what was found in each."""
    found = any(visit.dia_sources for visit in visits)
    timed = [(visit, visit.mjd) for visit in visits if visit.mjd is not None]
    traces: list[dict[str, Any]] = []
    for band in sorted({visit.band for visit, _ in timed}, key=band_order):
        chosen = [(visit, mjd) for visit, mjd in timed if visit.band == band]
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": band,
                "x": [_date(mjd) for _, mjd in chosen],
                "y": [(visit.dia_sources or 0) if found else visit.detectors for visit, _ in chosen],
                "hovertext": [
                    f"visit {visit.visit} ({visit.band})<br>{count(visit.detectors, 'detector')}, "
                    f"{count(visit.differences, 'difference image')}<br>{number(visit.dia_sources)} DiaSources"
                    for visit, _ in chosen
                ],
                "hoverinfo": "text+x",
                "marker": {
                    "size": 10 if len(timed) <= _MANY else 6,
                    "symbol": _SYMBOLS.get(band, "circle"),
                    "color": band_colour(band),
                },
            }
        )
    layout = {
        "xaxis": {"type": "date", "title": {"text": "begin of exposure (TAI)"}},
        "yaxis": {"title": {"text": "DiaSources" if found else "detectors"}, "rangemode": "tozero"},
    }
    rows = [
        (visit.visit, visit.band, visit.mjd, visit.detectors, visit.differences, visit.dia_sources)
        for visit in visits
    ]
    columns = (
        Column("visit", "number"),
        Column("band"),
        Column("MJD (TAI)", "number", 5),
        Column("detectors", "number"),
        Column("difference images", "number"),
        Column("DiaSources", "number"),
    )
    panel = Panel("plot-visits", "Science visits over time", traces, layout)
    caption = "The science visits: " + (
        "how many DiaSources of each the APDB holds." if found else "how many detectors of each are selected."
    )
    return Figure("visits", "Visits over time", caption, (panel,) if timed else (), Table(columns, rows))


def draw_light_curves(catalog: DiaCatalog | None) -> Figure:
    """Draw the light curves of the DiaObjects that were detected most often."""
    curves = catalog.light_curves if catalog else ()
    rows = [
        (
            str(curve.dia_object),
            curve.ra,
            curve.dec,
            point.mjd,
            point.band,
            point.visit,
            point.flux,
            point.error,
            "forced" if point.forced else "detected",
        )
        for curve in curves
        for point in curve.points
    ]
    columns = (
        Column("DiaObject"),
        Column("right ascension (°)", "number", 6),
        Column("declination (°)", "number", 6),
        Column("MJD (TAI)", "number", 5),
        Column("band"),
        Column("visit", "number"),
        Column("flux (nJy)", "number", 1),
        Column("error (nJy)", "number", 1),
        Column("measured as"),
    )
    caption = (
        "PSF fluxes on the difference images of the DiaObjects that were detected most often: filled where they "
        "were detected, open where they were measured at a given place."
    )
    panels = tuple(_light_curve_panel(place, curve) for place, curve in enumerate(curves))
    return Figure("light-curves", "Light curves", caption, panels, Table(columns, rows))


def _light_curve_panel(place: int, curve: LightCurve) -> Panel:
    groups = defaultdict(list)
    for point in curve.points:
        groups[point.band, point.forced].append(point)
    traces = []
    for (band, forced), points in sorted(
        groups.items(), key=lambda item: (band_order(item[0][0]), item[0][1])
    ):
        symbol = _SYMBOLS.get(band, "circle")
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": f"{band} forced" if forced else band,
                "x": [round(point.mjd, 5) for point in points],
                "y": [round(point.flux, 2) for point in points],
                "error_y": {
                    "type": "data",
                    "array": [round(point.error or 0, 2) for point in points],
                    "thickness": 1,
                    "width": 2,
                    "color": band_colour(band),
                },
                "marker": {
                    "size": 8,
                    "symbol": f"{symbol}-open" if forced else symbol,
                    "color": band_colour(band),
                },
                "hovertemplate": "MJD %{x:.4f}: %{y:,.0f} nJy<extra>%{fullData.name}</extra>",
            }
        )
    title = f"{curve.dia_object}"
    label = (
        f"Light curve of DiaObject {curve.dia_object} at {curve.ra:.5f}, {curve.dec:.5f}: "
        f"{count(curve.detections, 'detection')}"
    )
    days = max(point.mjd for point in curve.points) - min(point.mjd for point in curve.points)
    layout = {
        "xaxis": {"title": {"text": "MJD (TAI)"}, "tickformat": ".0f" if days > 5 else ".2f", "nticks": 5},
        "yaxis": {"title": {"text": "flux (nJy)"}},
    }
    return Panel(f"plot-light-curve-{place}", label, traces, layout, 260, title=title)
