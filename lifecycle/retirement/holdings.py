"""What a campaign holds: datasets by type and run, its APDB, and files. Changes nothing."""

__all__ = ["FileHolding", "Holdings", "RunHolding", "TypeHolding", "own_chains", "read_holdings"]

import itertools
import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...apdb import ApdbContents, look_at_apdb
from ...bps import Step
from ...common.butler import open_butler
from ...common.errors import ApdbError, UnsupportedApdbError
from ...common.files import find_files, list_tree
from ...common.progress import show_progress
from ...ledger import CampaignPaths, Ledger, RunRecord, Workspace

# On a cluster's file system the size of each file takes a millisecond, nearly all of it waiting.
_THREADS = 16
_CHUNK = 20_000


@dataclass(frozen=True, kw_only=True)
class TypeHolding:
    """The datasets of one type in a RUN collection: how many, and the bytes of their files."""

    datasets: int = 0
    size: int = 0

    def __add__(self, other: "TypeHolding") -> "TypeHolding":
        return TypeHolding(datasets=self.datasets + other.datasets, size=self.size + other.size)


@dataclass(frozen=True, kw_only=True)
class RunHolding:
    """What a RUN collection holds.

    Parameters
    ----------
    record
        The run.
    exists
        Whether the repository has its collection.
    types
        Its datasets by type.
    folder
        The folder that the datastore has made for it; empty if there is none of its own, or not on this machine.
    """

    record: RunRecord
    exists: bool = True
    types: Mapping[str, TypeHolding]
    folder: str = ""

    @property
    def total(self) -> TypeHolding:
        """All its datasets."""
        return sum(self.types.values(), TypeHolding())


@dataclass(frozen=True)
class FileHolding:
    """A file or folder of the campaign's folder, by its path there, and its bytes."""

    name: str
    size: int


@dataclass(frozen=True, kw_only=True)
class Holdings:
    """What a campaign holds.

    Parameters
    ----------
    runs
        Its runs.
    chains
        Its own CHAINED collections that are there, each with its repository.
    unrecorded
        Collections below these of which no run has a record.
    apdb
        Its APDB; `None` if there is none, or it cannot be looked into.
    apdb_note
        Why that is not looked into, and stays, if it does.
    apdb_error
        Why that could not be looked into.
    files
        The files of its runs and reports.
    other_files
        What else lies in its folder.
    """

    runs: tuple[RunHolding, ...] = ()
    chains: tuple[tuple[str, str], ...] = ()
    unrecorded: tuple[str, ...] = ()
    apdb: ApdbContents | None = None
    apdb_note: str = ""
    apdb_error: ApdbError | None = None
    files: tuple[FileHolding, ...] = ()
    other_files: tuple[str, ...] = ()

    @property
    def types(self) -> dict[str, TypeHolding]:
        """The datasets of all runs by type, the largest first."""
        found: dict[str, TypeHolding] = {}
        for run in self.runs:
            for name, holding in run.types.items():
                found[name] = found.get(name, TypeHolding()) + holding
        return dict(sorted(found.items(), key=lambda item: (-item[1].size, item[0])))

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values, for JSON."""
        return {
            "runs": [
                {
                    "run": run.record.output_run,
                    "exists": run.exists,
                    "dataset_types": {
                        name: {"datasets": each.datasets, "bytes": each.size}
                        for name, each in run.types.items()
                    },
                }
                for run in self.runs
            ],
            "chains": [name for _, name in self.chains],
            "unrecorded": list(self.unrecorded),
            "apdb": self.apdb
            and {
                **self.apdb.target.as_dict(),
                "tables": dict(self.apdb.contents.tables),
                "bytes": self.apdb.size,
            },
            "files": {each.name: each.size for each in self.files},
            "other_files": list(self.other_files),
        }


def read_holdings(workspace: Workspace, ledger: Ledger) -> Holdings:
    """Read what a campaign holds.

    Raises
    ------
    RepositoryError
        If a repository cannot be read.
    """
    runs: list[RunHolding] = []
    chains: list[tuple[str, str]] = []
    unrecorded: set[str] = set()
    by_butler: dict[str, list[RunRecord]] = {}
    for run in ledger.runs:
        by_butler.setdefault(run.butler, []).append(run)
    known_runs = {run.output_run for run in (*ledger.runs, *ledger.retired)}
    for repository, records in by_butler.items():
        with open_butler(repository, f"what the campaign holds in {repository} cannot be read") as butler:
            known = set(butler.collections.query("*"))
            runs += [_read_run(butler, record, exists=record.output_run in known) for record in records]
            outputs = own_chains(workspace, records)
            chains += [(repository, name) for name in outputs if name in known]
            below = {name for name in known if name.rpartition("/")[0] in outputs}
            unrecorded |= below - known_runs
    apdb, note, apdb_error = None, "", None
    try:
        apdb, note = _read_apdb(workspace, ledger)
    except ApdbError as error:
        apdb_error = error
    return Holdings(
        runs=tuple(runs),
        chains=tuple(chains),
        unrecorded=tuple(sorted(unrecorded)),
        apdb=apdb,
        apdb_note=note,
        apdb_error=apdb_error,
        files=tuple(_list_files(ledger.paths)),
        other_files=tuple(_list_others(ledger.paths)),
    )


def own_chains(workspace: Workspace, runs: Iterable[RunRecord]) -> tuple[str, ...]:
    """Name the CHAINED collections that are a campaign's own: of its runs, and of its steps by their names."""
    root = workspace.campaign.root_collection
    return tuple(dict.fromkeys((*(run.output for run in runs), *(f"{root}/{step}" for step in Step))))


