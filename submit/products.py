"""What each step makes in the end."""

__all__ = ["PRODUCTS", "count_products"]

from ..bps import Step

#: The product of each step that is counted.
PRODUCTS = {Step.TEMPLATES: "template_coadd", Step.DIFFIM: "difference_image"}


def count_products(butler: str, step: Step, output: str) -> int:
    """Count what all runs of a step have made; what two of them have made counts once.

    Parameters
    ----------
    butler
        The repository.
    step
        The step.
    output
        Its output collection, below which its runs are; a run that was resumed with a new graph has made only
        a part of it.
    """
    from lsst.daf.butler import Butler, MissingDatasetTypeError

    with Butler.from_config(butler) as repository:
        runs = repository.collections.query(f"{output}/*")
        if not runs:
            return 0
        try:
            refs = repository.query_datasets(PRODUCTS[step], collections=runs, limit=None, explain=False)
        except MissingDatasetTypeError:
            return 0
    return len({ref.dataId for ref in refs})
