"""What a Butler repository says was associated: the one module of this room that knows Butler."""

__all__ = ["CATALOG", "MARKER", "read_expectation"]

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..common.errors import ApdbError
from .findings import Expectation, VisitDetector

if TYPE_CHECKING:
    from lsst.daf.butler import Butler, DatasetRef

#: What the association writes into the repository after it has written the APDB.
MARKER = "apdb_marker"
#: The DiaSources that it wrote.
CATALOG = "dia_source_apdb"

# Files are read in parallel: on a cluster's file system each takes milliseconds, nearly all of it waiting.
_THREADS = 8


def read_expectation(
    butler: "str | Butler",
    collections: Sequence[str],
    *,
    where: str = "",
    marker: str = MARKER,
    catalog: str = CATALOG,
) -> Expectation:
    """Ask a repository which (visit, detector)s were associated, and how many DiaSources each has.

    Parameters
    ----------
    butler
        The repository, or its URI.
    collections
        Where the associations' outputs are. Those of a batch run are there when its final job is done.
    where
        A condition on the data identifiers, in Butler's words.
    marker
        Dataset type that exists where an association succeeded.
    catalog
        Dataset type of the DiaSources that were written. Only the footers of its Parquet files are read;
        where it is gone, the number of DiaSources is unknown.

    Raises
    ------
    ApdbError
        If the repository cannot be read, or has no such collection.
    """
    names = ", ".join(collections)
    with _reporting_errors(str(butler), names):
        repository = _open(butler)
        markers = _find(repository, marker, collections, where)
        catalogs = _find(repository, catalog, collections, where)
        counts: dict[VisitDetector, int | None] = dict.fromkeys(markers)
        counts.update(_count(repository, {key: catalogs[key] for key in markers if key in catalogs}))
    return Expectation(counts, f"{marker} of {names}")


def _open(butler: "str | Butler") -> "Butler":
    from lsst.daf.butler import Butler

    return Butler.from_config(butler, writeable=False) if isinstance(butler, str) else butler


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


@contextmanager
def _reporting_errors(repository: str, collections: str) -> Iterator[None]:
    from lsst.daf.butler import ButlerUserError, MissingCollectionError

    try:
        yield
    except FileNotFoundError as exc:
        raise ApdbError(f"there is no Butler repository {repository}; correct its path or alias") from exc
    except MissingCollectionError as exc:
        raise ApdbError(
            f"the repository {repository} has no collection {collections}; has the run ended, and is that its "
            "output?"
        ) from exc
    except ButlerUserError as exc:
        raise ApdbError(f"the repository {repository} cannot be asked: {exc}") from exc
