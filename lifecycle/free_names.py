"""Names of a campaign that starts over, and whether they are free: in runs folder, repository and database."""

__all__ = ["FreeNames", "Names", "choose_names"]

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from ..apdb import ApdbTarget, namespace_for
from ..apdb.connection import make_engine, reporting_errors
from ..apdb.namespace import inspect_namespace
from ..bps import CampaignConfig
from ..common.butler import open_butler
from ..ledger import CampaignPaths

_NUMBERED = re.compile(r"(.+?)[-_]v(\d+)")
_LONGEST = 63  # letters of a namespace


@dataclass(frozen=True)
class Names:
    """What tells one attempt of a campaign from the one before.

    Parameters
    ----------
    name
        The campaign's name.
    mark
        What other names get after a ``-``.
    """

    name: str
    mark: str

    def rename(self, name: str) -> str:
        """Give another name the mark, instead of that which it has."""
        return f"{_bare(name)}-{self.mark}"

    def rename_file(self, path: str) -> str:
        """The same for a path or a URL, whose suffix stays."""
        folder, slash, name = path.rpartition("/")
        stem, dot, suffix = name.rpartition(".")
        return f"{folder}{slash}{self.rename(stem or suffix)}{f'.{suffix}' if dot and stem else ''}"

    def rename_namespace(self, namespace: str) -> str:
        """The same for a namespace."""
        mark = namespace_for(f"x_{self.mark}")[1:]
        return f"{_bare(namespace)[: _LONGEST - len(mark)]}{mark}"


def choose_names(name: str, attempt: int, given: str | None = None) -> Names:
    """Name a campaign that starts over.

    Parameters
    ----------
    name
        The old name.
    attempt
        Which name is to be tried, from 1 on: ``-v2`` after a name without a number, then ``-v3``, …
    given
        The new name, if it is not to be made.
    """
    if given:
        return Names(given, given)
    found = _NUMBERED.fullmatch(name)
    mark = f"v{(int(found[2]) if found else 1) + attempt}"
    return Names(f"{_bare(name)}-{mark}", mark)


def _bare(name: str) -> str:
    found = _NUMBERED.fullmatch(name)
    return found[1] if found else name


@dataclass(frozen=True)
class FreeNames:
    """What is there already.

    Parameters
    ----------
    collections
        All of the repository; `None` if neither that nor a database is to be asked.
    """

    collections: frozenset[str] | None

    @classmethod
    def read(cls, butler: str) -> Self:
        """Ask a repository for its collections.

        Raises
        ------
        RepositoryError
            If it cannot be read.
        """
        with open_butler(butler, f"the collections of {butler} cannot be listed") as repository:
            return cls(frozenset(repository.collections.query("*")))

    def find_taken(
        self, campaign: CampaignConfig, runs: Path, file: Path, target: ApdbTarget | None
    ) -> Iterator[str]:
        """Say which names of a campaign are not free.

        Parameters
        ----------
        campaign
            The new campaign.
        runs
            The folder of all campaigns' runs.
        file
            Its campaign file.
        target
            Where its APDB is to be, if that is known.

        Raises
        ------
        ApdbError
            If the database cannot be asked.
        """
        if file.exists():
            yield f"the file {file} is there"
        if (folder := CampaignPaths(runs, campaign.name).folder).exists():
            yield f"the folder {folder} is there"
        root = campaign.root_collection
        if any(name == root or name.startswith(f"{root}/") for name in self.collections or ()):
            yield f"{campaign.butler} has collections {root}/…"
        if target is not None and target.is_sqlite:
            if target.sqlite_path.exists():
                yield f"{target.place} is there"
        elif target is not None and self.collections is not None:
            with reporting_errors(target), make_engine(target).connect() as connection:
                if inspect_namespace(connection, target.namespace).exists:
                    yield f"{target.place} is there"
