"""Associations that a Butler repository records; the only module of this package that uses Butler."""

__all__ = ["read_expected_associations"]

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from ..common.butler import open_butler
from ..common.errors import RepositoryError
from .findings import ExpectedAssociations, VisitDetector

if TYPE_CHECKING:
    from lsst.daf.butler import Butler, DatasetRef

# What the association writes into the repository after it has written the APDB.
_MARKER = "apdb_marker"
# The DiaSources that it wrote.
_CATALOG = "dia_source_apdb"

# Files are read in parallel: on a cluster's file system each takes milliseconds, nearly all of it waiting.
_THREADS = 8


def read_expected_associations(
    repository: str, collections: Sequence[str], *, where: str = "", others: bool = False
) -> ExpectedAssociations:
    """Ask a repository which (visit, detector)s were associated, and how many DiaSources each has.

    Parameters
    ----------
    repository
        Its URI, path or alias.
    collections
        The collections with the outputs of the associations. Those of a batch run are there when its final
        job has finished.
    where
        A condition on the data IDs, in Butler's query language.
    others
        Whether the APDB may hold other associations.

    Raises
    ------
    RepositoryError
        If the repository cannot be read, or has no such collection.

    Notes
    -----
    Of the catalogues of DiaSources only the footers of the Parquet files are read; where a file is gone, the
    number of DiaSources is unknown.
    """
    from lsst.daf.butler import MissingCollectionError

    names = ", ".join(collections)
    purpose = f"the associations recorded in {names} cannot be read"
    with open_butler(repository, purpose) as butler:
        try:
            markers = _find(butler, _MARKER, collections, where)
            catalogs = _find(butler, _CATALOG, collections, where)
        except MissingCollectionError as error:
            raise RepositoryError(
                f"the repository {repository} has no collection {names}",
                remedy="wait for the end of the run, or correct the collection",
            ) from error
        counts: dict[VisitDetector, int | None] = dict.fromkeys(markers)
        counts.update(_count(butler, {key: catalogs[key] for key in markers if key in catalogs}))
    return ExpectedAssociations(counts, f"{_MARKER} of {names}", others)


def _find(
    butler: "Butler", dataset_type: str, collections: Sequence[str], where: str
) -> "dict[VisitDetector, DatasetRef]":
    from lsst.daf.butler import MissingDatasetTypeError

    try:
        refs = butler.query_datasets(
            dataset_type, collections=list(collections), where=where, limit=None, explain=False
        )
    except MissingDatasetTypeError:
        # Nothing of the kind has ever been written to this repository.
        return {}
    return {(int(ref.dataId["visit"]), int(ref.dataId["detector"])): ref for ref in refs}


def _count(
    butler: "Butler", refs: "dict[VisitDetector, DatasetRef]"
) -> Iterator[tuple[VisitDetector, int | None]]:
    uris = butler.get_many_uris(refs.values(), allow_missing=True)
    local: dict[VisitDetector, str] = {}
    for key, ref in refs.items():
        uri = uris[ref].primaryURI if ref in uris else None
        if uri is None:
            yield key, None
        elif uri.isLocal and uri.getExtension() in (".parq", ".parquet"):
            local[key] = uri.ospath
        else:
            try:
                yield key, int(butler.get(ref.makeComponentRef("rowcount")))
            except FileNotFoundError:
                yield key, None
    with ThreadPoolExecutor(_THREADS) as pool:
        yield from zip(local, pool.map(_count_parquet, local.values()), strict=True)


def _count_parquet(path: str) -> int | None:
    from pyarrow import parquet

    try:
        return int(parquet.read_metadata(path).num_rows)
    except FileNotFoundError:
        return None
