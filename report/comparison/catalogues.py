"""Comparison of two catalogues: what is in both, what is in one only, and how the values of the others differ."""

__all__ = ["compare_objects", "compare_sources"]

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ...apdb import SNR_EDGES
from .catalogue_values import CatalogueComparison, Counts, Shift
from .matching import Pairs, match_positions
from .model import Tolerances

if TYPE_CHECKING:
    import pandas as pd

_MAD = 1.4826  # the standard deviation of a normal distribution in units of its median absolute deviation
#: With fewer rows a pixel of the sky shows noise; more pixels cannot be drawn.
_TELLING, _MOST_PIXELS, _FINEST = 12, 1000, 4096
_SOURCE_VALUES = ("diaSourceId", "diaObjectId", "ra", "dec", "psfFlux", "psfFluxErr", "snr", "reliability")
_OBJECT_VALUES = ("diaObjectId", "ra", "dec", "nDiaSources")


def compare_sources(a: "pd.DataFrame", b: "pd.DataFrame", tolerances: Tolerances) -> CatalogueComparison:
    """Compare DiaSources: those of the same visit and detector are matched.

    Parameters
    ----------
    a, b
        The two sides, as `apcampaign.apdb.read_kept_sources` reads them.
    tolerances
        The radius, and what counts as the same.
    """
    pairs = match_positions(a, b, tolerances.radius, by=("visit", "detector"))
    matched, only_a, only_b = _split(a, b, pairs, _SOURCE_VALUES)
    matched = matched.assign(
        **{name: a[name].array[pairs.a] for name in ("visit", "detector", "band", "midpointMjdTai")},
        **_offsets(matched),
        flux=matched["psfFlux_b"] - matched["psfFlux_a"],
        pull=_pull(matched),
    )
    errors = np.fmin(*(matched[f"psfFluxErr_{side}"].to_numpy(float) for side in "ab"))
    # Without an error only equal fluxes are the same.
    allowed = tolerances.flux * np.nan_to_num(errors, nan=0.0)
    flux = _differs(matched, "psfFlux", allowed)
    reliability = _differs(matched, "reliability", tolerances.reliability)
    moved, shifts = _measure_positions(matched, tolerances)
    of_reliability = (matched["reliability_b"] - matched["reliability_a"]).to_numpy(float)
    shifts = {
        "flux": _measure(matched["flux"].to_numpy(float), flux, "nJy"),
        **shifts,
        "reliability": _measure(of_reliability, reliability, ""),
    }
    changed = flux | moved | reliability
    nside, pixels = _find_pixels(matched["ra_a"], matched["dec_a"], only_a, only_b)
    return CatalogueComparison(
        counts=Counts(len(matched), len(only_a), len(only_b)),
        unplaced=(_count_unplaced(a), _count_unplaced(b)),
        shifts=shifts,
        changed=int(changed.sum()),
        regrouped=_count_regrouped(matched),
        matched=matched,
        only_a=only_a,
        only_b=only_b,
        tables={
            "snr": _count_by(*(_snr_bins(each) for each in (matched["snr_a"], only_a["snr"], only_b["snr"]))),
            "visit": _count_by_visit(matched, only_a, only_b),
            "detector": _count_by(matched["detector"], only_a["detector"], only_b["detector"]),
            "pixel": _count_by(*pixels),
        },
        nside=nside,
    )


def compare_objects(a: "pd.DataFrame", b: "pd.DataFrame", tolerances: Tolerances) -> CatalogueComparison:
    """Compare DiaObjects, which are matched on all of the sky; parameters as for `compare_sources`.

    Positions of DiaObjects are means over their DiaSources; the number of these is compared too.
    """
    pairs = match_positions(a, b, tolerances.radius)
    matched, only_a, only_b = _split(a, b, pairs, _OBJECT_VALUES)
    matched = matched.assign(**_offsets(matched))
    moved, shifts = _measure_positions(matched, tolerances)
    more = _differs(matched, "nDiaSources", 0)
    numbers = (matched["nDiaSources_b"] - matched["nDiaSources_a"]).to_numpy(float)
    shifts |= {"nDiaSources": _measure(numbers, more, "")}
    return CatalogueComparison(
        counts=Counts(len(matched), len(only_a), len(only_b)),
        unplaced=(_count_unplaced(a), _count_unplaced(b)),
        shifts=shifts,
        changed=int((moved | more).sum()),
        matched=matched,
        only_a=only_a,
        only_b=only_b,
    )


def _measure_positions(matched: "pd.DataFrame", tolerances: Tolerances) -> tuple[Any, dict[str, Shift]]:
    """Tell which pairs are not at the same place, and how they have moved."""
    separation = matched["separation"].to_numpy(float)
    moved = separation > tolerances.position
    # A separation is never negative: that it has grown tells nothing.
    shifts = {"separation": replace(_measure(separation, moved, "″"), up=0)}
    for name in ("east", "north"):
        values = matched[name].to_numpy(float)
        shifts[name] = _measure(values, np.abs(values) > tolerances.position, "″")
    return moved, shifts


def _split(
    a: "pd.DataFrame", b: "pd.DataFrame", pairs: Pairs, names: Iterable[str]
) -> "tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]":
    import pandas as pd

    columns = {
        f"{name}_{side}": frame[name].to_numpy()[places]
        for name in names
        for side, frame, places in (("a", a, pairs.a), ("b", b, pairs.b))
    }
    alone = []
    for frame, places in ((a, pairs.a), (b, pairs.b)):
        left = np.ones(len(frame), bool)
        left[places] = False
        alone.append(frame[left].reset_index(drop=True))
    return pd.DataFrame({**columns, "separation": pairs.separation}), alone[0], alone[1]


