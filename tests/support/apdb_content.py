"""Realistic content for an APDB: a small survey whose association reads the database and writes it.

It uses the database as the real task does, without images: deterministic sources of (visit, detector)s, matched
to the DiaObjects in the database, a new version of each object, and DiaForcedSources of the objects with some
history.
"""

import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy
from apcampaign.apdb import ApdbOptions, ApdbTarget, init_apdb, open_apdb, plan_init
from apcampaign.apdb.connection import make_engine
from astropy.time import Time
from lsst.dax.apdb import Apdb
from lsst.sphgeom import ConvexPolygon, LonLat, UnitVector3d

# Degrees: side of a detector, and match radius.
SIDE = 0.2
MATCH = 1 / 3600
BANDS = "ugrizy"


@dataclass
class Survey:
    """Visits of a strip of detectors, and what is in the sky.

    Parameters
    ----------
    detectors
        The number of detectors, side by side.
    objects
        The number of variable objects of each detector.
    chance
        The probability that an object is detected.
    artifacts
        The number of false sources of an image.
    """

    detectors: int = 2
    objects: int = 12
    chance: float = 0.7
    artifacts: int = 3
    seed: int = 1
    ra0: float = 56.6
    dec0: float = -36.4
    sky: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        width = SIDE * self.detectors
        count = self.objects * self.detectors
        self.sky = np.stack(
            [self.ra0 + rng.uniform(0, width, count), self.dec0 + rng.uniform(0, SIDE, count)], axis=1
        )

    @staticmethod
    def mjd(visit: int) -> float:
        """Middle of the exposure, MJD TAI: two minutes between visits."""
        return 60000.0 + visit * 120 / 86400

    def box(self, visit: int, detector: int) -> tuple[float, float]:
        """Lower corner of a detector's sky: each visit is shifted a little."""
        rng = np.random.default_rng([self.seed, visit])
        return (
            self.ra0 + detector * SIDE + rng.uniform(-0.01, 0.01),
            self.dec0 + rng.uniform(-0.01, 0.01),
        )

    def sources(self, visit: int, detector: int) -> pd.DataFrame:
        """Sources that are detected on an image."""
        rng = np.random.default_rng([self.seed, visit, detector])
        ra, dec = self.box(visit, detector)
        inside = self.sky[
            (self.sky[:, 0] > ra)
            & (self.sky[:, 0] < ra + SIDE)
            & (self.sky[:, 1] > dec)
            & (self.sky[:, 1] < dec + SIDE)
        ]
        seen = inside[rng.random(len(inside)) < self.chance]
        seen = seen + rng.normal(0, 0.05 / 3600, seen.shape)
        false = np.array([ra, dec]) + rng.uniform(0.01, SIDE - 0.01, (self.artifacts, 2))
        where = np.concatenate([seen, false])
        count = len(where)
        zeros = np.zeros(count, dtype=np.int64)
        return pd.DataFrame(
            {
                "diaSourceId": (visit * 1000 + detector) * 100_000 + np.arange(count),
                "visit": np.full(count, visit, dtype=np.int64),
                "detector": np.full(count, detector, dtype=np.int64),
                "ra": where[:, 0],
                "dec": where[:, 1],
                "x": rng.uniform(0, 4000, count),
                "y": rng.uniform(0, 4000, count),
                "midpointMjdTai": np.full(count, self.mjd(visit)),
                # Images wait for their turn to be associated, those of later visits too.
                "timeProcessedMjdTai": np.full(count, 60500.0 + rng.uniform(0, 0.1)),
                "band": BANDS[visit % 6],
                "psfFlux": rng.normal(1000, 100, count),
                "psfFluxErr": np.full(count, 30.0),
                "psfNdata": zeros,
                "trailNdata": zeros,
                "dipoleNdata": zeros,
                "bboxSize": zeros + 11,
            }
        )


