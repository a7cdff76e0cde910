"""Stand-in for ``associateApdb``: matches the DiaSources of an image with the APDB's history, and writes.

It replaces ``DiaPipelineTask`` of ``lsst.ap.association``; the database behind it is a real one. What only it
needs, pandas, is imported when it runs, as in `preload`.
"""

__all__ = ["DiaPipelineTask"]

from typing import TYPE_CHECKING, Any, ClassVar

import lsst.pipe.base as pipe_base
import numpy as np
from astropy.table import Table
from astropy.time import Time
from lsst.pex.config import Config, ConfigField, Field, ListField
from lsst.pipe.base.connectionTypes import Input, Output

from ..cameras import APDB_BANDS
from ..exposure import Exposure
from ..geometry import sky_polygon
from .calibrate import IVD, IdGeneratorConfig, first_id
from .preload import FORCED_COLUMNS, OBJECT_COLUMNS, SOURCE_COLUMNS, open_apdb, padded, trim
from .regions import IGD

if TYPE_CHECKING:
    import pandas as pd

_REAL_SCALE = 0.2  # arcseconds per pixel of the real camera


class PostApdbUpdateError(pipe_base.AlgorithmError):
    """Something failed after the database was written: the image cannot be retried."""

    @property
    def metadata(self) -> dict[str, Any]:
        """Nothing to add."""
        return {}


class DiaPipelineConnections(
    pipe_base.PipelineTaskConnections,
    dimensions=IVD,
    defaultTemplates={"coaddName": "deep", "fakesType": ""},
):
    """As the real task's with its default options."""

    diaSourceTable = Input(  # noqa: N815
        name="{fakesType}{coaddName}Diff_diaSrcTable", storageClass="DataFrame", dimensions=IVD
    )
    solarSystemObjectTable = Input(  # noqa: N815
        name="preloaded_SsObjects", storageClass="ArrowAstropy", dimensions=IGD, minimum=0
    )
    diffIm = Input(  # noqa: N815
        name="{fakesType}{coaddName}Diff_differenceExp", storageClass="ExposureF", dimensions=IVD
    )
    exposure = Input(name="{fakesType}calexp", storageClass="ExposureF", dimensions=IVD)
    template = Input(name="{fakesType}{coaddName}Diff_templateExp", storageClass="ExposureF", dimensions=IVD)
    preloadedDiaObjects = Input(  # noqa: N815
        name="preloaded_diaObjects", storageClass="DataFrame", dimensions=IGD
    )
    preloadedDiaSources = Input(  # noqa: N815
        name="preloaded_diaSources", storageClass="DataFrame", dimensions=IGD
    )
    preloadedDiaForcedSources = Input(  # noqa: N815
        name="preloaded_diaForcedSources", storageClass="DataFrame", dimensions=IGD
    )
    apdbMarker = Output(name="apdb_marker", storageClass="Config", dimensions=IVD)  # noqa: N815
    associatedDiaSources = Output(  # noqa: N815
        name="{fakesType}{coaddName}Diff_assocDiaSrc", storageClass="ArrowAstropy", dimensions=IVD
    )
    associatedSsSources = Output(  # noqa: N815
        name="{fakesType}{coaddName}Diff_associatedSsSources", storageClass="ArrowAstropy", dimensions=IVD
    )
    unassociatedSsObjects = Output(  # noqa: N815
        name="ssUnassociatedObjects", storageClass="ArrowAstropy", dimensions=IVD
    )
    diaForcedSources = Output(  # noqa: N815
        name="{fakesType}{coaddName}Diff_diaForcedSrc", storageClass="ArrowAstropy", dimensions=IVD
    )
    diaObjects = Output(  # noqa: N815
        name="{fakesType}{coaddName}Diff_diaObject", storageClass="ArrowAstropy", dimensions=IVD
    )
    newDiaSources = Output(  # noqa: N815
        name="{fakesType}new_dia_source", storageClass="ArrowAstropy", dimensions=IVD
    )
    marginalDiaSources = Output(  # noqa: N815
        name="{fakesType}marginal_new_dia_source", storageClass="ArrowAstropy", dimensions=IVD
    )

    def adjustQuantum(self, inputs: Any, outputs: Any, label: str, data_id: Any) -> Any:  # noqa: N802
        """Refuse a band that the APDB has no columns for, as the real task does."""
        if data_id["band"] not in self.config.validBands:
            raise ValueError(f"Requested {data_id['band']!r} not in DiaPipelineConfig.validBands.")
        return super().adjustQuantum(inputs, outputs, label, data_id)


class DiaPipelineConfig(pipe_base.PipelineTaskConfig, pipelineConnections=DiaPipelineConnections):
    """The options of the real task that the pipelines set."""

    apdb_config_url = Field[str](doc="The APDB's configuration: a URI or label:NAME.", optional=False)
    idGenerator = ConfigField[IdGeneratorConfig](dtype=IdGeneratorConfig, doc="Identifiers.")  # noqa: N815
    maxNewDiaObjects = Field[float](doc="Most new objects (0: no limit).", default=0.0)  # noqa: N815
    doReloadDiaObjects = Field[bool](doc="Read the objects again?", default=True)  # noqa: N815
    doPackageAlerts = Field[bool](doc="Count the alerts?", default=False)  # noqa: N815
    maxDistArcSeconds = Field[float](  # noqa: N815
        doc="Match radius on the real camera, whose pixels have 0.2; scaled to the pixels of the miniature.",
        default=0.5,
    )
    validBands = ListField[str](  # noqa: N815
        doc="Bands that the APDB has columns for.", dtype=str, default=list(APDB_BANDS)
    )
    historyThreshold = Field[int](doc="Least number of sources for forced photometry.", default=2)  # noqa: N815