def _offsets(matched: "pd.DataFrame") -> dict[str, Any]:
    """Give how far the second positions are to the east and to the north of the first ones, arcseconds."""
    east = (matched["ra_b"] - matched["ra_a"] + 180) % 360 - 180
    return {
        "east": east * np.cos(np.radians(matched["dec_a"])) * 3600,
        "north": (matched["dec_b"] - matched["dec_a"]) * 3600,
    }


def _pull(matched: "pd.DataFrame") -> Any:
    """Give the differences of flux in units of both errors, as if these were independent."""
    errors = np.hypot(*(matched[f"psfFluxErr_{side}"].to_numpy(float) for side in "ab"))
    return (matched["psfFlux_b"] - matched["psfFlux_a"]) / np.where(errors > 0, errors, np.nan)


def _differs(matched: "pd.DataFrame", name: str, allowed: Any) -> Any:
    """Tell which pairs differ in a column by more than is allowed; what neither has is the same."""
    one, other = (matched[f"{name}_{side}"].to_numpy(float) for side in "ab")
    return ~((np.abs(other - one) <= allowed) | (np.isnan(one) & np.isnan(other)))


def _measure(values: Any, different: Any, unit: str) -> Shift:
    known = np.isfinite(values)
    found = values[known]
    median = float(np.median(found)) if len(found) else math.nan
    scatter = _MAD * float(np.median(np.abs(found - median))) if len(found) else math.nan
    return Shift(
        unit=unit,
        count=len(found),
        median=median,
        scatter=scatter,
        largest=float(found[np.abs(found).argmax()]) if len(found) else math.nan,
        changed=int(different.sum()),
        up=int((different & known & (values > 0)).sum()),
        down=int((different & known & (values < 0)).sum()),
    )


def _count_unplaced(frame: "pd.DataFrame") -> int:
    return int((~np.isfinite(frame["ra"]) | ~np.isfinite(frame["dec"])).sum())


def _count_regrouped(matched: "pd.DataFrame") -> tuple[int, int]:
    """Count the DiaObjects of each side whose matched DiaSources belong to several of the other one."""
    pairs = matched[["diaObjectId_a", "diaObjectId_b"]]
    pairs = pairs[(pairs > 0).all(axis=1)].drop_duplicates()
    split, merged = (int(pairs[name].duplicated().sum()) for name in ("diaObjectId_a", "diaObjectId_b"))
    if not split and not merged:
        return 0, 0
    sizes = [pairs[name].value_counts() for name in ("diaObjectId_a", "diaObjectId_b")]
    return int((sizes[0] > 1).sum()), int((sizes[1] > 1).sum())


def _count_by(both: "pd.Series[Any]", only_a: "pd.Series[Any]", only_b: "pd.Series[Any]") -> "pd.DataFrame":
    """Count what is in both and in one only, by a key."""
    import pandas as pd

    columns = {"both": both, "only_a": only_a, "only_b": only_b}
    counts = pd.DataFrame({name: keys.value_counts() for name, keys in columns.items()})
    counts = counts.fillna(0).astype(int).sort_index()
    there = counts["only_a"] + counts["only_b"]
    return counts.assign(
        significance=(counts["only_b"] - counts["only_a"]) / np.sqrt(there.where(there > 0, 1))
    )


def _count_by_visit(
    matched: "pd.DataFrame", only_a: "pd.DataFrame", only_b: "pd.DataFrame"
) -> "pd.DataFrame":
    import pandas as pd

    counts = _count_by(matched["visit"], only_a["visit"], only_b["visit"])
    names = ["visit", "band", "midpointMjdTai"]
    visits = pd.concat([each[names].drop_duplicates("visit") for each in (matched, only_a, only_b)])
    visits = visits.drop_duplicates("visit").set_index("visit").rename(columns={"midpointMjdTai": "mjd"})
    return counts.join(visits).join(matched.groupby("visit")["pull"].median()).sort_values("mjd")


def _snr_bins(snr: "pd.Series[Any]") -> "pd.Series[Any]":
    """Give the lower ends of the intervals of signal-to-noise ratio; 0 below the first, -1 where it is unknown."""
    import pandas as pd

    ends = np.array([0, *SNR_EDGES], float)
    values = np.abs(snr.to_numpy(float))
    bins = ends[np.clip(np.digitize(values, SNR_EDGES), 0, len(SNR_EDGES))]
    return pd.Series(np.where(np.isfinite(values), bins, -1.0))


def _find_pixels(
    ra: "pd.Series[Any]", dec: "pd.Series[Any]", only_a: "pd.DataFrame", only_b: "pd.DataFrame"
) -> "tuple[int, list[pd.Series[Any]]]":
    """Find the HEALPix pixels of the rows: small, but not too many of them."""
    import hpgeom
    import pandas as pd

    places = [(ra, dec), *((frame["ra"], frame["dec"]) for frame in (only_a, only_b))]
    finest = []
    for lon, lat in places:
        known = (np.isfinite(lon) & np.isfinite(lat)).to_numpy()
        coordinates = (lon.to_numpy(float)[known], lat.to_numpy(float)[known])
        finest.append(hpgeom.angle_to_pixel(_FINEST, *coordinates) if known.any() else np.empty(0, np.int64))
    everything = np.concatenate(finest)
    nside, shift = _FINEST, 0
    while nside > 1 and len(np.unique(everything >> shift)) > min(
        _MOST_PIXELS, max(1, len(everything) // _TELLING)
    ):
        nside, shift = nside // 2, shift + 2
    return (nside if len(everything) else 0), [pd.Series(pixels >> shift) for pixels in finest]
