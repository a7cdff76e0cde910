"""Figures of quality: seeing, zero point and sky noise, the focal plane, signal-to-noise ratio and reliability."""

__all__ = ["draw_focal_plane", "draw_quality", "draw_significance"]

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from statistics import median
from typing import Any

from ..apdb import RELIABILITY_EDGES, SNR_EDGES
from .figure import Column, Figure, Panel, Table, Value, interval
from .figures_visits import draw_over_time
from .model import ReportData
from .polygons import SHADES, area, middle
from .quality import ImageQuality, SurveyQuality
from .sky_model import DiaCatalog

#: The views: what is written at the axis, how many digits it has, and where it is.
_SEEING = ("seeing", "FWHM (″)", 2, lambda image: image.seeing)
_ZERO_POINT = ("zero point", "zeroPoint (mag)", 3, lambda image: image.zero_point)
_SKY_NOISE = ("sky noise", "skyNoise (counts)", 2, lambda image: image.sky_noise)
_QUANTITIES: tuple[tuple[str, str, int, Callable[[ImageQuality], float | None]], ...] = (
    _SEEING,
    _ZERO_POINT,
    _SKY_NOISE,
)


def _medians[Key](
    images: Iterable[ImageQuality],
    key: Callable[[ImageQuality], Key],
    value: Callable[[ImageQuality], float | None],
) -> dict[Key, float]:
    groups: dict[Key, list[float]] = defaultdict(list)
    for image in images:
        if (number := value(image)) is not None:
            groups[key(image)].append(number)
    return {name: median(numbers) for name, numbers in groups.items()}


def draw_quality(data: ReportData) -> Figure:
    """Draw seeing, zero point and sky noise of the visits over time."""
    quality = data.quality or SurveyQuality()
    by_visit = {
        view: _medians(quality.images, lambda image: image.visit, value) for view, _, _, value in _QUANTITIES
    }
    read = {image.visit for image in quality.images}
    shown = [visit for visit in data.visits if visit.visit in read]
    panels = []
    for view, title, *_ in _QUANTITIES:
        values = by_visit[view]
        points = [(visit.visit, visit.band, visit.mjd, values.get(visit.visit)) for visit in shown]
        name = view.replace(" ", "-")
        panels.append(draw_over_time(f"plot-quality-{name}", view.capitalize(), title, points))
    rows = [
        (visit.visit, visit.band, visit.mjd, *(by_visit[view].get(visit.visit) for view, *_ in _QUANTITIES))
        for visit in shown
    ]
    columns = (
        Column("visit", "id"),
        Column("band"),
        Column("MJD (TAI)", "number", 5),
        *(Column(f"{view}, {title}", "number", digits) for view, title, digits, _ in _QUANTITIES),
    )
    caption = "Medians over the detectors of each visit, from the visit summaries" + (
        f": a sample of {len(read):,} of {quality.summaries:,}." if len(read) < quality.summaries else "."
    )
    return Figure(
        "quality", "Quality of the visits", caption, tuple(panels) if shown else (), Table(columns, rows)
    )


def draw_focal_plane(data: ReportData) -> Figure:
    """Draw what the detectors of the focal plane have in common over the visits."""
    quality = data.quality or SurveyQuality()
    values: dict[str, tuple[int, Mapping[int, float]]] = {}
    if data.catalog and data.catalog.by_detector:
        counts = data.catalog.by_detector
        values["DiaSources per image"] = (
            1,
            {
                detector: counts[detector].sources / images if detector in counts else 0.0
                for detector, images in data.exposed.items()
            },
        )
    for view, title, digits, value in _QUANTITIES:
        if medians := _medians(quality.images, lambda image: image.detector, value):
            values[f"{view}, {title}"] = (digits, medians)
    outlines = {each.detector: each.corners for each in quality.focal_plane}
    traces = [
        {**trace, "view": view}
        for view, (digits, numbers) in values.items()
        for trace in _detector_traces(outlines, numbers, digits)
    ]
    detectors = sorted({detector for _, numbers in values.values() for detector in numbers})
    rows: list[tuple[Value, ...]] = [
        (detector, data.exposed.get(detector), *(numbers.get(detector) for _, numbers in values.values()))
        for detector in detectors
    ]
    columns = (
        Column("detector", "id"),
        Column("visits", "number"),
        *(Column(view, "number", digits) for view, (digits, _) in values.items()),
    )
    layout = {
        "xaxis": {"title": {"text": "to the east (°)"}, "autorange": "reversed", "zeroline": False},
        "yaxis": {"title": {"text": "to the north (°)"}, "scaleanchor": "x", "zeroline": False},
    }
    panel = Panel("plot-focal-plane", "Map of the detectors", traces, layout, 480)
    caption = "The detectors" + (f" as visit {quality.visit} has them on the sky" if quality.visit else "")
    return Figure(
        "focal-plane",
        "Focal plane",
        f"{caption}: DiaSources in an image, on average over the visits, and medians of the visit summaries.",
        (panel,) if traces else (),
        Table(columns, rows),
        tuple(values),
    )


