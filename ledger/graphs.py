"""Files of quantum graphs: whether a run still has its own."""

__all__ = ["has_graph"]

import zipfile
from pathlib import Path

from .records import RunRecord


def has_graph(record: RunRecord) -> bool:
    """Tell whether the graph of a run is there and whole: the table of what is in it comes last."""
    return Path(record.graph).is_file() and zipfile.is_zipfile(record.graph)
