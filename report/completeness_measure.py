"""Measurement of completeness: injected sources compared with the DiaSources of an APDB.

Pure: tables in, values out. An injected source is found if a DiaSource of the same visit and detector, not a
negative one, lies within the radius of matching, and each is the nearest of the other. What no difference image
could show, since it lies where there is no template or in a masked pixel, counts as missed: the APDB lacks it all
the same.
"""

__all__ = ["match_injected", "measure_completeness"]

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .completeness import Accuracy, BandCompleteness, Completeness, CompletenessBin
from .completeness_fit import find_depths

if TYPE_CHECKING:
    import pandas as pd

type Floats = npt.NDArray[np.float64]

SNR_EDGES = (0.0, 3.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0, 50.0, 100.0, math.inf)
"""Bounds of the intervals of signal-to-noise ratio; among them those of Rubin's metrics of fakes up to 20."""
_MAGNITUDES = 0.5
_AB_ZERO = 31.4  # magnitude of 1 nJy
_ACCURATE = 10.0  # S/N above which position and flux are judged
_QUARTILE = 25  # percent
_IMAGE = ["visit", "detector"]
# Away from the injected sources, where only chance finds a DiaSource; radii of matching.
_AWAY = tuple((9.0 * east, 9.0 * north) for east, north in ((1, 0), (0, 1), (-1, 0), (0, -1)))


def measure_completeness(
    injected: "pd.DataFrame", sources: "pd.DataFrame", *, radius: float, notes: Sequence[str] = ()
) -> Completeness:
    """Compare the DiaSources of an APDB with what was injected.

    Parameters
    ----------
    injected
        A row for each source that was injected into an image that was associated: ``visit``, ``detector``,
        ``band``, ``ra``, ``dec`` (degrees), ``mag`` (AB).
    sources
        DiaSources: ``visit``, ``detector``, ``ra``, ``dec`` (degrees), ``psfFlux``, ``psfFluxErr`` (nJy).
    radius
        Within which they are matched, arcseconds.
    notes
        What was left out before.
    """
    table, chance = match_injected(injected, sources, radius=radius)
    table["snr"] = 10 ** ((_AB_ZERO - table["mag"]) / 2.5) / _estimate_noise(table, sources)
    known = table[np.isfinite(table["snr"])]
    if unknown := len(table) - len(known):
        notes = (*notes, f"the noise of the images of {unknown:,} injected sources is not known")
    matched = known[known["found"]]
    judged = [
        accuracy
        for low, high in itertools.pairwise(SNR_EDGES)
        for accuracy in _judge(matched[(matched["snr"] >= low) & (matched["snr"] < high)], low, high)
    ]
    bright = matched[matched["snr"] >= _ACCURATE]
    return Completeness(
        images=int(table.groupby(_IMAGE).ngroups),
        injected=len(table),
        found=int(table["found"].sum()),
        by_snr=_count(known["snr"], known["found"], SNR_EDGES),
        bands=tuple(
            BandCompleteness(
                band=str(band),
                bins=_count(group["mag"], group["found"], _magnitude_edges(group["mag"])),
                depths=find_depths(group["mag"].to_numpy(float), group["found"].to_numpy(bool)),
            )
            for band, group in table.groupby("band")
        ),
        accuracy=next(_judge(bright, _ACCURATE, math.inf), None),
        accuracy_by_snr=tuple(judged),
        chance=chance,
        radius=radius,
        notes=tuple(notes),
    )


def match_injected(
    injected: "pd.DataFrame", sources: "pd.DataFrame", *, radius: float
) -> "tuple[pd.DataFrame, float | None]":
    """Match injected sources with the DiaSources of their images; parameters as for `measure_completeness`.

    Returns
    -------
    matched, beside
        The injected sources with ``found``, and of those that were found ``east`` and ``north``, the offset of the
        DiaSource (milliarcseconds), and its ``psfFlux`` (nJy); the share of places beside them that have one.
    """
    table = injected.reset_index(drop=True).copy()
    usable = sources[~(sources["psfFlux"] < 0)]
    images = usable.groupby(_IMAGE).indices
    wanted, known = _positions(table), _positions(usable)
    match = np.full(len(table), -1)
    hits = 0
    for key, here in table.groupby(_IMAGE).indices.items():
        there = images.get(key, np.zeros(0, np.int64))
        pairs = _pair(wanted[here], known[there], radius)
        match[here[pairs >= 0]] = there[pairs[pairs >= 0]]
        others = known[np.delete(there, pairs[pairs >= 0])]
        beside = np.concatenate([_shift(wanted[here], away, radius) for away in _AWAY])
        hits += int((_nearest(beside, others, radius) < len(others)).sum())
    found = match >= 0
    table["found"] = found
    for name in ("east", "north", "psfFlux"):
        table[name] = np.nan
    rows = table.index[found]
    table.loc[rows, "east"], table.loc[rows, "north"] = _offsets(wanted[found], known[match[found]])
    table.loc[rows, "psfFlux"] = usable["psfFlux"].to_numpy(float)[match[found]]
    return table, hits / (len(_AWAY) * len(table)) if len(table) else None


