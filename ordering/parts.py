"""Images of a divided step before their association: which its parts have made, and which they have not."""

__all__ = ["find_made", "find_unmade"]

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..bps import Stage
from ..ledger import QuantumState, RunPaths, RunRecord, has_graph, read_quanta
from .associations import VisitDetector, read_images
from .data_ids import read_data_ids

#: What an association reads of its image, besides the APDB, that parts of images make last.
MADE = ("difference_image", "dia_source_detector")

_IMAGE = ("instrument", "visit", "detector")


def find_made(butler: Any, records: Iterable[RunRecord]) -> frozenset[VisitDetector]:
    """Find the images of which parts have made all that their association reads.

    Parameters
    ----------
    butler
        The repository of the runs, as an `lsst.daf.butler.Butler`.
    records
        Runs of difference imaging; of those that are not parts, graphs have the associations of all their images.
    """
    from lsst.daf.butler import MissingDatasetTypeError

    runs = [record.output_run for record in records if record.stage is Stage.IMAGES]
    runs = sorted(set(butler.collections.query("*")).intersection(runs)) if runs else []
    if not runs:
        return frozenset()
    try:
        with butler.query() as query:
            query = query.join_dimensions(_IMAGE)
            for name in MADE:
                query = query.join_dataset_search(name, runs)
            return frozenset((int(row["visit"]), int(row["detector"])) for row in query.data_ids(_IMAGE))
    except MissingDatasetTypeError:
        return frozenset()


def find_unmade(butler: Any, records: Iterable[RunRecord]) -> dict[VisitDetector, bool]:
    """Find the images of which parts before the association have not made something that they were to make.

    Parameters
    ----------
    butler, records
        As for `find_made`; of a run whose graph is gone all images are taken for unmade that it was given.

    Returns
    -------
    unmade
        Each with whether it has failed, or has left no record.
    """
    from lsst.daf.butler import MissingCollectionError

    found: dict[VisitDetector, bool] = {}
    for record in records:
        if record.stage not in (Stage.VISITS, Stage.IMAGES):
            continue
        if not has_graph(record):
            given = RunPaths(Path(record.submit_dir).parent).data_ids
            found |= dict.fromkeys((read_data_ids(given) if given.exists() else set()) - found.keys(), False)
            continue
        try:
            quanta = read_quanta(butler, record)
        except MissingCollectionError:  # the run's first job, which makes it, has not run
            found |= dict.fromkeys(read_images(record.graph) - found.keys(), False)
            continue
        for each in quanta:
            if each.state is QuantumState.SUCCESSFUL or not {"visit", "detector"} <= each.data_id.keys():
                continue
            image = int(each.data_id["visit"]), int(each.data_id["detector"])
            found[image] = found.get(image, False) or each.state is not QuantumState.UNKNOWN
    return found
