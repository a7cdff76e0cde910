"""Records of what was removed of a campaign: written before anything is, and after each part of it."""

__all__ = [
    "RetirementAct",
    "RetirementKind",
    "RetirementRecord",
    "RetirementScope",
    "read_retirements",
    "sum_acts",
    "write_retirement",
]

import shlex
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict

from ..common.errors import LedgerError
from ..common.files import write_atomically
from ..common.text import count, format_size
from .paths import CampaignPaths
from .records import RunRecord, read_record


class RetirementScope(StrEnum):
    """What is removed of a campaign."""

    INTERMEDIATES = "intermediates"
    RUNS = "runs"
    EVERYTHING = "everything"


class RetirementKind(StrEnum):
    """What one act removes, in the order of the acts: what is asked for what later acts remove comes first."""

    APDB = "apdb"
    DATASETS = "datasets"
    RUN = "run"
    CHAIN = "chain"
    FILES = "files"


class RetirementAct(BaseModel):
    """One thing that is removed. Doing it again where it was begun, or is done, ends in the same state.

    Parameters
    ----------
    kind
        What it is: an APDB, datasets of a RUN collection, a RUN collection with its datasets, a CHAINED
        collection, or files.
    name
        Its collection, its path in the campaign's folder, or its database URL without a password.
    butler
        The repository of a collection.
    dataset_types
        Which datasets of the RUN collection are removed, if not all.
    chains
        The campaign's own CHAINED collections that hold the RUN collection.
    folder
        Where the datastore keeps the files of a RUN collection, if that is a folder of its own.
    namespace, prefix, place
        The APDB's schema, what the names of its tables begin with, and where it is in words.
    datasets, rows, size
        How many datasets or rows it has, and the bytes of its files.
    done
        Whether it has been removed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: RetirementKind
    name: str
    butler: str = ""
    dataset_types: tuple[str, ...] = ()
    chains: tuple[str, ...] = ()
    folder: str = ""
    namespace: str | None = None
    prefix: str = ""
    place: str = ""
    datasets: int = 0
    rows: int = 0
    size: int = 0
    done: bool = False

    def describe(self) -> str:
        """Say what is removed, as the end of a sentence."""
        size = format_size(self.size)
        match self.kind:
            case RetirementKind.APDB:
                return f"the APDB in {self.place}: {count(self.rows, 'row')}, {size}"
            case RetirementKind.DATASETS:
                kinds = count(len(self.dataset_types), "dataset type")
                return f"{count(self.datasets, 'dataset')} of {kinds} in {self.name}: {size}"
            case RetirementKind.RUN:
                return f"the RUN collection {self.name}: {count(self.datasets, 'dataset')}, {size}"
            case RetirementKind.CHAIN:
                return f"the CHAINED collection {self.name}"
            case RetirementKind.FILES:
                return f"{self.name}: {size}"


class RetirementRecord(BaseModel):
    """What is or was removed of a campaign, when and by whom.

    Parameters
    ----------
    campaign, timestamp
        Of which, and when that was begun.
    scope
        What was chosen.
    by
        Who has done it, and on which host.
    runs
        The records of the runs that are gone with it.
    dags
        The timestamps of the campaign DAGs, and of the plans in the foreground, that are gone with it.
    acts
        What is removed.
    archive
        The file into which its records were packed before; empty if they were not.
    dataset_types, keep, keep_apdb
        What else was chosen: more dataset types that count as intermediate and those that do not, as patterns, and
        whether the APDB stays.
    complete
        Whether the campaign was complete before; `None` if that is not known.
    ended
        When all of it was done, as an ISO date; empty until then.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    campaign: str
    timestamp: str
    scope: RetirementScope
    by: str
    runs: tuple[RunRecord, ...] = ()
    dags: tuple[str, ...] = ()
    acts: tuple[RetirementAct, ...] = ()
    archive: str = ""
    dataset_types: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    keep_apdb: bool = False
    complete: bool | None = None
    ended: str = ""

    @property
    def whole(self) -> bool:
        """Whether nothing of the campaign is left but this."""
        return self.scope is RetirementScope.EVERYTHING

    @property
    def command(self) -> str:
        """The command that does it, and goes on with it where it was interrupted."""
        words = ["apcampaign", "retire"]
        if self.scope is RetirementScope.RUNS:
            words += [word for run in self.runs for word in ("--run", run.output_run)]
        else:
            words.append(f"--{self.scope}")
        words += [word for name in self.dataset_types for word in ("--type", name)]
        words += [word for name in self.keep for word in ("--keep", name)]
        words += ["--keep-apdb"] if self.keep_apdb else []
        return shlex.join(words)

    @property
    def what(self) -> str:
        """What was chosen, in words."""
        return {
            RetirementScope.INTERMEDIATES: "intermediate datasets",
            RetirementScope.RUNS: ", ".join(run.output_run for run in self.runs),
            RetirementScope.EVERYTHING: "everything",
        }[self.scope]

    @property
    def progress(self) -> str:
        """How far it is."""
        return f"{sum(act.done for act in self.acts)} of {count(len(self.acts), 'part')} removed"

    def describe(self) -> str:
        """Say it in a line."""
        what = self.what
        if not self.ended:
            return (
                f"the retirement that {self.by} began at {self.timestamp} has not ended ({what}): go on with "
                f"`{self.command}`"
            )
        done = sum_acts(self.acts)
        archive = f"; its records are in {self.archive}" if self.archive else ""
        ended = datetime.fromisoformat(self.ended).strftime("%Y-%m-%d %H:%M:%S UTC")
        return f"retired at {ended} by {self.by}: {what}: {done}{archive}"

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values, for JSON, with the names of the runs only."""
        return {
            **self.model_dump(mode="json", exclude={"runs"}),
            "runs": [run.output_run for run in self.runs],
        }


def sum_acts(acts: Iterable[RetirementAct]) -> str:
    """Say how much some acts remove in all."""
    acts = tuple(acts)
    parts = [count(sum(act.datasets for act in acts), "dataset")]
    if rows := sum(act.rows for act in acts):
        parts.append(f"{count(rows, 'row')} of the APDB")
    return f"{' and '.join(parts)}, {format_size(sum(act.size for act in acts))}"


def write_retirement(paths: CampaignPaths, record: RetirementRecord) -> None:
    """Write the record of a retirement, whole or not at all."""
    text = yaml.safe_dump(record.model_dump(mode="json"), sort_keys=False)
    write_atomically(paths.retirement(record.timestamp), text)


def read_retirements(paths: CampaignPaths) -> tuple[tuple[RetirementRecord, ...], tuple[Path, ...]]:
    """Read what was removed of a campaign.

    Returns
    -------
    records
        Those that can be read, the oldest first.
    unread
        The files of the others.
    """
    records: list[RetirementRecord] = []
    unread: list[Path] = []
    for path in paths.list_retirements():
        try:
            records.append(read_record(path, RetirementRecord))
        except LedgerError:
            unread.append(path)
    return tuple(records), tuple(unread)
