"""The figures of the sky: templates, visits, and what was found."""

__all__ = ["density_figure", "light_curves_figure", "sky_figure", "visits_figure"]

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from .figure import Column, Figure, Panel, Table, number
from .model import Corner, DiaCatalog, LightCurve, Patch, ReportData, Template, TemplateState, VisitRow

BANDS = "ugrizy"
_SYMBOLS = dict(
    zip(BANDS, ("circle", "triangle-up", "triangle-down", "square", "star", "hexagram"), strict=True)
)
#: The page has so many shades of its scale of colours.
SHADES = 8
#: With more patches than this their numbers would be written over each other.
_MOST_NUMBERS = 150
#: Marks of more visits than this are drawn small.
_MANY = 300
_UNIX_MJD = 40587.0


def band_order(band: str) -> tuple[int, str]:
    """Sort bands from blue to red."""
    return (BANDS.index(band) if band in BANDS else len(BANDS), band)


def _near(ra: float, origin: float) -> float:
    """Give a right ascension without a jump at 360 degrees."""
    return origin + (ra - origin + 180) % 360 - 180


def _outline(polygons: Iterable[Sequence[Corner]], origin: float) -> dict[str, list[float | None]]:
    """Put closed polygons one after another, with gaps between them."""
    x: list[float | None] = []
    y: list[float | None] = []
    for corners in polygons:
        for ra, dec in (*corners, corners[0]):
            x.append(round(_near(ra, origin), 5))
            y.append(round(dec, 5))
        x.append(None)
        y.append(None)
    return {"x": x, "y": y}


def _middle(corners: Sequence[Corner], origin: float) -> Corner:
    count = len(corners)
    return (
        sum(_near(ra, origin) for ra, _ in corners) / count,
        sum(dec for _, dec in corners) / count,
    )


def _sky_layout(polygons: Iterable[Sequence[Corner]], origin: float) -> dict[str, Any]:
    """Lay the sky out as it is seen: east to the left, no direction stretched."""
    corners = [corner for polygon in polygons for corner in polygon]
    decs = [dec for _, dec in corners]
    ras = [_near(ra, origin) for ra, _ in corners]
    middle = (min(decs) + max(decs)) / 2
    ticks = {}
    if min(ras) < 0 or max(ras) > 360:
        step = 10.0 ** math.floor(math.log10(max(ras) - min(ras)))
        places = [
            step * number for number in range(math.ceil(min(ras) / step), math.floor(max(ras) / step) + 1)
        ]
        ticks = {"tickvals": places, "ticktext": [f"{place % 360:g}" for place in places]}
    return {
        "xaxis": {
            "title": {"text": "right ascension (°)"},
            "autorange": "reversed",
            "zeroline": False,
            **ticks,
        },
        "yaxis": {
            "title": {"text": "declination (°)"},
            "scaleanchor": "x",
            "scaleratio": round(1 / math.cos(math.radians(middle)), 4),
            "zeroline": False,
        },
    }


def _area(polygons: Sequence[Sequence[Corner]], origin: float, name: str, fill: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        **_outline(polygons, origin),
        "fill": "toself",
        "fillcolor": fill,
        "line": {"color": "$panel", "width": 0.6},
        "hoverinfo": "skip",
    }


def _shade_names(values: Iterable[int]) -> list[tuple[int, int, str]]:
    """Divide whole numbers into shades from the smallest to the largest: least, most, name."""
    values = set(values) or {1}
    least, largest = min(values), max(values)
    count = min(SHADES, largest - least + 1)
    edges = sorted(
        {least - 1 + math.ceil((largest - least + 1) * place / count) for place in range(1, count + 1)}
    )
    shades = []
    for edge in edges:
        shades.append((least, edge, str(edge) if least == edge else f"{least}–{edge}"))
        least = edge + 1
    return shades


def _shade(place: int, count: int) -> str:
    return f"$s{round(place * (SHADES - 1) / max(1, count - 1)) if count > 1 else SHADES - 3}"


