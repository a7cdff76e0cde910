"""The raw images of a run as a table of data IDs, from which its graph is built."""

__all__ = ["write_data_ids"]

import io
from pathlib import Path

from ..bps import PlannedRun
from ..common.butler import open_butler
from ..common.errors import RepositoryError
from ..common.files import write_atomically

_COLUMNS = ("instrument", "exposure", "visit", "detector")


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
    with open_butler(butler, purpose) as repository, repository.query() as query:
        # With the visit: the sky of an exposure is that of its visit's detectors.
        found = query.join_dataset_search("raw", list(collections)).join_dimensions(_COLUMNS).where(run.query)
        if run.part and "tract" in run.query:
            # As in the graph of the whole step: patches overlap more detectors than their tract does.
            found = found.join_dimensions(("patch",))
        rows = sorted({tuple(row[name] for name in _COLUMNS) for row in found.data_ids(_COLUMNS)})
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
