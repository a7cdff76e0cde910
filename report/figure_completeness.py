"""Figure of completeness: the share of injected sources that was found, and the errors of what was found."""

__all__ = ["describe_depth", "draw_completeness", "draw_found"]

import math
from collections.abc import Iterable, Sequence
from typing import Any

from ..common.text import count
from ..ledger import Ledger, Workspace
from .completeness import Accuracy, Completeness, CompletenessBin, Depth
from .completeness_reader import read_completeness
from .figure import Column, Figure, Panel, Table, Value, band_colour, band_order, log_axis

_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "x", "star")


def describe_depth(depth: Depth) -> str:
    """Say in a few words where a depth is, or why it is not known."""
    if depth.magnitude is None:
        return depth.why
    error = "" if depth.error is None else f" ± {depth.error:.2f}"
    return f"{depth.magnitude:.2f}{error}"


def _say_depth(depth: Depth) -> str:
    described = describe_depth(depth)
    return f"{depth.share:.0%} " + (
        f"unknown ({described})" if depth.magnitude is None else f"at {described}"
    )


def draw_found(workspace: Workspace, ledger: Ledger, apdb_config: str | None) -> tuple[Figure, ...]:
    """Draw how much of what it injects a campaign has found so far, if it does and has; raises as the reader."""
    if workspace.campaign.injection is None or apdb_config is None:
        return ()
    return (draw_completeness(read_completeness(workspace, ledger)),)


def draw_completeness(result: Completeness) -> Figure:
    """Draw the completeness of a campaign.

    Parameters
    ----------
    result
        What was measured.
    """
    columns = (
        Column("of"),
        Column("from", "number", 2),
        Column("to", "number", 2),
        Column("injected", "number"),
        Column("found", "number"),
        Column("share", "number", 3),
        Column("at least (68 %)", "number", 3),
        Column("at most (68 %)", "number", 3),
    )
    bands = sorted(result.bands, key=lambda each: band_order(each.band))
    rows = [
        *(row for each in bands for row in _rows(f"{each.band} (mag)", each.bins)),
        *_rows("S/N", result.by_snr),
    ]
    panels = (_draw_magnitudes(result), _draw_significance(result), _draw_errors(result.accuracy_by_snr))
    return Figure(
        "completeness",
        "Completeness of injected sources",
        _describe(result),
        panels if result.injected else (),
        Table(columns, rows),
    )


def _rows(of: str, bins: Iterable[CompletenessBin]) -> list[tuple[Value, ...]]:
    return [
        (
            of,
            each.low,
            each.high if math.isfinite(each.high) else None,
            each.injected,
            each.found,
            each.share,
            *(each.limits if each.injected else (None, None)),
        )
        for each in bins
    ]


def _describe(result: Completeness) -> str:
    if not result.injected:
        return "No injected source lies in an image that was associated."
    depths = "; ".join(
        f"{each.band}: " + ", ".join(map(_say_depth, each.depths))
        for each in sorted(result.bands, key=lambda each: band_order(each.band))
    )
    sentences = [
        f"{result.found:,} of {result.injected:,} injected sources in {count(result.images, 'image')} have a "
        f"DiaSource within {result.radius:g}″",
        f"depths in magnitudes: {depths}",
    ]
    if result.accuracy:
        flux = "" if result.accuracy.flux is None else f"flux {result.accuracy.flux:+.3f} (relative), "
        sentences.append(
            f"medians for S/N above ten: {flux}position {result.accuracy.east:+.0f} mas east, "
            f"{result.accuracy.north:+.0f} mas north, scatter {result.accuracy.scatter:.0f} mas"
        )
    if result.chance is not None:
        sentences.append(f"a place beside them has one by chance in {result.chance:.1%}")
    return ". ".join(each[0].upper() + each[1:] for each in (*sentences, *result.notes)) + "."


def _trace(
    name: str, bins: Sequence[CompletenessBin], places: Sequence[float], **look: Any
) -> dict[str, Any]:
    shown = [(place, each) for place, each in zip(places, bins, strict=True) if each.share is not None]
    shares = [(each.share or 0.0, *each.limits) for _, each in shown]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "x": [round(place, 3) for place, _ in shown],
        "y": [round(share, 4) for share, _, _ in shares],
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [round(high - share, 4) for share, _, high in shares],
            "arrayminus": [round(share - low, 4) for share, low, _ in shares],
            "thickness": 1,
            "width": 0,
        },
        "customdata": [f"{each.found} of {each.injected}" for _, each in shown],
        "hovertemplate": "%{x}: %{customdata}<extra>%{fullData.name}</extra>",
        **look,
    }


def _draw_magnitudes(result: Completeness) -> Panel:
    traces = []
    for number, each in enumerate(sorted(result.bands, key=lambda each: band_order(each.band))):
        colour = band_colour(each.band)
        look = {"line": {"color": colour}, "marker": {"color": colour, "symbol": _SYMBOLS[number % 6]}}
        middles = [(bin_.low + bin_.high) / 2 for bin_ in each.bins]
        traces.append(_trace(each.band, each.bins, middles, **look))
    layout = {
        "xaxis": {"title": {"text": "injected magnitude (AB)"}},
        "yaxis": {"title": {"text": "share found"}, "range": [-0.02, 1.05]},
    }
    label = "Share of injected sources that was found, against magnitude, by band"
    return Panel("plot-completeness-magnitude", label, traces, layout, 320, title="Against magnitude")


def _draw_significance(result: Completeness) -> Panel:
    # Intervals on a logarithmic axis: the first begins at nothing, the last has no end.
    places = [
        math.sqrt(max(each.low, 1.0) * (each.high if math.isfinite(each.high) else 2 * each.low))
        for each in result.by_snr
    ]
    look = {"line": {"color": "$accent"}, "marker": {"color": "$accent"}, "showlegend": False}
    layout = {
        "xaxis": log_axis("expected S/N"),
        "yaxis": {"title": {"text": "share found"}, "range": [-0.02, 1.05]},
    }
    label = "Share of injected sources that was found, against signal-to-noise ratio"
    traces = [_trace("all bands", result.by_snr, places, **look)]
    return Panel("plot-completeness-snr", label, traces, layout, 320, title="Against signal-to-noise")


def _draw_errors(accuracy: Sequence[Accuracy]) -> Panel:
    known = [each for each in accuracy if each.flux is not None]
    trace = {
        "type": "scatter",
        "mode": "markers",
        "showlegend": False,
        "x": [
            round(math.sqrt(max(e.low, 1.0) * (e.high if math.isfinite(e.high) else 2 * e.low)), 3)
            for e in known
        ],
        "y": [round(each.flux or 0.0, 4) for each in known],
        "error_y": {
            "type": "data",
            "array": [round(each.flux_scatter or 0.0, 4) for each in known],
            "thickness": 1,
            "width": 0,
            "color": "$muted",
        },
        "customdata": [each.sources for each in known],
        "hovertemplate": "S/N %{x}: %{y:+.3f}, %{customdata} sources<extra></extra>",
        "marker": {"color": "$s5"},
    }
    layout = {
        "xaxis": log_axis("expected S/N"),
        "yaxis": {"title": {"text": "flux ÷ injected − 1"}},
    }
    label = "Median and scatter of the relative error of the flux, against signal-to-noise ratio"
    return Panel("plot-completeness-flux", label, [trace], layout, 320, title="Flux")
