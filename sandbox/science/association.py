"""Association of sources with objects, and the statistics of objects.

The nearest object within a radius, the closest pairs first; statistics as in the APDB's schema (Rubin's
``lsst.ap.association`` and ``meas_base``'s DIA plugins), fluxes weighted by their errors. Everything is summed in
time order, so that it does not depend on the order of a database's rows.
"""

__all__ = ["assign", "measure_forced", "summarise"]

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..cameras import APDB_BANDS
from ..exposure import Exposure
from ..geometry import TangentWcs
from .calibration import pair
from .psf import fit_point

_STATISTICS = ("Mean", "MeanErr", "Sigma", "Ndata", "Min", "Max", "MaxSlope", "ErrMean")


def assign(
    sources: pd.DataFrame, objects: pd.DataFrame, radius: float
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the object of each source, and whether it is a new one, which gets the source's ID.

    Parameters
    ----------
    sources, objects
        With ``ra`` and ``dec`` (degrees), and ``diaSourceId`` or ``diaObjectId``.
    radius
        Arcseconds.
    """
    ids = sources["diaSourceId"].to_numpy(np.int64).copy()
    if sources.empty or objects.empty:
        return ids, np.ones(len(ids), bool)
    plane = TangentWcs(float(sources["ra"].iloc[0]), float(sources["dec"].iloc[0]), 0.0, 0.0, 1.0)
    x, y = plane.to_pixel(sources["ra"], sources["dec"])
    other_x, other_y = plane.to_pixel(objects["ra"], objects["dec"])
    nearest = pair(x, y, other_x, other_y, radius)
    new = nearest < 0
    ids[~new] = objects["diaObjectId"].to_numpy(np.int64)[nearest[~new]]
    return ids, new


def _groups(history: pd.DataFrame) -> Iterator[tuple[int, pd.DataFrame]]:
    ordered = history.sort_values(["midpointMjdTai", "diaSourceId"], kind="stable")
    for object_id, group in ordered.groupby("diaObjectId"):
        yield int(str(object_id)), group


def _position(group: pd.DataFrame) -> tuple[float, float]:
    """Return the mean position, weighted by significance squared."""
    weight = np.square(group["psfFlux"].to_numpy(float) / group["psfFluxErr"].to_numpy(float))
    weight = np.where(np.isfinite(weight) & (weight > 0), weight, 1e-6)
    ra = group["ra"].to_numpy(float)
    # Relative to the first, so that right ascension may pass through zero.
    east = (ra - ra[0] + 180) % 360 - 180
    return float((ra[0] + (weight * east).sum() / weight.sum()) % 360), float(
        (weight * group["dec"].to_numpy(float)).sum() / weight.sum()
    )


def summarise(history: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of ``DiaObject`` for the objects in a history of sources."""
    rows = []
    for object_id, group in _groups(history):
        ra, dec = _position(group)
        row: dict[str, Any] = {
            "diaObjectId": object_id,
            "ra": ra,
            "dec": dec,
            "nDiaSources": len(group),
            "firstDiaSourceMjdTai": group["midpointMjdTai"].min(),
            "lastDiaSourceMjdTai": group["midpointMjdTai"].max(),
        }
        for band in APDB_BANDS:
            values = _statistics(group[group["band"] == band])
            row |= {f"{band}_psfFlux{name}": value for name, value in values.items()}
        rows.append(row)
    names = ["diaObjectId", "ra", "dec", "nDiaSources", "firstDiaSourceMjdTai", "lastDiaSourceMjdTai"]
    names += [f"{band}_psfFlux{name}" for band in APDB_BANDS for name in _STATISTICS]
    kinds = dict.fromkeys(names, "float64") | {"diaObjectId": "int64", "nDiaSources": "int32"}
    kinds |= {f"{band}_psfFluxNdata": "int32" for band in APDB_BANDS}
    return pd.DataFrame(rows, columns=names).astype(kinds)


def _statistics(group: pd.DataFrame) -> dict[str, float]:
    """Return the statistics of the fluxes of one band, NaN where there are too few."""
    flux, error = group["psfFlux"].to_numpy(float), group["psfFluxErr"].to_numpy(float)
    time = group["midpointMjdTai"].to_numpy(float)
    result: dict[str, float] = dict.fromkeys(_STATISTICS, np.nan) | {"Ndata": len(flux)}
    if not len(flux):
        return result
    weight = 1 / np.maximum(error, 1e-9) ** 2
    result["Mean"] = float((weight * flux).sum() / weight.sum())
    result["MeanErr"] = float(weight.sum() ** -0.5)
    result["Min"], result["Max"] = float(flux.min()), float(flux.max())
    result["ErrMean"] = float(error.mean())
    if len(flux) > 1:
        result["Sigma"] = float(flux.std(ddof=1))
        steps = np.diff(time)
        slopes = np.diff(flux)[steps > 0] / steps[steps > 0]
        result["MaxSlope"] = float(slopes.max()) if len(slopes) else np.nan
    return result


def measure_forced(
    history: pd.DataFrame, difference: Exposure, science: Exposure, least: int
) -> list[dict[str, Any]]:
    """Measure all objects that are on an image and have at least ``least`` sources, at their mean position.

    Returns
    -------
    rows
        Rows of ``DiaForcedSource``, without their IDs and times of processing.
    """
    rows: list[dict[str, Any]] = []
    info, box = science.circumstances, difference.box
    for object_id, group in _groups(history):
        ra, dec = _position(group)
        x, y = (float(value) for value in difference.sky.to_pixel(ra, dec))
        if len(group) < least or not (0 <= x <= box.width - 1 and 0 <= y <= box.height - 1):
            continue
        change, total = (
            fit_point(image.image, image.variance, image.good, x, y, image.star, move=False)
            for image in (difference, science)
        )
        rows.append(
            {
                "diaObjectId": object_id,
                "ra": ra,
                "dec": dec,
                "visit": info.visit,
                "detector": info.detector,
                "psfFlux": change.flux,
                "psfFluxErr": change.error,
                "scienceFlux": total.flux,
                "scienceFluxErr": total.error,
                "midpointMjdTai": info.mjd,
                "band": info.band,
            }
        )
    return rows
