"""Maps of the sky: templates, and the density of DiaSources and DiaObjects."""

__all__ = ["draw_density", "draw_sky"]

import math
from collections.abc import Iterable, Sequence
from typing import Any

from ..common.text import count
from .figure import Column, Figure, Panel, Table, band_order, interval
from .model import ReportData
from .polygons import SHADES, area, middle, near, shade
from .sky_model import Corner, DiaCatalog, Patch, SkyCell, Template, TemplateState

#: With more patches than this their numbers would be written over each other.
_MOST_NUMBERS = 150


def _sky_layout(polygons: Iterable[Sequence[Corner]], origin: float) -> dict[str, Any]:
    """Lay the sky out as it is seen: east to the left, no direction stretched."""
    corners = [corner for polygon in polygons for corner in polygon]
    decs = [dec for _, dec in corners]
    ras = [near(ra, origin) for ra, _ in corners]
    centre = (min(decs) + max(decs)) / 2
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
            "scaleratio": round(1 / math.cos(math.radians(centre)), 4),
            "zeroline": False,
        },
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


def draw_sky(data: ReportData) -> Figure:
    """Draw tracts and patches, coloured by the state and the depth of their templates."""
    columns = (
        Column("tract", "id"),
        Column("patch", "id"),
        Column("band"),
        Column("template"),
        Column("visits", "number"),
    )
    templates = sorted(data.templates, key=lambda each: (each.tract, each.patch, band_order(each.band)))
    rows = [(each.tract, each.patch, each.band, str(each.state), each.visits) for each in templates]
    caption = (
        "Patches of the skymap by the number of visits that their templates can be made of. A red patch has no "
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
            traces.append(
                area(polygons, origin, f"{name} visit{'' if name == '1' else 's'}", shade(place, len(shades)))
            )
    for state, fill in ((TemplateState.WAITING, "$muted"), (TemplateState.MISSING, "$bad")):
        polygons = [corners[each.tract, each.patch] for each in templates if each.state is state]
        if polygons:
            traces.append(area(polygons, origin, str(state), fill))
    middles = [middle(corners[each.tract, each.patch], origin) for each in templates]
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
                f"tract {each.tract}, patch {each.patch}, {each.band}: {each.state}, {count(each.visits, 'visit')}"
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
    return "$onhigh" if int(shade(place, len(shades))[2:]) >= SHADES // 2 else "$onlow"


def draw_density(catalog: DiaCatalog | None) -> Figure:
    """Draw how dense DiaSources and DiaObjects are on the sky."""
    cells = catalog.cells if catalog else ()
    views = ("DiaSources", "DiaObjects") if cells else ()
    traces = [{**trace, "view": view} for view in views for trace in _density_traces(cells, view)]
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
        Column("HTM pixel", "id"),
        Column("right ascension (°)", "number", 4),
        Column("declination (°)", "number", 4),
        Column("area (deg²)", "number", 6),
        Column("DiaSources", "number"),
        Column("DiaObjects", "number"),
    )
    caption = (
        "How many DiaSources and DiaObjects the APDB holds per square degree, in pixels of the HTM"
        + (f" at level {catalog.level}" if catalog and cells else "")
        + ". Pixels at the edge of the observed sky are only partly covered."
    )
    panel = Panel("plot-density", "Map of the density of DiaSources or DiaObjects", traces, layout, 520)
    return Figure("density", "Density", caption, (panel,) if cells else (), Table(columns, rows), views)


def _density_traces(cells: Sequence[SkyCell], view: str) -> list[dict[str, Any]]:
    """Fill the pixels with the shade of their density, and give each a mark that tells its numbers."""
    origin = cells[0].corners[0][0]
    values = {
        cell: (cell.dia_sources if view == "DiaSources" else cell.dia_objects) / cell.square_degrees
        for cell in cells
    }
    largest = max(values.values())
    traces: list[dict[str, Any]] = []
    for place in range(SHADES):
        low, high = largest * place / SHADES, largest * (place + 1) / SHADES
        chosen = [cell.corners for cell, value in values.items() if low < value <= high]
        if chosen:
            traces.append(area(chosen, origin, f"{interval(low, high)} / deg²", f"$s{place}"))
    middles = [middle(cell.corners, origin) for cell in cells]
    traces.append(
        {
            "type": "scatter",
            "mode": "markers",
            "showlegend": False,
            "x": [round(x, 4) for x, _ in middles],
            "y": [round(y, 4) for _, y in middles],
            "marker": {"size": 8, "opacity": 0, "color": "$text"},
            "hovertext": [
                f"{count(cell.dia_sources, 'DiaSource')}, {count(cell.dia_objects, 'DiaObject')}<br>"
                f"{values[cell]:,.0f} {view} / deg²"
                for cell in cells
            ],
            "hoverinfo": "text",
        }
    )
    return traces