def _read_run(butler: Any, record: RunRecord, *, exists: bool) -> RunHolding:
    if not exists:
        return RunHolding(record=record, exists=False, types={})
    types: dict[str, TypeHolding] = {}
    folder = ""
    what = f"sizes of {record.output_run}"
    with show_progress(what, unit="dataset types") as tell:
        info = butler.collections.get_info(record.output_run, include_summary=True)
        for number, name in enumerate(sorted(info.dataset_types)):
            tell(what, number, len(info.dataset_types), 0)
            refs = butler.query_datasets(name, record.output_run, find_first=False, limit=None, explain=False)
            if not refs:
                continue  # a summary may name types of which there is none any more
            size = 0
            for chunk in itertools.batched(refs, _CHUNK):
                uris = _list_uris(butler.get_many_uris(chunk, allow_missing=True).values())
                size += _sum_sizes(uris)
                folder = folder or _find_folder(uris, record.output_run)
            types[name] = TypeHolding(datasets=len(refs), size=size)
    return RunHolding(record=record, types=types, folder=folder)


def _list_uris(found: Iterable[Any]) -> list[Any]:
    """List the files of datasets, each once: several may be in one."""
    uris = (uri for each in found for uri in (each.primaryURI, *each.componentURIs.values()) if uri)
    return list({str(uri.replace(fragment="")): uri for uri in uris}.values())


def _sum_sizes(uris: list[Any]) -> int:
    with ThreadPoolExecutor(_THREADS) as pool:
        return sum(pool.map(_size, uris))


def _size(uri: Any) -> int:
    try:
        return os.stat(uri.ospath).st_size if uri.isLocal else int(uri.size())  # noqa: PTH116 - 5 times as fast
    except FileNotFoundError:
        return 0


def _find_folder(uris: Iterable[Any], run: str) -> str:
    """Find the folder that a datastore has made for a run: files lie in one of its name by default."""
    for uri in uris:
        if uri.isLocal:
            before, found, _ = uri.ospath.partition(f"/{run}/")
            if found:
                return f"{before}/{run}"
    return ""


def _read_apdb(workspace: Workspace, ledger: Ledger) -> tuple[ApdbContents | None, str]:
    """Read the APDB that was made for the campaign: one that it was only given is not its own."""
    paths = workspace.paths
    if workspace.campaign.apdb.config is not None:
        return None, f"the APDB {workspace.campaign.apdb.config} was given to the campaign, and stays"
    if not paths.apdb_config.exists():
        return None, ""
    try:
        found = look_at_apdb(str(paths.apdb_config))
    except UnsupportedApdbError as error:
        return None, f"{error.what}, and stays"
    if found is not None and found.campaign != workspace.campaign.name:
        made = f"for {found.campaign}" if found.campaign else "without a campaign"
        return None, f"the APDB in {found.target.place} was made {made}, and stays"
    filled = sorted({run.apdb_config for run in ledger.runs if run.apdb_config} - {str(paths.apdb_config)})
    note = f"runs have filled another APDB too, which stays: {', '.join(filled)}" if filled else ""
    return found, note


def _list_files(paths: CampaignPaths) -> Iterator[FileHolding]:
    for path in paths.removable:
        yield FileHolding(str(path.relative_to(paths.folder)), _measure(path))


def _list_others(paths: CampaignPaths) -> Iterator[str]:
    ours = {path.relative_to(paths.folder).parts[0] for path in paths.removable} | {"retired"}
    for path in find_files(paths.folder, "*"):
        if path.name not in ours and not (path / "submission.lock").exists():
            yield path.name


def _measure(path: Path) -> int:
    """Sum the bytes of a file, or of all files of a folder; links are not followed."""
    if not path.is_dir():
        return path.lstat().st_size
    return sum(found.lstat().st_size for found in list_tree(path) if not found.is_dir() or found.is_symlink())
