"""What the report of a simulated campaign shows besides: its score against the truth, and true light curves."""

__all__ = ["score_figures", "score_numbers", "true_light_curves"]

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

if TYPE_CHECKING:
    import pandas as pd

    from ...bps import CampaignConfig
    from ...report import Figure, Panel, TruePoint
    from ...sandbox.score import Score

_MARKS = {
    "variable": ("$s7", "circle"),
    "supernova": ("$s5", "square"),
    "mover": ("$s4", "x"),
    "flash": ("$s3", "star"),
}


def score_figures(campaign: "CampaignConfig", apdb_config: str | None) -> tuple["Figure", ...]:
    """Score a campaign whose repository is a sandbox's.

    Parameters
    ----------
    campaign
        The campaign.
    apdb_config
        The APDB that it fills, if it does yet.

    Returns
    -------
    figures
        One; none if the sky is a real one, nothing has been associated yet, or sources are injected.

    Raises
    ------
    ApdbError
        If the APDB cannot be read.
    """
    from ...sandbox.score import match_truth, score

    known = None if campaign.injection else _read(campaign, apdb_config)
    if known is None:
        return ()
    truth, sources = known
    return (draw_score(truth, match_truth(truth, sources), score(truth, sources)),)


def score_numbers(campaign: "CampaignConfig", apdb_config: str) -> dict[str, float] | None:
    """Score a campaign whose repository is a sandbox's, in numbers; parameters and errors as `score_figures`.

    Returns
    -------
    numbers
        By the name of their goal; `None` if the sky is a real one, or nothing has been associated yet.
    """
    from ...sandbox.score import GOALS, score

    known = _read(campaign, apdb_config)
    if known is None:
        return None
    result = score(*known)
    return {name: float(getattr(result, name)) for name in GOALS}


def true_light_curves(
    campaign: "CampaignConfig", apdb_config: str, dia_objects: Collection[int]
) -> dict[int, tuple["TruePoint", ...]]:
    """Find the true light curves of DiaObjects of a campaign whose repository is a sandbox's.

    Parameters
    ----------
    campaign, apdb_config
        As for `score_figures`.
    dia_objects
        The DiaObjects.

    Returns
    -------
    curves
        Of each the fluxes of the source on the sky that most of its DiaSources are; none if the sky is a real one.

    Raises
    ------
    ApdbError
        If the APDB cannot be read.
    """
    from ...report import TruePoint
    from ...sandbox.score import match_truth

    known = _read(campaign, apdb_config)
    if known is None:
        return {}
    truth, sources = known
    matched = match_truth(truth, sources)
    found = matched[(matched["row"] >= 0) & matched["diaObjectId"].isin(list(dia_objects))]
    owners = truth["id"].reindex(found["row"]).to_numpy()
    curves = {}
    for dia_object, group in found.assign(owner=owners).groupby("diaObjectId"):
        rows = truth[truth["id"] == group["owner"].mode().iloc[0]].sort_values("mjd")
        curves[int(str(dia_object))] = tuple(
            TruePoint(float(mjd), str(band), float(flux))
            for mjd, band, flux in zip(rows["mjd"], rows["band"], rows["difference"], strict=True)
        )
    return curves


def _read(campaign: "CampaignConfig", apdb_config: str | None) -> "tuple[pd.DataFrame, pd.DataFrame] | None":
    """Read the truth of a sandbox and the DiaSources; nothing if the sky is a real one, or none are there yet."""
    place = urlparse(campaign.butler)
    folder = Path(place.path).parent
    if apdb_config is None or place.scheme not in ("", "file"):
        return None
    if not (folder / "truth.parquet").is_file():
        return None
    from ...apdb import read_dia_sources
    from ...sandbox.truth import read_truth

    truth, sources = read_truth(folder), read_dia_sources(apdb_config)
    return None if sources.empty else (truth, sources)


