"""The raw images of a run: which its data query selects, and a table of them, from which its graph is built."""

__all__ = ["read_data_ids", "select_raws", "write_data_ids"]

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..bps import PlannedRun
from ..common.butler import butler_errors, open_butler
from ..common.errors import RepositoryError
from ..common.files import write_atomically
from .associations import VisitDetector

_COLUMNS = ("instrument", "exposure", "visit", "detector")


def select_raws(butler: Any, run: PlannedRun, names: Sequence[str] = _COLUMNS) -> list[tuple[Any, ...]]:
    """Find the raw images that a run's data query selects.

    Parameters
    ----------
    butler
        A Butler of the repository.
    run
        The run.
    names
        The dimensions that are wanted of each; those that an exposure, a visit and a detector imply are known too.

    Returns
    -------
    raws
        Their values, each once, sorted.
    """
    collections = run.inputs[1:] if run.needs_templates else run.inputs
    with butler.query() as query:
        # With the visit: the sky of an exposure is that of its visit's detectors.
        found = query.join_dataset_search("raw", list(collections)).join_dimensions(_COLUMNS).where(run.query)
        if run.part and "tract" in run.query:
            # As in the graph of the whole step: patches overlap more detectors than their tract does.
            found = found.join_dimensions(("patch",))
        return sorted({tuple(row[name] for name in names) for row in found.data_ids(_COLUMNS)})


def read_data_ids(file: Path) -> frozenset[VisitDetector]:
    """Read the (visit, detector)s of a table that `write_data_ids` wrote.

    Raises
    ------
    RepositoryError
        If it cannot be read.
    """
    with butler_errors(f"the table of raw images {file} cannot be read"):
        from astropy.table import Table

        table = Table.read(file, format="ascii.ecsv")
        return frozenset(zip(table["visit"].tolist(), table["detector"].tolist(), strict=True))


def write_data_ids(butler: str, run: PlannedRun, file: Path) -> int:
    """Write the data IDs of the raw images that a run's data query selects.

    The graph of a run with templates is built from this table instead of from the query: a condition such as
    ``tract IN (3828)`` would keep the templates of the next tract from the detectors at the border. And a table
    may be long, which an argument of a command may not.

    Parameters
    ----------
    butler
        The repository.
    run
        The run.
    file
        Where they go: a file that `astropy.table.Table` reads.

    Returns
    -------
    raws
        Their number.

    Raises
    ------
    RepositoryError
        If the repository cannot be read, or no raw image is selected.
    """
    collections = run.inputs[1:] if run.needs_templates else run.inputs
    purpose = f"the raw images of {run.output_run} cannot be found in {', '.join(collections)} of {butler}"
    with open_butler(butler, purpose) as repository:
        rows = select_raws(repository, run)
    if not rows:
        raise RepositoryError(
            f"the data query selects no raw image in {', '.join(collections)}: {run.query}",
            remedy="correct tracts, bands, 'where' or 'inCollection' in the campaign file",
        )
    from astropy.table import Table

    text = io.StringIO()
    Table(rows=rows, names=_COLUMNS).write(text, format="ascii.ecsv")
    write_atomically(file, text.getvalue())
    return len(rows)
