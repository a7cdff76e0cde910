"""Stand-in for ``loadDiaCatalogs``: reads the history of a detector's sky from the APDB.

It replaces ``LoadDiaCatalogsTask`` of ``lsst.ap.association``; the database behind it is a real one. What only
it and the association need, pandas and ``lsst.dax.apdb``, is imported when they run: whoever builds a graph or
runs other tasks of the same pipeline imports this module too.
"""

__all__ = [
    "FORCED_COLUMNS",
    "OBJECT_COLUMNS",
    "SOURCE_COLUMNS",
    "LoadDiaCatalogsTask",
    "open_apdb",
    "padded",
    "trim",
]

from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

import lsst.pipe.base as pipe_base
from lsst.pex.config import Field
from lsst.pipe.base.connectionTypes import Input, Output
from lsst.pipe.base.utils import RegionTimeInfo
from lsst.sphgeom import Angle, Region

from .regions import IGD

if TYPE_CHECKING:
    import pandas as pd
    from lsst.dax.apdb import Apdb

# The columns that the association needs of each table, so that an empty result has the right types.
OBJECT_COLUMNS = {"diaObjectId": "int64", "ra": "float64", "dec": "float64", "nDiaSources": "int64"}
SOURCE_COLUMNS = {
    "diaSourceId": "int64",
    "diaObjectId": "int64",
    "visit": "int64",
    "detector": "int64",
    "band": "str",
    "midpointMjdTai": "float64",
    "ra": "float64",
    "dec": "float64",
    "psfFlux": "float64",
    "psfFluxErr": "float64",
}
FORCED_COLUMNS = {
    "diaForcedSourceId": "int64",
    "diaObjectId": "int64",
    "visit": "int64",
    "detector": "int64",
    "psfFlux": "float64",
}


@cache
def open_apdb(uri: str) -> "Apdb":
    """Open an APDB, once in a process: two tasks of a job do, and reading its schema is most of what they do."""
    from lsst.dax.apdb import Apdb

    return Apdb.from_uri(uri)


def padded(region: Region, arcseconds: float) -> Region:
    """Give a circle around a region, with a margin."""
    return region.getBoundingCircle().dilatedBy(Angle.fromDegrees(arcseconds / 3600))


def trim(frame: Any, columns: dict[str, str]) -> "pd.DataFrame":
    """Give some columns of a table, with their types also if it is empty."""
    import pandas as pd

    if frame is None or frame.empty:
        return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in columns.items()})
    trimmed: pd.DataFrame = frame[list(columns)].astype(columns).reset_index(drop=True)
    return trimmed


class LoadDiaCatalogsConnections(pipe_base.PipelineTaskConnections, dimensions=IGD):
    """As the real task's."""

    regionTime = Input(name="regionTimeInfo", storageClass="RegionTimeInfo", dimensions=IGD)  # noqa: N815
    diaObjects = Output(name="preloaded_diaObjects", storageClass="ArrowAstropy", dimensions=IGD)  # noqa: N815
    diaSources = Output(name="preloaded_diaSources", storageClass="ArrowAstropy", dimensions=IGD)  # noqa: N815
    diaForcedSources = Output(  # noqa: N815
        name="preloaded_diaForcedSources", storageClass="ArrowAstropy", dimensions=IGD
    )


class LoadDiaCatalogsConfig(pipe_base.PipelineTaskConfig, pipelineConnections=LoadDiaCatalogsConnections):
    """The options of the real task that the pipelines set."""

    apdb_config_url = Field[str](doc="The APDB's configuration: a URI or label:NAME.", optional=False)
    angleMargin = Field[float](doc="Margin around the detector, arcsec.", default=20.0)  # noqa: N815


class LoadDiaCatalogsTask(pipe_base.PipelineTask):
    """Read the history of a detector's sky from the database."""

    ConfigClass = LoadDiaCatalogsConfig
    _DefaultName: ClassVar[str] = "loadDiaCatalogs"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.apdb = open_apdb(self.config.apdb_config_url)

    def run(self, regionTime: RegionTimeInfo) -> pipe_base.Struct:  # noqa: N803
        """Return earlier objects, sources and forced sources."""
        region = padded(regionTime.region, self.config.angleMargin)
        begin, end = regionTime.timespan.begin, regionTime.timespan.end
        middle = begin + (end - begin) / 2
        objects = trim(self.apdb.getDiaObjects(region), OBJECT_COLUMNS).drop_duplicates("diaObjectId")
        ids = objects["diaObjectId"]
        sources = trim(self.apdb.getDiaSources(region, ids, middle), SOURCE_COLUMNS)
        forced = trim(self.apdb.getDiaForcedSources(region, ids, middle), FORCED_COLUMNS)
        self.log.info("Loaded %d DiaObjects, %d DiaSources.", len(objects), len(sources))
        return pipe_base.Struct(diaObjects=objects, diaSources=sources, diaForcedSources=forced)
