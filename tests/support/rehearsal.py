"""A whole campaign in one process: the stand-in tasks, one after the other, with an APDB in SQLite.

Without Butler and a batch system it takes seconds, so that many skies and mistakes can be scored.
"""

__all__ = ["Rehearsal", "read_table", "rehearse"]

import itertools
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lsst.pipe.base as pipe_base
import pandas as pd
from apcampaign.sandbox.camera import CalibrationFrames, take_raw
from apcampaign.sandbox.exposure import Exposure
from apcampaign.sandbox.formatters import component_of
from apcampaign.sandbox.geometry import sky_polygon
from apcampaign.sandbox.injection import injection_catalogue
from apcampaign.sandbox.refcat import reference_catalogue
from apcampaign.sandbox.repository import camera
from apcampaign.sandbox.sky import Sky
from apcampaign.sandbox.survey import Survey
from apcampaign.sandbox.tasks.association import DiaPipelineTask
from apcampaign.sandbox.tasks.calibrate import CalibrateImageTask, first_id
from apcampaign.sandbox.tasks.coadds import (
    CompareWarpAssembleCoaddTask,
    MakeDirectWarpTask,
    MakePsfMatchedWarpTask,
)
from apcampaign.sandbox.tasks.differences import (
    AlardLuptonSubtractTask,
    DetectAndMeasureTask,
    GetTemplateTask,
)
from apcampaign.sandbox.tasks.injection import VisitInjectTask
from apcampaign.sandbox.tasks.isr import IsrTask
from apcampaign.sandbox.tasks.preload import LoadDiaCatalogsTask
from apcampaign.sandbox.tasks.selection import BestSeeingQuantileSelectVisitsTask
from apcampaign.sandbox.tasks.sources import (
    FilterDiaSourceReliabilityTask,
    RBTransiNetTask,
    TransformDiaSourceCatalogTask,
)
from apcampaign.sandbox.tasks.visits import ConsolidateVisitSummaryTask
from apcampaign.sandbox.visit import Visit
from astropy.time import Time
from lsst.daf.butler import Timespan
from lsst.dax.apdb.sql import ApdbSql
from lsst.pipe.base.utils import RegionTimeInfo
from sqlalchemy import create_engine


@dataclass(frozen=True)
class Handle:
    """A deferred dataset handle, without Butler."""

    dataset: Any
    dataId: dict[str, int] = field(default_factory=dict)  # noqa: N815

    def get(self, component: str | None = None) -> Any:
        return self.dataset if component is None else component_of(self.dataset, component)


type Templates = dict[tuple[int, int, str], Exposure]