def sky_figure(data: ReportData) -> Figure:
    """Draw tracts and patches, coloured by the state and the depth of their templates."""
    columns = (
        Column("tract", "number"),
        Column("patch", "number"),
        Column("band"),
        Column("template"),
        Column("visits", "number"),
    )
    templates = sorted(data.templates, key=lambda each: (each.tract, each.patch, band_order(each.band)))
    rows = [(each.tract, each.patch, each.band, str(each.state), each.visits) for each in templates]
    caption = (
        "Patches of the sky map by the number of visits that their templates can be made of. A red patch has no "
        "template although the run has ended; a grey one waits for it."
    )
    patches = {(patch.tract, patch.patch): patch for patch in data.patches}
    shown = [each for each in templates if (each.tract, each.patch) in patches]
    bands = tuple(sorted({each.band for each in shown}, key=band_order))
    panels: tuple[Panel, ...] = ()
    if shown:
        traces = [
            {**trace, "view": band}
            for band in bands
            for trace in _template_traces([each for each in shown if each.band == band], patches)
        ]
        polygons = [patches[each.tract, each.patch].corners for each in shown]
        panels = (
            Panel(
                "plot-sky",
                "Map of the patches and their templates",
                traces,
                _sky_layout(polygons, polygons[0][0][0]),
                520,
            ),
        )
    return Figure("sky", "Templates on the sky", caption, panels, Table(columns, rows), bands)


def _template_traces(
    templates: Sequence[Template], patches: dict[tuple[int, int], Patch]
) -> list[dict[str, Any]]:
    corners = {(each.tract, each.patch): patches[each.tract, each.patch].corners for each in templates}
    origin = next(iter(corners.values()))[0][0]
    made = [each for each in templates if each.state is TemplateState.MADE]
    shades = _shade_names(each.visits for each in made)
    traces = []
    for place, (least, most, name) in enumerate(shades):
        chosen = [each for each in made if least <= each.visits <= most]
        if chosen:
            polygons = [corners[each.tract, each.patch] for each in chosen]
            traces.append(_area(polygons, origin, f"{name} visits", _shade(place, len(shades))))
    for state, fill in ((TemplateState.WAITING, "$muted"), (TemplateState.MISSING, "$bad")):
        polygons = [corners[each.tract, each.patch] for each in templates if each.state is state]
        if polygons:
            traces.append(_area(polygons, origin, str(state), fill))
    middles = [_middle(corners[each.tract, each.patch], origin) for each in templates]
    traces.append(
        {
            "type": "scatter",
            "mode": "markers+text" if len(templates) <= _MOST_NUMBERS else "markers",
            "showlegend": False,
            "x": [round(x, 4) for x, _ in middles],
            "y": [round(y, 4) for _, y in middles],
            "text": [str(each.visits) if each.state is TemplateState.MADE else "×" for each in templates],
            "textfont": {"color": [_ink(each, shades) for each in templates], "size": 11},
            "marker": {"size": 14, "opacity": 0, "color": "$text"},
            "hovertext": [
                f"tract {each.tract}, patch {each.patch}, {each.band}: {each.state}, {each.visits} visits"
                for each in templates
            ],
            "hoverinfo": "text",
        }
    )
    return traces


def _ink(template: Template, shades: Sequence[tuple[int, int, str]]) -> str:
    """Choose what can be read on a patch's colour."""
    if template.state is not TemplateState.MADE:
        return "$onhigh" if template.state is TemplateState.MISSING else "$onlow"
    place = next(place for place, (_, most, _) in enumerate(shades) if template.visits <= most)
    return "$onhigh" if int(_shade(place, len(shades))[2:]) >= SHADES // 2 else "$onlow"


def _date(mjd: float) -> int:
    """Give a date as plotly takes it: milliseconds since 1970."""
    return round((mjd - _UNIX_MJD) * 86_400_000)