def _detector_traces(
    outlines: Mapping[int, Sequence[tuple[float, float]]], numbers: Mapping[int, float], digits: int
) -> list[dict[str, Any]]:
    known = {detector: numbers[detector] for detector in outlines if detector in numbers}
    if not known:
        return []
    least, most = min(known.values()), max(known.values())
    step = (most - least) / SHADES or 1.0
    groups: dict[int, list[int]] = defaultdict(list)
    for detector, value in known.items():
        groups[min(SHADES - 1, int((value - least) / step))].append(detector)
    traces = []
    for place, detectors in sorted(groups.items()):
        low, high = least + place * step, min(most, least + (place + 1) * step)
        name = f"{low:.{digits}f}" if least == most else interval(low, high, digits)
        traces.append(area([outlines[each] for each in detectors], 0.0, name, f"$s{place}"))
    middles = [middle(outlines[detector], 0.0) for detector in known]
    traces.append(
        {
            "type": "scatter",
            "mode": "markers",
            "showlegend": False,
            "x": [round(x, 4) for x, _ in middles],
            "y": [round(y, 4) for _, y in middles],
            "marker": {"size": 14, "opacity": 0, "color": "$text"},
            "hovertext": [f"detector {detector}<br>{value:.{digits}f}" for detector, value in known.items()],
            "hoverinfo": "text",
        }
    )
    return traces


def draw_significance(catalog: DiaCatalog | None) -> Figure:
    """Draw how many DiaSources have which signal-to-noise ratio and which reliability."""
    histograms = (
        ("S/N", SNR_EDGES, catalog.by_snr if catalog else {}),
        ("reliability", RELIABILITY_EDGES, catalog.by_reliability if catalog else {}),
    )
    rows: list[tuple[Value, ...]] = []
    for name, edges, counts in histograms:
        places = [-1, *range(len(edges))] if name == "S/N" else range(len(edges) - 1)
        for place in places:
            low = edges[place] if place >= 0 else None
            high = edges[place + 1] if place + 1 < len(edges) else None
            rows.append((name, low, high, counts.get(place, 0)))
        rows.append((f"{name} unknown", None, None, counts.get(None, 0)))
    columns = (
        Column("of"),
        Column("from", "number", 2),
        Column("to", "number", 2),
        Column("DiaSources", "number"),
    )
    total = sum(histograms[0][2].values())
    unknown = sum(counts.get(None, 0) for _, _, counts in histograms)
    caption = "DiaSources in the APDB by signal-to-noise ratio and by the score of real and bogus." + (
        " What is unknown is in the table." if unknown else ""
    )
    panels = tuple(_histogram(*each) for each in histograms)
    return Figure(
        "significance",
        "Signal-to-noise ratio and reliability",
        caption,
        panels if total else (),
        Table(columns, rows if total else ()),
    )


def _histogram(name: str, edges: Sequence[float], counts: Mapping[int | None, int]) -> Panel:
    """Draw bars of equal width: the intervals of signal-to-noise ratio are nearly equal on a logarithmic scale."""
    places = range(len(edges) - 1)
    labels = {place: f"{low:.2f}–{high:.2f}" for place, (low, high) in enumerate(pairwise(edges))}
    if name == "S/N":
        ends = {-1: f"below {edges[0]}", len(edges) - 1: f"from {edges[-1]}"}
        labels = ends | {place: f"{low}–{high}" for place, (low, high) in enumerate(pairwise(edges))}
        found = [place for place, number in counts.items() if place is not None and number]
        places = range(min(found, default=0), max(found, default=0) + 1)
    trace = {
        "type": "bar",
        "x": [labels[place] for place in places],
        "y": [counts.get(place, 0) for place in places],
        "marker": {"color": "$accent"},
        "hovertemplate": "%{x}: %{y:,} DiaSources<extra></extra>",
    }
    layout = {
        "xaxis": {"type": "category", "title": {"text": name}, "tickangle": -45, "nticks": 12},
        "yaxis": {"title": {"text": "DiaSources"}},
        "bargap": 0.08,
    }
    anchor = "snr" if name == "S/N" else name
    title = "Signal-to-noise ratio" if name == "S/N" else "Reliability"
    return Panel(f"plot-{anchor}", f"Histogram of the {title.lower()}", [trace], layout, 300, title=title)