def draw_score(truth: "pd.DataFrame", matched: "pd.DataFrame", result: "Score") -> "Figure":
    """Draw a score.

    Parameters
    ----------
    truth
        As `apcampaign.sandbox.truth.make_truth` returns it.
    matched
        The DiaSources, as `apcampaign.sandbox.score.match_truth` returns them.
    result
        What `apcampaign.sandbox.score.score` says of them.
    """
    from ...report import Column, Figure, Table
    from ...sandbox.score import GOALS

    facts = truth[["kind", "difference", "snr"]].rename(columns={"snr": "true_snr"})
    true = matched[matched["row"] >= 0].join(facts, on="row")
    columns = (
        Column("S/N from", "number"),
        Column("true changes", "number"),
        Column("found", "number"),
        Column("completeness", "number", 3),
        Column("DiaSources", "number"),
        Column("true", "number"),
        Column("purity", "number", 3),
    )
    rows = [
        (
            low,
            changes,
            found,
            found / changes if changes else None,
            sources,
            real,
            real / sources if sources else None,
        )
        for low, changes, found, sources, real in result.by_snr
    ]
    numbers = "; ".join(
        f"{name} {getattr(result, name):.3f} (goal {least:g} to {most:g})"
        for name, (least, most) in GOALS.items()
    )
    verdict = "All goals are reached" if result.good else f"Not reached: {', '.join(result.missed)}"
    caption = (
        f"How much of what changes on the simulated sky the campaign has found. {verdict}: {numbers}. "
        "Completeness and association count changes with S/N above ten; position (pixels) and flux (relative) are "
        "medians."
    )
    panels = (_draw_parts(result), _draw_positions(true), _draw_fluxes(true))
    return Figure("score", "Score against the truth", caption, panels, Table(columns, rows))


def _draw_parts(result: "Score") -> "Panel":
    from ...report import Panel, log_axis

    # Bins on a logarithmic axis: the first begins at the faintest that counts.
    low = [max(row[0], 3.0) for row in result.by_snr]
    parts = {
        "completeness": [found / changes if changes else None for _, changes, found, _, _ in result.by_snr],
        "purity": [real / sources if sources else None for _, _, _, sources, real in result.by_snr],
    }
    traces: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": name,
            "x": low,
            "y": [None if value is None else round(value, 4) for value in values],
            "line": {"shape": "hv", "color": colour},
            "marker": {"color": colour, "symbol": symbol},
        }
        for (name, values), colour, symbol in zip(
            parts.items(), ("$s6", "$s3"), ("circle", "square-open"), strict=True
        )
    ]
    layout = {
        "xaxis": log_axis("S/N from"),
        "yaxis": {"title": {"text": "share"}, "range": [0, 1.05]},
    }
    label = "Completeness and purity against signal-to-noise"
    return Panel("plot-score-parts", label, traces, layout, 300, title="Completeness and purity")


def _draw_positions(true: "pd.DataFrame") -> "Panel":
    from ...report import Panel
    from ...sandbox.score import RADIUS

    traces = [
        {
            "type": "scatter",
            "mode": "markers",
            "name": str(kind),
            "x": group["dx"].round(4).tolist(),
            "y": group["dy"].round(4).tolist(),
            "marker": {"size": 6, **dict(zip(("color", "symbol"), _MARKS[str(kind)], strict=True))},
        }
        for kind, group in true.groupby("kind")
    ]
    limits = [-RADIUS / 2, RADIUS / 2]
    layout = {
        "xaxis": {"title": {"text": "x − truth (pixels)"}, "range": limits},
        "yaxis": {"title": {"text": "y − truth (pixels)"}, "range": limits, "scaleanchor": "x"},
    }
    label = "Positions of DiaSources against the truth, by kind"
    return Panel("plot-score-positions", label, traces, layout, 300, title="Position")


def _draw_fluxes(true: "pd.DataFrame") -> "Panel":
    from ...report import Panel, log_axis

    traces = [
        {
            "type": "scatter",
            "mode": "markers",
            "showlegend": False,
            "x": true["true_snr"].round(2).tolist(),
            "y": (true["psfFlux"] / true["difference"] - 1).round(4).tolist(),
            "error_y": {
                "type": "data",
                "array": (true["psfFluxErr"] / true["difference"].abs()).round(4).tolist(),
                "thickness": 1,
                "width": 0,
                "color": "$muted",
            },
            "marker": {"size": 5, "color": "$s5"},
        }
    ]
    layout = {
        "xaxis": log_axis("S/N of the truth"),
        "yaxis": {"title": {"text": "flux ÷ truth − 1"}, "range": [-0.6, 0.6]},
    }
    label = "Relative error of the flux against signal-to-noise"
    return Panel("plot-score-fluxes", label, traces, layout, 300, title="Flux")