def _positions(table: "pd.DataFrame") -> Floats:
    return table[["ra", "dec"]].to_numpy(float)


def _vectors(places: Floats) -> Floats:
    ra, dec = np.radians(places).T
    return np.array([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)]).T


def _nearest(places: Floats, others: Floats, radius: float) -> npt.NDArray[np.int64]:
    """Find the nearest of the others for each place; the number of the others where none is near."""
    from scipy.spatial import cKDTree

    if not len(places) or not len(others):
        return np.full(len(places), len(others))
    chord = 2 * math.sin(math.radians(radius / 3600) / 2)
    _, which = cKDTree(_vectors(others)).query(_vectors(places), distance_upper_bound=chord)
    return np.asarray(which, np.int64)


def _pair(places: Floats, others: Floats, radius: float) -> npt.NDArray[np.int64]:
    """Find for each place the other of which it is the nearest too; -1 where there is none."""
    there, back = _nearest(places, others, radius), _nearest(others, places, radius)
    mutual = (there < len(others)) & (np.append(back, -1)[there] == np.arange(len(places)))
    return np.where(mutual, there, -1)


def _shift(places: Floats, away: tuple[float, float], radius: float) -> Floats:
    east, north = (part * radius / 3600 for part in away)
    ra, dec = places.T
    return np.array([ra + east / np.cos(np.radians(dec)), dec + north]).T


def _offsets(places: Floats, others: Floats) -> tuple[Floats, Floats]:
    """Give how far others lie to the east and to the north, milliarcseconds."""
    turn = (others[:, 0] - places[:, 0] + 180) % 360 - 180
    return turn * np.cos(np.radians(places[:, 1])) * 3.6e6, (others[:, 1] - places[:, 1]) * 3.6e6


def _estimate_noise(table: "pd.DataFrame", sources: "pd.DataFrame") -> Floats:
    """Estimate the error that the flux of a faint source has in the image of each row, nJy.

    It is the lower quartile of ``psfFluxErr`` of the image's DiaSources, since the light of bright ones adds to
    theirs. Where an image has none it is the median of the others in its band.
    """
    measured = sources[sources["psfFluxErr"] > 0]
    quartiles = {
        key: float(np.percentile(group["psfFluxErr"], _QUARTILE)) for key, group in measured.groupby(_IMAGE)
    }
    keys = list(zip(table["visit"], table["detector"], strict=True))
    noise = np.array([quartiles.get(key, np.nan) for key in keys], float)
    for band in table["band"].unique():
        here = (table["band"] == band).to_numpy()
        if np.isfinite(noise[here]).any():
            noise[here & np.isnan(noise)] = np.nanmedian(noise[here])
    return noise


def _magnitude_edges(magnitudes: "pd.Series[float]") -> list[float]:
    first = math.floor(magnitudes.min() / _MAGNITUDES)
    last = math.floor(magnitudes.max() / _MAGNITUDES) + 1
    return [step * _MAGNITUDES for step in range(first, last + 1)]


def _count(
    values: "pd.Series[float]", found: "pd.Series[bool]", edges: Iterable[float]
) -> tuple[CompletenessBin, ...]:
    bins = []
    for low, high in itertools.pairwise(edges):
        here = (values >= low) & (values < high)
        bins.append(
            CompletenessBin(low=low, high=high, injected=int(here.sum()), found=int((here & found).sum()))
        )
    return tuple(bins)


def _judge(matched: "pd.DataFrame", low: float, high: float) -> Iterator[Accuracy]:
    """Judge the sources that were found in an interval, if there are any."""
    if matched.empty:
        return
    relative = (matched["psfFlux"] / 10 ** ((_AB_ZERO - matched["mag"]) / 2.5) - 1).dropna().to_numpy(float)
    east, north = (matched[name].to_numpy(float) for name in ("east", "north"))
    offsets = np.concatenate([east - np.median(east), north - np.median(north)])
    yield Accuracy(
        low=low,
        high=high,
        sources=len(matched),
        east=float(np.median(east)),
        north=float(np.median(north)),
        scatter=_scatter(offsets),
        flux=float(np.median(relative)) if len(relative) else None,
        flux_scatter=_scatter(relative - np.median(relative)) if len(relative) else None,
    )


def _scatter(deviations: Floats) -> float:
    """Estimate the standard deviation from the median absolute one, which outliers do not change."""
    return float(1.4826 * np.median(np.abs(deviations)))
