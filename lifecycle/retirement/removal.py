"""Removal of datasets, collections and files, each so that it can be done again where it was interrupted.

Butler removes datasets in two steps: in one transaction it deletes them from its registry and lists their files
as trash, and then it deletes the files and forgets them. Who is killed between the two leaves files that no
query finds any more, and Butler's public API empties the trash of datasets only that it is given. So the
datasets that are being removed are written down first, and given to Butler once more when it goes on.
"""

__all__ = [
    "remove_chain",
    "remove_datasets",
    "remove_empty_folders",
    "remove_files",
    "remove_pending",
    "remove_run",
]

import contextlib
import itertools
import json
import logging
import os
import shutil
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any
from uuid import UUID

from ...common.files import write_atomically
from ...common.progress import show_progress
from ...common.reading import read_bytes
from ...common.text import count

# As many are written down at a time; a kill has Butler look at no more than these again.
_CHUNK = 5_000

_log = logging.getLogger(__name__)


def remove_run(butler: Any, run: str, chains: Collection[str], pending: Path) -> None:
    """Remove a RUN collection with all of its datasets; nothing is done where there is none any more.

    Parameters
    ----------
    butler
        The repository, as an `lsst.daf.butler.Butler` that may write.
    run
        The RUN collection.
    chains
        The CHAINED collections that it leaves: the campaign's own.
    pending
        The file in which the datasets are listed that are being removed.

    Raises
    ------
    Exception
        What Butler raises if it cannot be removed; `apcampaign.common.butler.open_butler` translates that.
    """
    if run not in set(butler.collections.query("*")):
        return
    remove_datasets(butler, run, None, pending)
    info = butler.collections.get_info(run, include_parents=True)
    for chain in sorted(info.parents & set(chains)):
        butler.collections.remove_from_chain(chain, run)
    # This refuses if somebody has put it into a chain of theirs since.
    butler.removeRuns([run], unlink_from_chains=False)


def remove_datasets(butler: Any, run: str, types: Collection[str] | None, pending: Path) -> None:
    """Remove datasets of a RUN collection, of some types or of all; parameters and errors as `remove_run`."""
    info = butler.collections.get_info(run, include_summary=True)
    with show_progress(f"removing datasets of {run}", unit="datasets") as tell:
        for name in sorted(info.dataset_types if types is None else info.dataset_types & set(types)):
            refs = butler.query_datasets(name, run, find_first=False, limit=None, explain=False)
            for number, chunk in enumerate(itertools.batched(refs, _CHUNK)):
                tell(f"removing {name} of {run}", number * _CHUNK, len(refs), 0)
                write_atomically(pending, json.dumps(_write_refs(chunk)))
                _prune(butler, chunk)
    pending.unlink(missing_ok=True)


def remove_pending(butler: Any, pending: Path) -> None:
    """Remove the datasets that were being removed when that was interrupted, as far as they are still there.

    Raises
    ------
    Exception
        As `remove_run`.
    """
    try:
        content = json.loads(read_bytes(pending))
    except FileNotFoundError:
        return
    _prune(butler, _read_refs(butler, content))
    pending.unlink()


def remove_chain(butler: Any, chain: str) -> None:
    """Remove a CHAINED collection, which leaves what it holds; nothing is done where there is none any more."""
    if chain in set(butler.collections.query("*")):
        butler.registry.removeCollection(chain)


def remove_files(folder: Path, name: str) -> None:
    """Remove a file or folder from a campaign's folder; nothing is done where there is none any more.

    Raises
    ------
    OSError
        If it cannot be removed.
    """
    path = folder / name
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
    else:
        shutil.rmtree(path)


def remove_empty_folders(folder: Path, above: int) -> None:
    """Remove the empty folders that a datastore leaves of a RUN collection; those with files in them stay.

    Parameters
    ----------
    folder
        The folder of the RUN collection.
    above
        How many of the folders above it go too, once nothing is in them any more.
    """
    for path, _, _ in os.walk(folder, topdown=False):
        with contextlib.suppress(OSError):
            Path(path).rmdir()
    if not folder.exists():
        with contextlib.suppress(OSError):
            for parent in folder.parents[:above]:
                parent.rmdir()


def _prune(butler: Any, refs: Collection[Any]) -> None:
    """Remove datasets, and see that their files are gone: Butler says nothing of those that it cannot delete."""
    from lsst.resources import ResourcePath

    found = butler.get_many_uris(refs, allow_missing=True).values()
    uris = {
        uri.replace(fragment="")
        for each in found
        for uri in (each.primaryURI, *each.componentURIs.values())
        if uri
    }
    butler.pruneDatasets(refs, disassociate=True, unstore=True, purge=True)
    # A file that other datasets are in too stays.
    if left := sorted(str(uri) for uri, there in ResourcePath.mexists(uris).items() if there):
        _log.warning("%s of removed datasets are still there, such as %s", count(len(left), "file"), left[0])


def _write_refs(refs: Iterable[Any]) -> list[list[Any]]:
    return [[ref.datasetType.name, ref.run, str(ref.id), dict(ref.dataId.required)] for ref in refs]


def _read_refs(butler: Any, listed: Iterable[list[Any]]) -> list[Any]:
    from lsst.daf.butler import DataCoordinate, DatasetRef

    refs = []
    for name, run, id_, data_id in listed:
        dataset_type = butler.get_dataset_type(name)
        coordinate = DataCoordinate.standardize(data_id, dimensions=dataset_type.dimensions)
        refs.append(DatasetRef(dataset_type, coordinate, run, id=UUID(id_)))
    return refs