class DiaPipelineTask(pipe_base.PipelineTask):
    """Match the sources of a detector with the known objects, and write both to the database."""

    ConfigClass = DiaPipelineConfig
    _DefaultName: ClassVar[str] = "diaPipe"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.apdb = open_apdb(self.config.apdb_config_url)

    def run(
        self,
        diaSourceTable: "pd.DataFrame",  # noqa: N803
        diffIm: Exposure,  # noqa: N803
        exposure: Exposure,
        preloadedDiaObjects: "pd.DataFrame",  # noqa: N803
        preloadedDiaSources: "pd.DataFrame",  # noqa: N803
        solarSystemObjectTable: Table | None = None,  # noqa: N803
        **_unused: Any,
    ) -> pipe_base.Struct:
        """Associate and store.

        Raises
        ------
        PostApdbUpdateError
            If anything fails after the database was written.
        RuntimeError
            If the database holds this visit and detector already, before anything is written.
        """
        import pandas as pd

        from ..science.association import summarise

        info = exposure.circumstances
        if self.apdb.containsVisitDetector(info.visit, info.detector):
            raise RuntimeError(
                f"Duplicate DiaSources: visit {info.visit}, detector {info.detector} is in the APDB already. "
                "This is likely due to re-running data with an already populated APDB."
            )
        objects = preloadedDiaObjects
        if self.config.doReloadDiaObjects:
            region = padded(sky_polygon(exposure.sky, exposure.box), 2.0)
            objects = trim(self.apdb.getDiaObjects(region), OBJECT_COLUMNS).drop_duplicates("diaObjectId")
        sources = diaSourceTable.reset_index(drop=True).copy()
        new = self._associate(sources, objects, exposure.sky.scale / _REAL_SCALE)
        # As in the real task, the history is that which was loaded, not that of now.
        columns = list(SOURCE_COLUMNS)
        history = pd.concat([preloadedDiaSources[columns], sources[columns]], ignore_index=True)
        updated = summarise(history[history["diaObjectId"].isin(sources["diaObjectId"])])
        forced = self._forced(history, diffIm, exposure)
        self.apdb.store(Time.now(), updated, sources, forced)
        if self.config.doPackageAlerts:
            try:
                self.metadata["total_alerts"] = len(_alerts(sources, history))
            except Exception as exc:
                raise PostApdbUpdateError(
                    "Aborting processing after writing to the APDB. This image cannot be retried! "
                    f"The original error was: {exc!r}"
                ) from exc
        self.metadata["numNewDiaObjects"] = int(new.sum())
        self.metadata["numUpdatedDiaObjects"] = int(len(updated) - new.sum())
        self.metadata["numTotalSolarSystemObjects"] = len(solarSystemObjectTable or ())
        self.log.info("%d DiaSources, %d new DiaObjects.", len(sources), int(new.sum()))
        nothing = Table({"diaSourceId": np.zeros(0, np.int64), "ssObjectId": np.zeros(0, np.int64)})
        return pipe_base.Struct(
            apdbMarker=Config(),
            associatedDiaSources=sources,
            associatedSsSources=nothing,
            unassociatedSsObjects=nothing,
            diaForcedSources=forced,
            diaObjects=updated,
            newDiaSources=sources[new],
            marginalDiaSources=sources[:0],
        )

    def _associate(self, sources: "pd.DataFrame", objects: "pd.DataFrame", zoom: float) -> Any:
        """Fill in ``diaObjectId``; return which sources belong to a new object."""
        from ..science.association import assign

        ids, new = assign(sources, objects, self.config.maxDistArcSeconds * zoom)
        if self.config.maxNewDiaObjects and new.sum() > self.config.maxNewDiaObjects:
            raise RuntimeError(
                f"Aborting before writing to the APDB: {new.sum()} new DiaObjects are more than "
                f"{self.config.maxNewDiaObjects:.0f}"
            )
        sources["diaObjectId"] = ids
        return new

    def _forced(self, history: "pd.DataFrame", difference: Exposure, science: Exposure) -> "pd.DataFrame":
        """Measure all objects on the image that have enough history."""
        import pandas as pd

        from ..science.association import measure_forced

        info = science.circumstances
        rows = measure_forced(history, difference, science, self.config.historyThreshold)
        start = first_id(self.config.idGenerator.release_id, info.visit, info.detector)
        now = Time.now().tai.mjd
        for number, row in enumerate(rows):
            row |= {"diaForcedSourceId": start + number, "timeProcessedMjdTai": now}
        kinds = FORCED_COLUMNS | {
            name: "float64"
            for name in (
                "ra",
                "dec",
                "psfFluxErr",
                "scienceFlux",
                "scienceFluxErr",
                "midpointMjdTai",
                "timeProcessedMjdTai",
            )
        }
        return pd.DataFrame(rows, columns=[*kinds, "band"]).astype(kinds | {"band": "str"})


def _alerts(sources: "pd.DataFrame", history: "pd.DataFrame") -> list[tuple[int, list[int]]]:
    """Return for each new source its ID and those of the earlier sources of its object."""
    members = history.groupby("diaObjectId")["diaSourceId"].apply(list)
    pairs = zip(sources["diaSourceId"], sources["diaObjectId"], strict=True)
    return [(new, [old for old in members[group] if old != new]) for new, group in pairs]
