"""Products of each step, counted: templates and difference images."""

__all__ = ["DIFFERENCE_IMAGE", "PRODUCTS", "TEMPLATE", "count_products"]

from collections.abc import Iterable
from typing import Any

from ...bps import Step
from ...common.butler import open_butler
from ...ledger import RunRecord

#: Names of dataset types.
TEMPLATE = "template_coadd"
DIFFERENCE_IMAGE = "difference_image"

#: The product of each step that is counted.
PRODUCTS = {Step.TEMPLATES: TEMPLATE, Step.DIFFIM: DIFFERENCE_IMAGE}


def count_products(records: Iterable[RunRecord]) -> dict[Step, int]:
    """Count what the steps of some runs have made.

    Parameters
    ----------
    records
        At least one run of each step.

    Returns
    -------
    counts
        By step: distinct data ids in all runs below the step's output collection, since a run that was resumed
        with a new graph has made only a part of it.

    Raises
    ------
    RepositoryError
        If a repository cannot be read.
    """
    outputs: dict[str, dict[Step, set[str]]] = {}
    for record in records:
        outputs.setdefault(record.butler, {}).setdefault(record.step, set()).add(record.output)
    counts: dict[Step, int] = {}
    for repository, steps in outputs.items():
        with open_butler(repository, f"the products in {repository} cannot be counted") as butler:
            for step, names in steps.items():
                counts[step] = counts.get(step, 0) + _count(butler, step, names)
    return counts


def _count(butler: Any, step: Step, outputs: Iterable[str]) -> int:
    from lsst.daf.butler import MissingDatasetTypeError

    runs = sorted({run for output in outputs for run in butler.collections.query(f"{output}/*")})
    if not runs:
        return 0
    try:
        refs = butler.query_datasets(PRODUCTS[step], collections=runs, limit=None, explain=False)
    except MissingDatasetTypeError:
        return 0
    return len({ref.dataId for ref in refs})
