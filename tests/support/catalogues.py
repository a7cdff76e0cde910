"""DiaSources and DiaObjects of an imaginary campaign, and what a comparison reads of it."""

__all__ = ["make_comparable", "make_objects", "make_sources"]

import numpy as np
import pandas as pd
from apcampaign.apdb.frames import KEPT_COLUMNS
from apcampaign.monitor.outcomes import QuantaCount, Spread, TaskUsage
from apcampaign.report.comparison import Comparable


def make_sources(count: int, *, visits: int = 6, detectors: int = 3, seed: int = 1) -> pd.DataFrame:
    """Make DiaSources as `apcampaign.apdb.read_kept_sources` reads them, of objects that all visits see."""
    rng = np.random.default_rng(seed)
    place = np.arange(count) % max(1, count // visits)
    visit = np.minimum(np.arange(count) // max(1, count // visits), visits - 1)
    objects = np.random.default_rng(7).uniform(0, 1, (count, 2))
    snr = 5 * (1 - rng.uniform(0, 1, count)) ** -0.5
    error = rng.uniform(80, 120, count)
    frame = pd.DataFrame(
        {
            "diaSourceId": np.arange(count) + (1 << 60),
            "diaObjectId": place + (1 << 59),
            "visit": 731_000 + visit,
            "detector": (objects[place, 0] * detectors).astype(int),
            "band": np.array(["g", "r", "i"])[visit % 3],
            "midpointMjdTai": 60_960.2 + visit,
            "ra": (359.6 + objects[place, 0]) % 360,
            "dec": -36 + objects[place, 1],
            "snr": snr,
            "psfFlux": snr * error,
            "psfFluxErr": error,
            "reliability": rng.uniform(0, 1, count),
        }
    )
    return frame.astype(dict(KEPT_COLUMNS))


def make_objects(sources: pd.DataFrame) -> pd.DataFrame:
    """Make the DiaObjects of DiaSources that do not move."""
    groups = sources.groupby("diaObjectId")
    frame = groups[["ra", "dec"]].first().assign(nDiaSources=groups.size())
    return frame.reset_index()


def make_comparable(name: str, sources: pd.DataFrame | None, **changes: object) -> Comparable:
    """Make what is read of a campaign."""
    count = QuantaCount(expected=12, successful=12, failed=0, blocked=0, unknown=0)
    label = "detectAndMeasureDiaSource"
    content = {
        "settings": {"name": name, "tracts": "3828", "apdb.url": f"sqlite:///{name}"},
        "software": {"submission: lsst-pipe-base": "30.2026.4300", "jobs: pipe_base": "30.2026.4300"},
        "configuration": {
            ("diffim", label): {"class": "lsst.Detect", "detection.thresholdValue": "5.0"},
            ("diffim", "associateApdb"): {"class": "lsst.Associate", "apdb_config_url": f"/runs/{name}"},
        },
        "collections": {"diffim": ("its own templates", "2.2i/defaults")},
        "selected": {"diffim": frozenset((731_000 + visit, 1) for visit in range(6))},
        "quanta": {("diffim", label): count, ("diffim", "associateApdb"): count},
        "usage": {
            ("diffim", label): TaskUsage(quanta=12, seconds=Spread.of([9.0, 11.0]), memory=Spread.of([300.0]))
        },
        "templates": {(3828, patch, "r"): 4 for patch in range(5)},
        "sources": sources,
        "objects": None if sources is None else make_objects(sources),
    }
    return Comparable(name=name, **{**content, **changes})