@dataclass
class Rehearsal:
    """A campaign on a sky, and what it has made so far."""

    survey: Survey
    folder: Path
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    reasons: list[str] = field(default_factory=list)
    done: dict[tuple[int, int], pipe_base.Struct] = field(default_factory=dict)
    made: Templates = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.sky, self.catalogue = Sky(self.survey), reference_catalogue(self.survey)
        self.database, config = self.folder / "apdb.db", self.folder / "apdb.yaml"
        ApdbSql.init_database(f"sqlite:///{self.database}").save(str(config))
        self.frames = {n: CalibrationFrames.of(self.survey, n) for n in self.survey.size.detectors}
        classes = (
            IsrTask,
            CalibrateImageTask,
            ConsolidateVisitSummaryTask,
            BestSeeingQuantileSelectVisitsTask,
            MakeDirectWarpTask,
            MakePsfMatchedWarpTask,
            CompareWarpAssembleCoaddTask,
            VisitInjectTask,
            GetTemplateTask,
            AlardLuptonSubtractTask,
            DetectAndMeasureTask,
            RBTransiNetTask,
            FilterDiaSourceReliabilityTask,
            TransformDiaSourceCatalogTask,
            LoadDiaCatalogsTask,
            DiaPipelineTask,
        )
        self.tasks: dict[type, Any] = {}
        for kind in classes:
            options = kind.ConfigClass()
            for name, value in (
                ("apdb_config_url", str(config)),
                ("minReliability", 0.5),
                ("doSelectVisits", True),
                ("doNImage", True),
                ("maxFractionEpochsHigh", 0.2),
                ("doBrighterFatter", False),
                ("modelPackageStorageMode", "butler"),
            ):
                if hasattr(options, name):
                    setattr(options, name, value)
            self.tasks[kind] = kind(config=options)

    def run(self, kind: type, *arguments: Any, **inputs: Any) -> Any:
        begin = time.process_time()
        try:
            return self.tasks[kind].run(*arguments, **inputs)
        finally:
            self.seconds[kind.__name__].append(time.process_time() - begin)

    def calibrated(self, visit: Visit, detector: int) -> pipe_base.Struct:
        if (visit.id, detector) not in self.done:
            frames = self.frames[detector]
            raw = take_raw(self.sky, visit, detector, frames)
            isr = self.run(
                IsrTask,
                ccdExposure=raw,
                camera=camera(self.survey),
                bias=frames.bias,
                dark=frames.dark,
                flat=frames.flat,
            )
            self.done[visit.id, detector] = self.run(
                CalibrateImageTask,
                exposures=[isr.outputExposure],
                photometry_ref_cat=[Handle(self.catalogue)],
                start=first_id(0, visit.id, detector),
            )
        return self.done[visit.id, detector]

    def templates(self, visits: Sequence[Visit]) -> Templates:
        """Make the templates of all patches and bands that the visits allow."""
        found: Templates = {}
        bands = sorted({visit.band for visit in visits})
        for tract, band in itertools.product(self.survey.tracts, bands):
            mine = [visit for visit in visits if visit.band == band]
            handles = {visit.id: self._exposures(visit) for visit in mine}
            summaries = [
                Handle(self.run(ConsolidateVisitSummaryTask, calexp=handles[visit.id]).visitSummary)
                for visit in mine
            ]
            for patch in self.survey.skymap.tract(tract).patches:
                try:
                    chosen = self.run(BestSeeingQuantileSelectVisitsTask, summaries, patch).goodVisits
                except pipe_base.NoWorkFound:
                    continue
                direct, matched = [], []
                for visit in chosen:
                    near = [
                        handle
                        for handle in handles[visit]
                        if sky_polygon(handle.get().sky, handle.get().box).overlaps(patch.region)
                    ]
                    try:
                        warp = self.run(MakeDirectWarpTask, near, patch).warp if near else None
                    except pipe_base.NoWorkFound:
                        warp = None
                    if warp is None:
                        continue
                    data_id = {"visit": visit}
                    blurred = self.run(MakePsfMatchedWarpTask, direct_warp=warp).psf_matched_warp
                    direct.append(Handle(warp, dataId=data_id))
                    matched.append(Handle(blurred, dataId=data_id))
                if direct:
                    coadd = self.run(CompareWarpAssembleCoaddTask, direct, matched, chosen)
                    found[tract, patch.id, band] = coadd.coaddExposure
        return found

    def _exposures(self, visit: Visit) -> list[Any]:
        found = []
        for number in self.survey.size.detectors:
            try:
                exposure = self.calibrated(visit, number).exposure
            except pipe_base.AlgorithmError as reason:
                self.reasons.append(f"{visit.id} {number}: {reason}")
            else:
                found.append(Handle(exposure, dataId={"detector": number}))
        return found

    def inject(self) -> tuple[dict[tuple[int, int], pipe_base.Struct], pd.DataFrame]:
        """Inject the sandbox's catalogue into the science images.

        Returns
        -------
        done, injected
            What is calibrated, with the sources in the images; and the sources that lie in these.
        """
        done, tables = dict(self.done), []
        for visit, detector in itertools.product(self.survey.science_visits, self.survey.size.detectors):
            calibrated = self.calibrated(visit, detector)
            result = self.run(
                VisitInjectTask, [injection_catalogue(self.survey, visit.band)], calibrated.exposure
            )
            done[visit.id, detector] = pipe_base.Struct(
                **{**vars(calibrated), "exposure": result.output_exposure}
            )
            table = result.output_catalog.to_pandas()
            box = calibrated.exposure.box
            inside = table["x"].between(12, box.width - 13) & table["y"].between(12, box.height - 13)
            tables.append(table[inside].assign(visit=visit.id, detector=detector, band=visit.band))
        return done, pd.concat(tables, ignore_index=True)

    def search(self, visit: Visit, detector: int, templates: Templates) -> None:
        """Difference an image against templates and associate its sources, if it is good and there is work."""
        try:
            self._search(visit, detector, templates)
        except (pipe_base.NoWorkFound, pipe_base.AlgorithmError) as reason:
            self.reasons.append(f"{visit.id} {detector}: {reason}")

    def _search(self, visit: Visit, detector: int, templates: Templates) -> None:
        calibrated = self.calibrated(visit, detector)
        exposure, stars = calibrated.exposure, calibrated.stars_footprints
        region = sky_polygon(self.survey.detector_wcs(visit, detector), self.survey.detector_box)
        skymap = self.survey.skymap
        coadds = [
            Handle(coadd)
            for (tract, patch, band), coadd in templates.items()
            if band == visit.band and skymap.tract(tract).patches[patch].region.overlaps(region)
        ]
        if not coadds:
            raise pipe_base.NoWorkFound("no coadd of this band and sky")
        template = self.run(GetTemplateTask, exposure.box, exposure.sky, coadds).template
        subtracted = self.run(AlardLuptonSubtractTask, template, exposure, stars)
        found = self.run(DetectAndMeasureTask, exposure, subtracted.matchedTemplate, subtracted.difference)
        scores = self.run(RBTransiNetTask, diaSources=found.diaSources).classifications
        kept = self.run(FilterDiaSourceReliabilityTask, found.diaSources, scores)
        difference = found.subtractedMeasuredExposure
        table = self.run(TransformDiaSourceCatalogTask, kept.filteredDiaSources, difference).diaSourceTable
        begin = Time(visit.mjd, format="mjd", scale="tai")
        span = Timespan(begin, Time(visit.mjd + visit.exposure_time / 86400, format="mjd", scale="tai"))
        past = self.run(LoadDiaCatalogsTask, RegionTimeInfo(region=region, timespan=span))
        self.run(
            DiaPipelineTask,
            table.to_pandas(),
            difference,
            exposure,
            past.diaObjects,
            past.diaSources,
        )

    def rows(self, table: str) -> pd.DataFrame:
        return read_table(self.database, table)


def read_table(database: Path, table: str) -> pd.DataFrame:
    """Read all rows of a table of an APDB in SQLite."""
    engine = create_engine(f"sqlite:///{database}")
    try:
        return pd.read_sql_table(table, engine)
    finally:
        engine.dispose()


def rehearse(
    survey: Survey,
    folder: Path,
    templates: Templates | None = None,
    done: dict[tuple[int, int], pipe_base.Struct] | None = None,
    backwards: bool = False,
) -> Rehearsal:
    """Run a campaign.

    Parameters
    ----------
    survey, folder
        On which sky; and an empty folder for the APDB.
    templates
        Those of the survey's own template visits by default.
    done
        What is calibrated already.
    backwards
        Search the detectors of a visit in the opposite order.
    """
    folder.mkdir(parents=True, exist_ok=True)
    campaign = Rehearsal(survey, folder, done={} if done is None else done)
    if templates is None:
        templates = campaign.templates(survey.template_visits)
    campaign.made = templates
    for visit in survey.science_visits:
        for detector in sorted(survey.size.detectors, reverse=backwards):
            campaign.search(visit, detector, templates)
    return campaign
