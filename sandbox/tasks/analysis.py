"""Stand-in for all of ``lsst.analysis.tools``: one task for the labels of quality assessment.

Labels: ``analyze…``, ``makeTemplateCoaddInputSummary…``, and the others whose class is `AnalysisTask` in
``ap_pipe/``. The pipeline says which datasets the task reads and writes. A connection is written as
``dataset type :: storage class :: dimension dimension …`` and may end with ``:: multiple``.
"""

__all__ = ["AnalysisTask"]

from typing import Any, ClassVar

import lsst.pipe.base as pipe_base
import numpy as np
from lsst.daf.butler import DeferredDatasetHandle as Handle
from lsst.pex.config import DictField, ListField
from lsst.pipe.base.connectionTypes import Input, Output


def _connection(kind: type, text: str, **options: Any) -> Any:
    name, storage_class, dimensions, *multiple = (part.strip() for part in text.split("::"))
    return kind(
        name=name,
        storageClass=storage_class,
        dimensions=frozenset(dimensions.split()),
        multiple=multiple == ["multiple"],
        **options,
    )


class AnalysisConnections(pipe_base.PipelineTaskConnections, dimensions=()):
    """The connections come from the configuration."""

    def __init__(self, *, config: Any = None) -> None:
        self.dimensions = set(config.dimensions)
        for name, text in config.inputs.items():
            setattr(self, name, _connection(Input, text, deferLoad="." not in text.split("::")[0]))
        for name, text in config.outputs.items():
            setattr(self, name, _connection(Output, text))


class AnalysisConfig(pipe_base.PipelineTaskConfig, pipelineConnections=AnalysisConnections):
    """Dimensions and connections."""

    dimensions = ListField[str](doc="Dimensions of the task.", default=[])
    inputs = DictField[str, str](doc="Connections to read, by name.", default={})
    outputs = DictField[str, str](doc="Connections to write, by name.", default={})


class AnalysisTask(pipe_base.PipelineTask):
    """Count the inputs, and their rows, pixels or entries."""

    ConfigClass = AnalysisConfig
    _DefaultName: ClassVar[str] = "analysis"

    def run(self, **inputs: Any) -> pipe_base.Struct:
        """Return the same counts in each of the outputs, in the form that its storage class needs."""
        counts: dict[str, float] = {}
        first: Any = None
        for name, value in inputs.items():
            handles = value if isinstance(value, list) else [value]
            datasets = [handle.get() if isinstance(handle, Handle) else handle for handle in handles]
            counts[f"{name}_count"] = len(datasets)
            counts[f"{name}_size"] = float(sum(_size(dataset) for dataset in datasets))
            first = datasets[0] if first is None else first
        results = {}
        for name, text in self.config.outputs.items():
            storage_class = text.split("::")[1].strip()
            results[name] = _as(storage_class, counts, first)
        return pipe_base.Struct(**results)


def _size(dataset: Any) -> int:
    if hasattr(dataset, "image"):
        return int(dataset.image.size)
    return int(dataset.size) if isinstance(dataset, np.ndarray) else len(dataset)


def _as(storage_class: str, counts: dict[str, float], first: Any) -> Any:
    if storage_class == "ArrowAstropy":
        from astropy.table import Table

        return Table([counts])
    if storage_class in ("ExposureF", "ImageU"):
        return _binned(first)
    return dict(counts)


def _binned(picture: Any, factor: int = 4) -> Any:
    cut = slice(None, None, factor), slice(None, None, factor)
    if isinstance(picture, np.ndarray):
        return picture[cut]
    return picture.with_pixels(picture.image[cut], picture.variance[cut], mask=picture.mask[cut], wcs=None)