def visits_figure(visits: Sequence[VisitRow]) -> Figure:
    """Draw the science visits over time, by what was found in each."""
    found = any(visit.dia_sources for visit in visits)
    timed = [(visit, visit.mjd) for visit in visits if visit.mjd is not None]
    traces = []
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
                    f"visit {visit.visit} ({visit.band})<br>{visit.detectors} detectors, {visit.differences} "
                    f"difference images<br>{number(visit.dia_sources)} DiaSources"
                    for visit, _ in chosen
                ],
                "hoverinfo": "text+x",
                "marker": {
                    "size": 10 if len(timed) <= _MANY else 6,
                    "symbol": _SYMBOLS.get(band, "circle"),
                    "color": f"$band-{band}",
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


def density_figure(catalog: DiaCatalog | None) -> Figure:
    """Draw how dense DiaSources and DiaObjects are on the sky."""
    cells = catalog.cells if catalog else ()
    views = ("DiaSources", "DiaObjects")
    traces: list[dict[str, Any]] = []
    if cells:
        origin = cells[0].corners[0][0]
        for view in views:
            values = {
                cell: (cell.dia_sources if view == "DiaSources" else cell.dia_objects) / cell.square_degrees
                for cell in cells
            }
            largest = max(values.values())
            for place in range(SHADES):
                low, high = largest * place / SHADES, largest * (place + 1) / SHADES
                chosen = [cell for cell, value in values.items() if low < value <= high]
                if chosen:
                    name = f"{low:,.0f}–{high:,.0f} / deg²"
                    area = _area([cell.corners for cell in chosen], origin, name, f"$s{place}")
                    traces.append({**area, "view": view})
            middles = [_middle(cell.corners, origin) for cell in cells]
            traces.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "showlegend": False,
                    "view": view,
                    "x": [round(x, 4) for x, _ in middles],
                    "y": [round(y, 4) for _, y in middles],
                    "marker": {"size": 8, "opacity": 0, "color": "$text"},
                    "hovertext": [
                        f"{cell.dia_sources} DiaSources, {cell.dia_objects} DiaObjects<br>"
                        f"{values[cell]:,.0f} {view} / deg²"
                        for cell in cells
                    ],
                    "hoverinfo": "text",
                }
            )
    layout = _sky_layout((cell.corners for cell in cells), cells[0].corners[0][0]) if cells else {}
    rows = [
        (
            cell.pixel,
            *(sum(corner[axis] for corner in cell.corners) / len(cell.corners) for axis in (0, 1)),
            cell.square_degrees,
            cell.dia_sources,
            cell.dia_objects,
        )
        for cell in cells
    ]
    columns = (
        Column("HTM pixel", "number"),
        Column("right ascension (°)", "number", 4),
        Column("declination (°)", "number", 4),
        Column("area (deg²)", "number", 6),
        Column("DiaSources", "number"),
        Column("DiaObjects", "number"),
    )
    caption = (
        "How many DiaSources and DiaObjects the APDB holds for a square degree, in pixels of the HTM"
        + (f" at level {catalog.level}" if catalog and cells else "")
        + ". At the edge of the sky that was observed pixels are only partly covered."
    )
    panel = Panel("plot-density", "Map of the density of DiaSources or DiaObjects", traces, layout, 520)
    return Figure(
        "density", "Density", caption, (panel,) if cells else (), Table(columns, rows), views if cells else ()
    )


def light_curves_figure(catalog: DiaCatalog | None) -> Figure:
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
                    "color": f"$band-{band}",
                },
                "marker": {
                    "size": 8,
                    "symbol": f"{symbol}-open" if forced else symbol,
                    "color": f"$band-{band}",
                },
                "hovertemplate": "MJD %{x:.4f}: %{y:,.0f} nJy<extra>%{fullData.name}</extra>",
            }
        )
    title = f"{curve.dia_object}"
    label = (
        f"Light curve of DiaObject {curve.dia_object} at {curve.ra:.5f}, {curve.dec:.5f}: "
        f"{curve.detections} detections"
    )
    days = max(point.mjd for point in curve.points) - min(point.mjd for point in curve.points)
    layout = {
        "xaxis": {"title": {"text": "MJD (TAI)"}, "tickformat": ".0f" if days > 5 else ".2f", "nticks": 5},
        "yaxis": {"title": {"text": "flux (nJy)"}},
    }
    return Panel(f"plot-light-curve-{place}", label, traces, layout, 260, title=title)
