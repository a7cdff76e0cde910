"""What each step makes in the end."""

__all__ = ["PRODUCTS", "count_products"]

from ..bps import Step

#: The product of each step that is counted.
PRODUCTS = {Step.TEMPLATES: "template_coadd", Step.DIFFIM: "difference_image"}


def count_products(butler: str, step: Step, collection: str) -> int:
    """Count what the runs of a step have made in a collection, which need not be there."""
    from lsst.daf.butler import Butler, MissingCollectionError, MissingDatasetTypeError

    with Butler.from_config(butler) as repository:
        try:
            refs = repository.query_datasets(
                PRODUCTS[step], collections=collection, limit=None, explain=False
            )
        except (MissingCollectionError, MissingDatasetTypeError):
            return 0
    return len(refs)
