"""Stand-in for ``makeSampledImageSubtractionMetrics``: a difference image in the cells of a grid.

It replaces ``SpatiallySampledMetricsTask`` of ``lsst.ip.diffim``.
"""

__all__ = ["SpatiallySampledMetricsTask"]

from itertools import pairwise
from typing import Any, ClassVar

import lsst.pipe.base as pipe_base
import numpy as np
from astropy.table import Table
from lsst.pex.config import Field
from lsst.pipe.base.connectionTypes import Input, Output

from ..exposure import Exposure
from .calibrate import IVD


class SpatiallySampledMetricsConnections(
    pipe_base.PipelineTaskConnections,
    dimensions=IVD,
    defaultTemplates={"coaddName": "deep", "warpTypeSuffix": "", "fakesType": ""},
):
    """As the real task's."""

    science = Input(name="{fakesType}calexp", storageClass="ExposureF", dimensions=IVD)
    template = Input(name="{fakesType}{coaddName}Diff_templateExp", storageClass="ExposureF", dimensions=IVD)
    difference = Input(
        name="{fakesType}{coaddName}Diff_differenceExp", storageClass="ExposureF", dimensions=IVD
    )
    diaSources = Input(  # noqa: N815
        name="{fakesType}dia_source_detector", storageClass="ArrowAstropy", dimensions=IVD
    )
    psfMatchingKernel = Input(  # noqa: N815
        name="{fakesType}{coaddName}Diff_psfMatchKernel", storageClass="MatchingKernel", dimensions=IVD
    )
    spatiallySampledMetrics = Output(  # noqa: N815
        name="{fakesType}{coaddName}Diff_spatiallySampledMetrics", storageClass="ArrowAstropy", dimensions=IVD
    )


class SpatiallySampledMetricsConfig(
    pipe_base.PipelineTaskConfig, pipelineConnections=SpatiallySampledMetricsConnections
):
    """The sampling of the detector."""

    cells = Field[int](doc="Cells along each side.", default=4)


class SpatiallySampledMetricsTask(pipe_base.PipelineTask):
    """Measure image levels and source density in the cells of a grid."""

    ConfigClass = SpatiallySampledMetricsConfig
    _DefaultName: ClassVar[str] = "spatiallySampledMetrics"

    def run(
        self,
        science: Exposure,
        template: Exposure,
        difference: Exposure,
        diaSources: Table,  # noqa: N803
        **_unused: Any,
    ) -> pipe_base.Struct:
        """Return a row for each cell."""
        rows, box, cells = [], difference.box, self.config.cells
        x_edges = np.linspace(0, box.width, cells + 1).astype(int)
        y_edges = np.linspace(0, box.height, cells + 1).astype(int)
        for low, high in pairwise(y_edges):
            for left, right in pairwise(x_edges):
                cell = slice(low, high), slice(left, right)
                x, y = np.asarray(diaSources["x"]), np.asarray(diaSources["y"])
                inside = (x >= left) & (x < right) & (y >= low) & (y < high)
                rows.append(
                    {
                        "x": (left + right) / 2,
                        "y": (low + high) / 2,
                        "science_value": float(np.median(science.image[cell])),
                        "template_value": float(np.median(template.image[cell])),
                        "diffim_value": float(np.median(difference.image[cell])),
                        "source_density": float(inside.sum()),
                    }
                )
        return pipe_base.Struct(spatiallySampledMetrics=Table(rows))
