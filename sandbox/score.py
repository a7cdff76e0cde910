"""Score of a campaign on the simulated sky: its APDB compared with the truth.

Each DiaSource is matched to the nearest row of the truth of its visit and detector, within `RADIUS` pixels, each
row once. A source without a row is false; a row without a source is missed.
"""

__all__ = ["GOALS", "Score", "match_truth", "score"]

import itertools
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from .science.calibration import pair

RADIUS = 2.0
"""The largest distance of a source from its truth, pixels."""
GOALS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "completeness": (0.95, 1.0),
        "purity": (0.95, 1.0),
        "position": (0.0, 0.1),
        "flux": (-0.02, 0.02),
        "association": (0.99, 1.0),
    }
)
"""The range of each number for a good campaign."""
_BINS = (0.0, 5.0, 7.0, 10.0, 15.0, 20.0, 30.0, 50.0, 100.0, np.inf)
_SHARP, _BRIGHT, _FAINT = 20.0, 10.0, 3.0  # significance


@dataclass(frozen=True)
class Score:
    """A campaign in numbers; NaN where there are no data.

    Parameters
    ----------
    truths, sources
        Rows of the truth that should be found (usable, significance above ten), and DiaSources.
    completeness
        The fraction of those rows that have a source.
    purity
        The fraction of the sources with a row of significance above three.
    position
        Median distance of a source from the truth, for significance above twenty, pixels; for fainter ones noise
        alone makes it a tenth.
    offset
        Mean offset along x and y, pixels.
    flux
        Median of the relative error of the flux, for significance above ten.
    pull
        Scatter of the flux error in units of the estimated error.
    association
        The fraction of the sources of objects that do not move which are in the DiaObject that holds most of them
        and is not mostly another object's.
    by_snr
        For intervals of significance: lower bound, rows of the truth, rows found, sources, true sources.
    """

    truths: int
    sources: int
    completeness: float
    purity: float
    position: float
    offset: tuple[float, float]
    flux: float
    pull: float
    association: float
    by_snr: tuple[tuple[float, int, int, int, int], ...]

    @property
    def missed(self) -> tuple[str, ...]:
        """Names of the goals that are missed."""
        return tuple(
            name for name, (least, most) in GOALS.items() if not least <= getattr(self, name) <= most
        )

    @property
    def good(self) -> bool:
        """Whether all goals are reached."""
        return not self.missed

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            **{name: _plain(value) for name, value in asdict(self).items()},
            "goals": {name: list(limits) for name, limits in GOALS.items()},
            "missed": list(self.missed),
            "good": self.good,
        }


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def match_truth(truth: pd.DataFrame, sources: pd.DataFrame) -> pd.DataFrame:
    """Return the sources with ``row``, the index of their truth or -1, and ``dx``, ``dy`` (pixels) from it.

    Parameters
    ----------
    truth
        The table of `apcampaign.sandbox.truth.make_truth`.
    sources
        Rows of ``DiaSource``.
    """
    matched = sources.reset_index(drop=True).copy()
    matched["row"], matched["dx"], matched["dy"] = -1, np.nan, np.nan
    places = dict(iter(truth[truth["snr"] > _FAINT].groupby(["visit", "detector"])))
    for key, group in matched.groupby(["visit", "detector"]):
        there = places.get(key)
        if there is None:
            continue
        x, y = (group[name].to_numpy(float) for name in ("x", "y"))
        true_x, true_y = (there[name].to_numpy(float) for name in ("x", "y"))
        nearest = pair(x, y, true_x, true_y, RADIUS)
        found = nearest >= 0
        rows = group.index[found]
        matched.loc[rows, "row"] = there.index.to_numpy()[nearest[found]]
        matched.loc[rows, "dx"] = x[found] - true_x[nearest[found]]
        matched.loc[rows, "dy"] = y[found] - true_y[nearest[found]]
    return matched


def score(truth: pd.DataFrame, sources: pd.DataFrame) -> Score:
    """Compare the DiaSources of an APDB with the truth; parameters as for `match_truth`."""
    matched = match_truth(truth, sources)
    true = matched[matched["row"] >= 0]
    found = set(true["row"])
    wanted = truth[truth["usable"] & (truth["snr"] > _BRIGHT)]
    facts = truth[["id", "kind", "difference", "snr", "usable"]].rename(columns={"snr": "snr_true"})
    with_truth = true.join(facts, on="row")
    bright = with_truth[with_truth["usable"] & (with_truth["snr_true"] > _BRIGHT)]
    sharp = bright[bright["snr_true"] > _SHARP]
    relative = bright["psfFlux"] / bright["difference"] - 1
    pulls = (bright["psfFlux"] - bright["difference"]) / bright["psfFluxErr"]
    return Score(
        truths=len(wanted),
        sources=len(matched),
        completeness=_part(len(wanted.index.intersection(sorted(found))), len(wanted)),
        purity=_part(len(true), len(matched)),
        position=_median(np.hypot(sharp["dx"], sharp["dy"])),
        offset=(_median(bright["dx"]), _median(bright["dy"])),
        flux=_median(relative),
        pull=_median(np.abs(pulls)) * 1.4826,
        association=_association(with_truth),
        by_snr=_by_snr(truth, matched, found),
    )


def _part(number: int, of: int) -> float:
    return number / of if of else float("nan")


def _median(values: Any) -> float:
    return float(np.median(values)) if len(values) else float("nan")


def _association(sources: pd.DataFrame) -> float:
    """Return the fraction in the right DiaObject, one with several truths counting for its most frequent one."""
    staying = sources[sources["kind"].isin(["variable", "supernova"])]
    counts = staying.groupby(["id", "diaObjectId"]).size().rename("number").reset_index()
    if counts.empty:
        return float("nan")
    owners = counts.sort_values("number", ascending=False, kind="stable").drop_duplicates("diaObjectId")
    best = owners.groupby("id")["number"].max()
    several = staying.groupby("id").size()
    several = several[several > 1]
    return _part(int(best.reindex(several.index, fill_value=0).sum()), int(several.sum()))


def _by_snr(
    truth: pd.DataFrame, matched: pd.DataFrame, found: set[int]
) -> tuple[tuple[float, int, int, int, int], ...]:
    usable = truth[truth["usable"]]
    detected = usable.index.isin(sorted(found))
    rows = []
    for low, high in itertools.pairwise(_BINS):
        here = ((usable["snr"] >= low) & (usable["snr"] < high)).to_numpy()
        sources = (matched["snr"] >= low) & (matched["snr"] < high)
        rows.append(
            (
                low,
                int(here.sum()),
                int((here & detected).sum()),
                int(sources.sum()),
                int((sources & (matched["row"] >= 0)).sum()),
            )
        )
    return tuple(rows)
