"""Who else uses what is a campaign's own: collections of others, other campaigns, its APDB. Changes nothing."""

__all__ = ["Use", "find_recorded", "find_uses", "find_uses_of_apdb", "find_uses_of_runs"]

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from ...apdb import ApdbTarget
from ...common.butler import open_butler
from ...common.files import find_files
from ...ledger import CampaignPaths, Ledger, RunRecord, Workspace, read_sound_ledger
from ...ordering import VisitDetector
from ...submit.preconditions.apdb_hold import find_fillers
from .holdings import own_chains

#: What an association writes into the repository after it has written to the APDB.
MARKER = "apdb_marker"


@dataclass(frozen=True)
class Use:
    """A use by others.

    Parameters
    ----------
    what
        Whose use it is, as the subject of a sentence.
    used
        The collection, or the APDB, that is used.
    """

    what: str
    used: str

    def describe(self) -> str:
        """Say it in a line."""
        return f"{self.what} uses {self.used}"


def find_uses(workspace: Workspace, ledger: Ledger, runs: Collection[RunRecord]) -> tuple[Use, ...]:
    """Find who else uses what some runs of a campaign have made.

    Parameters
    ----------
    workspace, ledger
        The campaign.
    runs
        The runs.

    Raises
    ------
    RepositoryError
        If a repository cannot be read.
    """
    found: list[Use] = []
    own = own_chains(workspace, (*ledger.runs, *ledger.retired))
    by_butler: dict[str, list[RunRecord]] = {}
    for run in runs:
        by_butler.setdefault(run.butler, []).append(run)
    for repository, records in by_butler.items():
        with open_butler(repository, f"who uses collections of {repository} cannot be read") as butler:
            found += find_uses_of_runs(butler, [run.output_run for run in records], own)
    found += _find_campaigns(workspace, runs)
    return tuple(dict.fromkeys(found))


def find_uses_of_runs(butler: Any, runs: Iterable[str], own: Collection[str]) -> Iterator[Use]:
    """Find the collections of others that hold RUN collections or some of their datasets.

    Parameters
    ----------
    butler
        The repository.
    runs
        The RUN collections.
    own
        The CHAINED collections that are the campaign's own.
    """
    known = set(butler.collections.query("*"))
    runs = [run for run in runs if run in known]
    for run in runs:
        for chain in sorted(_find_ancestors(butler, run) - set(own)):
            yield Use(f"the CHAINED collection {chain}", run)
    yield from _find_tags(butler, set(runs))


def _find_ancestors(butler: Any, name: str) -> set[str]:
    """Find the CHAINED collections that hold a collection, or hold one that does."""
    found: set[str] = set()
    front = {name}
    while front:
        infos = [butler.collections.get_info(each, include_parents=True) for each in front]
        front = {parent for info in infos for parent in info.parents} - found
        found |= front
    return found


def _find_tags(butler: Any, runs: set[str]) -> Iterator[Use]:
    """Find the TAGGED and CALIBRATION collections that hold datasets of RUN collections."""
    from lsst.daf.butler import CollectionType

    types: set[str] = set()
    for run in runs:
        types |= butler.collections.get_info(run, include_summary=True).dataset_types
    tagged = butler.collections.query_info(
        "*",
        {CollectionType.TAGGED, CollectionType.CALIBRATION},
        include_summary=True,
    )
    for info in sorted(tagged):
        for name in sorted(types & info.dataset_types):
            refs = butler.query_datasets(name, info.name, find_first=False, limit=None, explain=False)
            for run in sorted({ref.run for ref in refs} & runs):
                yield Use(f"the {info.type.name} collection {info.name}", f"{name} of {run}")


def _list_campaigns(workspace: Workspace) -> Iterator[Ledger]:
    """Read the ledgers of the other campaigns in the folder of all runs, as far as they can be read."""
    for folder in find_files(workspace.paths.folder.parent, "*"):
        if folder.is_dir() and folder.name != workspace.campaign.name:
            yield read_sound_ledger(CampaignPaths(folder.parent, folder.name))[0]


def _find_campaigns(workspace: Workspace, runs: Collection[RunRecord]) -> Iterator[Use]:
    """Find other campaigns that have read what runs have made, or that fill the same collections."""
    outputs = {name: run for run in runs for name in (run.output, run.output_run)}
    for other in _list_campaigns(workspace):
        for theirs in other.runs:
            for name in (*theirs.inputs, theirs.output):
                if name in outputs and _locate(theirs.butler) == _locate(outputs[name].butler):
                    yield Use(f"campaign {theirs.campaign}, run {theirs.output_run},", name)


@cache
def _locate(repository: str) -> str:
    """Name the folder of a repository: it may be known by an alias too."""
    from lsst.daf.butler import ButlerConfig

    try:
        return str(ButlerConfig(repository).configDir)
    except (OSError, RuntimeError, ValueError):
        return repository


def find_uses_of_apdb(workspace: Workspace, target: ApdbTarget) -> tuple[Use, ...]:
    """Find other campaigns that fill an APDB."""
    used = f"the APDB in {target.place}"
    names = [ledger.paths.campaign for ledger in find_fillers(workspace.paths.runs, target.place)]
    return tuple(Use(f"campaign {name}", used) for name in names if name != workspace.campaign.name)


def find_recorded(runs: Iterable[RunRecord]) -> frozenset[VisitDetector]:
    """Find the (visit, detector)s that runs have recorded as associated.

    Raises
    ------
    RepositoryError
        If a repository cannot be read.
    """
    found: set[VisitDetector] = set()
    for run in runs:
        with open_butler(run.butler, f"the associations of {run.output_run} cannot be read") as butler:
            from lsst.daf.butler import MissingCollectionError, MissingDatasetTypeError

            try:
                refs = butler.query_datasets(MARKER, run.output_run, limit=None, explain=False)
            except (MissingCollectionError, MissingDatasetTypeError):
                continue
            found |= {(int(ref.dataId["visit"]), int(ref.dataId["detector"])) for ref in refs}
    return frozenset(found)
