"""Figures over time: the visits with their DiaSources, and light curves."""

__all__ = ["draw_light_curves", "draw_over_time", "draw_visits"]

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..common.text import count
from .figure import Column, Figure, Panel, Table, band_colour, band_order
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
    """Draw the science visits over time: what was found in each, and how much of that was known before."""
    found = any(visit.dia_sources for visit in visits)
    quantities: dict[str, Callable[[VisitRow], float | None]] = {"detectors": lambda visit: visit.detectors}
    if found:
        quantities = {
            "DiaSources": lambda visit: visit.dia_sources,
            "DiaSources per detector": lambda visit: (visit.dia_sources or 0) / max(1, visit.detectors),
            "share that was matched": lambda visit: visit.matched_share,
        }
    panels = tuple(
        draw_over_time(
            f"plot-visits{place or ''}",
            title[0].upper() + title[1:],
            title,
            [(visit.visit, visit.band, visit.mjd, value(visit)) for visit in visits],
        )
        for place, (title, value) in enumerate(quantities.items())
    )
    rows = [
        (
            visit.visit,
            visit.band,
            visit.mjd,
            visit.detectors,
            visit.differences,
            visit.dia_sources,
            None if visit.new_sources is None else (visit.dia_sources or 0) - visit.new_sources,
            visit.new_sources,
            visit.matched_share,
        )
        for visit in visits
    ]
    columns = (
        Column("visit", "id"),
        Column("band"),
        Column("MJD (TAI)", "number", 5),
        Column("detectors", "number"),
        Column("difference images", "number"),
        Column("DiaSources", "number"),
        Column("matched", "number"),
        Column("new", "number"),
        Column("matched share", "number", 3),
    )
    caption = (
        "The science visits: how many DiaSources of each the APDB holds, and which share of them was matched with "
        "a DiaObject that was there already; for the others a new one was made."
        if found
        else "The science visits: how many detectors of each are selected."
    )
    dated = any(visit.mjd is not None for visit in visits)
    return Figure("visits", "Visits over time", caption, panels if dated else (), Table(columns, rows))


def draw_over_time(
    id: str, title: str, axis: str, points: Sequence[tuple[int, str, float | None, float | None]]
) -> Panel:
    """Mark values of visits over their dates, in the colour and with the symbol of their band.

    Parameters
    ----------
    id, title
        Of the panel.
    axis
        What is written at the axis.
    points
        Visit, band, MJD and value of each; those without a date or a value are left out.
    """
    known = [
        (visit, band, mjd, value)
        for visit, band, mjd, value in points
        if mjd is not None and value is not None
    ]
    traces = []
    for band in sorted({band for _, band, *_ in known}, key=band_order):
        chosen = [point for point in known if point[1] == band]
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "cliponaxis": False,  # those at zero are whole
                "name": band,
                "x": [_date(mjd) for *_, mjd, _ in chosen],
                "y": [round(value, 4) for *_, value in chosen],
                "text": [str(visit) for visit, *_ in chosen],
                "hovertemplate": "visit %{text}<br>%{x}<br>%{y:.4~r}<extra>" + band + "</extra>",
                "marker": {
                    "size": 10 if len(known) <= _MANY else 5,
                    "symbol": _SYMBOLS.get(band, "circle"),
                    "color": band_colour(band),
                },
            }
        )
    layout = {
        "xaxis": {"type": "date", "title": {"text": "begin of exposure (TAI)"}, "nticks": 5},
        "yaxis": {"title": {"text": axis}, **_without_negatives(value for *_, value in known)},
    }
    return Panel(id, f"{title} of the visits over time", traces, layout, 300, title=title)


def _without_negatives(values: Iterable[float]) -> dict[str, str]:
    """Let an axis have no part below zero if no value is there; Plotly adds one where all values are zero."""
    return {"rangemode": "nonnegative"} if all(value >= 0 for value in values) else {}


def draw_light_curves(catalog: DiaCatalog | None) -> Figure:
    """Draw the light curves of the DiaObjects that were detected most often."""
    curves = catalog.light_curves if catalog else ()
    rows = [
        (
            curve.dia_object,
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
        Column("DiaObject", "id"),
        Column("right ascension (°)", "number", 6),
        Column("declination (°)", "number", 6),
        Column("MJD (TAI)", "number", 5),
        Column("band"),
        Column("visit", "id"),
        Column("flux (nJy)", "number", 1),
        Column("error (nJy)", "number", 1),
        Column("measured as"),
    )
    caption = (
        "PSF fluxes on the difference images of the DiaObjects that were detected most often: filled where they "
        "were detected, open where they were measured at a given place. Their positions are in degrees."
    )
    if any(curve.truth for curve in curves):
        caption += (
            " Small dots on a dotted line: the flux on an ideal difference image of this simulated sky."
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
    traces += _true_traces(curve)
    title = f"{curve.dia_object} at {curve.ra:.5f} {curve.dec:+.5f}"
    label = (
        f"Light curve of DiaObject {curve.dia_object} at {curve.ra:.5f}, {curve.dec:.5f}: "
        f"{count(curve.detections, 'detection')}"
    )
    days = max(point.mjd for point in curve.points) - min(point.mjd for point in curve.points)
    layout = {
        "xaxis": {"title": {"text": "MJD (TAI)"}, "tickformat": ".0f" if days > 5 else ".2f", "nticks": 5},
        "yaxis": {
            "title": {"text": "flux (nJy)"},
            "zeroline": True,
            "zerolinecolor": "$quiet",
            "zerolinewidth": 1.5,
            "rangemode": "tozero",
        },
    }
    return Panel(f"plot-light-curve-{place}", label, traces, layout, 260, title=title)


def _true_traces(curve: LightCurve) -> list[dict[str, Any]]:
    """Draw the true fluxes of each band, under the measured ones."""
    traces = []
    for band in sorted({point.band for point in curve.truth}, key=band_order):
        points = [point for point in curve.truth if point.band == band]
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": f"{band} truth",
                "x": [round(point.mjd, 5) for point in points],
                "y": [round(point.flux, 2) for point in points],
                "line": {"dash": "dot", "width": 1, "color": band_colour(band)},
                "marker": {"size": 4, "color": "$text"},
                "hovertemplate": "MJD %{x:.4f}: %{y:,.0f} nJy<extra>%{fullData.name}</extra>",
            }
        )
    return traces