def associate(
    apdb: Apdb,
    survey: Survey,
    visit: int,
    detector: int,
    now: float,
    *,
    shift: int = 0,
    forced_threshold: int = 2,
    purged: int = 0,
) -> int:
    """Associate one image and write it.

    Parameters
    ----------
    apdb
        The database.
    survey, visit, detector
        The image.
    now
        The time at which this happens, MJD TAI.
    shift
        Added to the identifiers of sources, as a second processing has others.
    forced_threshold
        How many sources an object needs to get a DiaForcedSource.
    purged
        How many of the known objects with a source get no new version: the real task drops those that its
        mean position puts off the image.

    Returns
    -------
    count
        Number of DiaSources.
    """
    sources = survey.sources(visit, detector)
    sources["diaSourceId"] += shift
    region = region_of(survey, visit, detector)
    objects = apdb.getDiaObjects(region).drop_duplicates("diaObjectId")
    known = objects[["diaObjectId", "ra", "dec"]].astype({"diaObjectId": "int64"}).reset_index(drop=True)
    ids = sources["diaSourceId"].to_numpy().copy()
    for i, (ra, dec) in enumerate(zip(sources["ra"], sources["dec"], strict=True)):
        if len(known):
            distance = np.hypot((known["ra"] - ra) * np.cos(np.radians(dec)), known["dec"] - dec)
            if distance.min() < MATCH:
                ids[i] = known["diaObjectId"][int(distance.argmin())]
    sources["diaObjectId"] = ids
    columns = ["diaSourceId", "diaObjectId", "ra", "dec", "midpointMjdTai", "psfFlux"]
    time = Time(survey.mjd(visit), format="mjd", scale="tai")
    past = apdb.getDiaSources(region, [int(i) for i in known["diaObjectId"]], time)
    history = pd.concat([past[columns], sources[columns]], ignore_index=True)
    history = history.astype({"diaObjectId": "int64", "psfFlux": "float64"})
    groups = history.groupby("diaObjectId")
    updated = pd.DataFrame(
        {
            "ra": groups["ra"].mean(),
            "dec": groups["dec"].mean(),
            "nDiaSources": groups.size(),
            "firstDiaSourceMjdTai": groups["midpointMjdTai"].min(),
            "r_psfFluxMean": groups["psfFlux"].mean(),
        }
    ).reset_index()
    frequent = updated[updated["nDiaSources"] >= forced_threshold]
    updated = updated[updated["diaObjectId"].isin(ids)].reset_index(drop=True)
    old = updated["diaObjectId"][updated["diaObjectId"].isin(known["diaObjectId"])][:purged]
    updated = updated[~updated["diaObjectId"].isin(old)].reset_index(drop=True)
    for name in BANDS:
        updated[f"{name}_psfFluxNdata"] = 0
    # Not filled by today's pipeline; DiaObjectLast asks for them.
    for name in ("lastDiaSourceMjdTai", "raErr", "decErr", "ra_dec_Cov"):
        updated[name] = np.nan
    forced = pd.DataFrame(
        {
            "diaForcedSourceId": (visit * 1000 + detector) * 100_000 + shift + np.arange(len(frequent)),
            "diaObjectId": frequent["diaObjectId"].to_numpy(),
            "ra": frequent["ra"].to_numpy(),
            "dec": frequent["dec"].to_numpy(),
            "visit": np.full(len(frequent), visit, dtype=np.int64),
            "detector": np.full(len(frequent), detector, dtype=np.int64),
            "psfFlux": frequent["r_psfFluxMean"].to_numpy(),
            "midpointMjdTai": np.full(len(frequent), survey.mjd(visit)),
            "timeProcessedMjdTai": np.full(len(frequent), now - 1e-6),
        }
    )
    apdb.store(Time(now, format="mjd", scale="tai"), updated, sources, forced)
    return len(sources)


def run(apdb: Apdb, survey: Survey, visits: list[int], start: float = 61000.0) -> dict[tuple[int, int], int]:
    """Associate all detectors of visits, in the order given; a minute for each image.

    Returns
    -------
    counts
        (visit, detector) → number of DiaSources.
    """
    counts: dict[tuple[int, int], int] = {}
    for visit in visits:
        for detector in range(survey.detectors):
            now = start + len(counts) / 1440
            counts[visit, detector] = associate(apdb, survey, visit, detector, now)
    return counts


def region_of(survey: Survey, visit: int, detector: int) -> ConvexPolygon:
    ra, dec = survey.box(visit, detector)
    corners = [(ra, dec), (ra + SIDE, dec), (ra + SIDE, dec + SIDE), (ra, dec + SIDE)]
    return ConvexPolygon([UnitVector3d(LonLat.fromDegrees(*corner)) for corner in corners])


def dump(target: ApdbTarget) -> dict[str, list[tuple[Any, ...]]]:
    """Return all rows of all tables but the metadata, sorted; without what differs by design."""
    engine = make_engine(target)
    metadata = sqlalchemy.MetaData(schema=target.namespace)
    metadata.reflect(engine, resolve_fks=False)
    content = {}
    with engine.connect() as connection:
        for table in metadata.tables.values():
            # Each store, and each rollback, gives a replica chunk another one.
            columns = [column for column in table.columns if column.name != "unique_id"]
            rows = connection.execute(sqlalchemy.select(*columns))
            content[table.name] = sorted(map(tuple, rows), key=repr)
    del content["metadata"]
    return content


def run_sql(target: ApdbTarget, *statements: str) -> None:
    """Execute statements in which ``$`` precedes the name of a table."""
    schema = f"{target.namespace}." if target.namespace else ""
    with make_engine(target).begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(re.sub(r"\$(\w+)", rf'{schema}"\1"', statement))


class Copies:
    """An APDB that is filled once and copied for each test.

    Parameters
    ----------
    url
        Database to fill.
    folder
        For copies, and configurations.
    options
        What kind of APDB.
    survey, visits
        What is associated.
    """

    def __init__(
        self, url: str, folder: Path, options: ApdbOptions, survey: Survey, visits: list[int]
    ) -> None:
        self.folder = folder
        self.survey = survey
        self.visits = visits
        self.target = ApdbTarget.from_url(url, None if url.startswith("sqlite") else "camp")
        plan = plan_init(self.target, instrument="X", config=folder / "apdb.yaml", options=options)
        init_apdb(plan)
        self.counts = run(open_apdb(self.target), survey, visits)
        self._number = 0

    def copy(self) -> ApdbTarget:
        """Make a copy."""
        self._number += 1
        if self.target.is_sqlite:
            path = self.folder / f"copy{self._number}.db"
            shutil.copy(self.target.sqlite_path, path)
            return ApdbTarget.from_url(f"sqlite:///{path}")
        url = sqlalchemy.make_url(self.target.url)
        name = f"{url.database}_{self._number}"
        engine = sqlalchemy.create_engine(url.set(database="postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(f'CREATE DATABASE "{name}" TEMPLATE "{url.database}"')
        engine.dispose()
        return ApdbTarget.from_url(url.set(database=name).render_as_string(), self.target.namespace)
