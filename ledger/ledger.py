"""Ledger of a campaign: all of its run records and campaign DAG records, read once."""

__all__ = ["Ledger", "read_ledger", "read_sound_ledger"]

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ..bps import TIMESTAMP, Stage, Step, make_timestamp
from ..common.errors import LedgerError
from ..common.text import format_duration
from .lock import read_holder
from .paths import CampaignPaths, DagPaths, RunPaths
from .records import DagRecord, RunRecord, read_dag_record, read_run
from .relocation import relocate_run
from .retirement import RetirementRecord, read_retirements

#: Of more runs the newest are named.
_MOST_LISTED = 8
#: By how many seconds the clocks of hosts may differ without a word.
_UNSURE = 60

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ledger:
    """What a campaign has submitted.

    Parameters
    ----------
    paths
        The campaign's files.
    runs
        Its prepared runs, the oldest first.
    dags
        Its campaign DAGs and their files, the oldest first.
    without_dag
        The same of plans that have runs and no DAG: a process in the foreground executes them, or their submission
        was killed before HTCondor had a DAG.
    empty
        The parts of steps that had nothing to do, as pairs of the time of their DAG and their name.
    chosen
        The run that somebody has asked for: it counts, and no other. `None` if nobody has.
    retirements
        What was removed of it, the oldest first. The runs and DAGs that are gone with that are not among the
        others.
    unread
        The files that tell of other removals, and cannot be read.
    """

    paths: CampaignPaths
    runs: tuple[RunRecord, ...]
    dags: tuple[tuple[DagPaths, DagRecord], ...] = ()
    without_dag: tuple[tuple[DagPaths, DagRecord], ...] = ()
    empty: frozenset[tuple[str, str]] = frozenset()
    chosen: RunRecord | None = None
    retirements: tuple[RetirementRecord, ...] = ()
    unread: tuple[Path, ...] = ()

    @property
    def retired(self) -> tuple[RunRecord, ...]:
        """The runs that were removed with all that they had made."""
        return tuple(run for record in self.retirements for run in record.runs)

    @property
    def unfinished_retirement(self) -> RetirementRecord | None:
        """The removal that has begun and has not ended."""
        return next((record for record in self.retirements if not record.ended), None)

    def find(self, name: str) -> RunRecord:
        """Find a run.

        Parameters
        ----------
        name
            Its RUN collection or the end of it, such as ``diffim/20260905T031200Z``; or its time, or its name in
            the plan, if no other run has that.

        Raises
        ------
        LedgerError
            If there is none, or more than one.
        """
        found = [run for run in self.runs if name in _list_names(run)]
        if len(found) == 1:
            return found[0]
        candidates = ", ".join(f"{run.step}/{run.folder}" for run in (found or self.runs)[-_MOST_LISTED:])
        remedy = "`apcampaign runs` lists all"
        if found:
            raise LedgerError(
                f"{len(found)} runs of campaign {self.paths.campaign} are called {name}",
                expected=f"one of {candidates}",
                remedy=remedy,
            )
        expected = f"one such as {candidates}" if candidates else ""
        what = f"campaign {self.paths.campaign} has no run {name} in {self.paths.folder}"
        raise LedgerError(what, expected=expected, remedy=remedy)

    def choose(self, name: str | None) -> "Ledger":
        """Give the ledger in which only one run counts, though newer ones have replaced it; itself for `None`.

        All of its runs are still in it: the APDB that one fills holds what the others have associated too. Errors
        as `find`.
        """
        return self if name is None else replace(self, chosen=self.find(name))

    def runs_of(self, step: Step) -> tuple[RunRecord, ...]:
        """All runs of a step, the oldest first."""
        return tuple(run for run in self.runs if run.step is step)

    def current(self, *steps: Step) -> tuple[RunRecord, ...]:
        """The runs that count: of each part of each step (by default of all) the newest, by step.

        Of a step that was divided anew, or is no longer divided, the parts of before do not count any more.
        """
        if self.chosen is not None:
            return (self.chosen,) if self.chosen.step in (steps or Step) else ()
        division = {run.step: run.division for run in self.runs}  # the last one of a key wins
        newest = {(run.step, run.part): run for run in self.runs if run.division == division[run.step]}
        order = list(Step)
        found = [run for run in newest.values() if run.step in (steps or order)]
        stages = (None, *Stage)
        return tuple(
            sorted(found, key=lambda run: (order.index(run.step), stages.index(run.stage), run.part))
        )

    def next_timestamp(self) -> str:
        """Name the time of what is submitted next: now, or the second after the newest, if clocks do not agree.

        What counts is told by these times, and the clock may have been set back, or be that of another host.
        """
        known = [run.timestamp for run in (*self.runs, *self.retired)]
        known += [plan.timestamp for _, plan in (*self.dags, *self.without_dag)]
        now, newest = make_timestamp(), max(known, default="")
        if now > newest:
            return now
        try:
            after = datetime.strptime(newest, TIMESTAMP).replace(tzinfo=UTC) + timedelta(seconds=1)
        except ValueError:
            return now  # it is none of ours, such as that of an adopted run
        if (ahead := (after - datetime.now(UTC)).total_seconds()) > _UNSURE:
            _log.warning(
                "the clock is %s behind the time of what campaign %s has submitted last, and goes on from there",
                format_duration(ahead),
                self.paths.campaign,
            )
        return make_timestamp(after)

    def absent_parts(self, step: Step) -> tuple[str, ...]:
        """Name the parts into which a step was divided that have no run, though there is something to do.

        Of a part that was to be run again, what it was before does not count: it was made without what the
        others have made since.
        """
        division = next((run.division for run in self.current(step)), "")
        if self.chosen is not None or not division:
            return ()
        plans = [plan for _, plan in (*self.dags, *self.without_dag) if plan.timestamp >= division]
        planned: dict[str, str] = {}
        for plan in sorted(plans, key=lambda each: each.timestamp):
            planned |= {name: plan.timestamp for name in plan.runs if name.startswith(f"{step}-")}
        runs = (run for run in (*self.runs, *self.retired) if run.division == division)
        done = {*((run.timestamp, run.name) for run in runs), *self.empty}
        newest: dict[str, str] = {}
        for timestamp, name in sorted(done):
            newest[name] = timestamp
        return tuple(name for name, timestamp in planned.items() if newest.get(name, "") < timestamp)

    def count_earlier(self, step: Step, shown: int) -> int:
        """Count the runs of a step but for those that are shown, or those older than the one that was chosen."""
        if self.chosen is not None:
            return sum(run.timestamp < self.chosen.timestamp for run in self.runs_of(step))
        return len(self.runs_of(step)) - shown

    def require_current(self, *steps: Step) -> tuple[RunRecord, ...]:
        """Give the runs that count.

        Raises
        ------
        LedgerError
            If there is none.
        """
        if found := self.current(*steps):
            return found
        which = " or ".join(steps) + " " if steps else ""
        if self.retirements:
            raise LedgerError(
                f"campaign {self.paths.campaign} has no {which}runs any more: {self.retirements[-1].describe()}",
                remedy="submit it again under another name, if it is to be made again",
            )
        for step in steps or Step:
            if holder := read_holder(self.paths.step(step)):
                raise LedgerError(
                    f"campaign {self.paths.campaign} has no {which}runs yet: its {step} step is being submitted "
                    f"by {holder}",
                    remedy="its first graph is being built; look again when that is done",
                )
        raise LedgerError(
            f"campaign {self.paths.campaign} has no {which}runs in {self.paths.folder}",
            remedy="submit one first (`apcampaign submit`)",
        )

    @property
    def newest_dag(self) -> tuple[DagPaths, DagRecord] | None:
        """The campaign DAG that was made last."""
        return max(self.dags, key=lambda each: each[1].timestamp, default=None)

    def same_apdb(self, apdb_config: str) -> tuple[RunRecord, ...]:
        """All runs that fill an APDB, the oldest first."""
        return tuple(run for run in self.runs if run.apdb_config == apdb_config)


def _list_names(run: RunRecord) -> set[str]:
    """List what a run may be called by."""
    parts = run.output_run.split("/")
    ends = {"/".join(parts[first:]) for first in range(len(parts))}
    return ends | {run.name, run.timestamp, run.folder, f"{run.step}/{run.folder}"}


def read_ledger(paths: CampaignPaths) -> Ledger:
    """Read the records of a campaign; an empty ledger if it has submitted nothing.

    Raises
    ------
    LedgerError
        If a record cannot be read.
    """
    ledger, damaged = read_sound_ledger(paths)
    for error in damaged.values():
        raise LedgerError(
            error.what, remedy="`apcampaign doctor --fix` makes it again from the files beside it"
        )
    return ledger


def read_sound_ledger(paths: CampaignPaths) -> tuple[Ledger, dict[RunPaths | DagPaths, LedgerError]]:
    """Read the records of a campaign that can be read.

    Returns
    -------
    ledger
        What they tell.
    damaged
        The files of those runs and campaign DAGs whose record cannot be read, and why.
    """
    damaged: dict[RunPaths | DagPaths, LedgerError] = {}
    plans = [
        *_read_each(paths.list_dags(), read_dag_record, damaged),
        *_read_each(paths.list_foreground(), read_dag_record, damaged),
    ]
    runs = [relocate_run(files, record) for files, record in _read_each(paths.list_runs(), read_run, damaged)]
    retirements, unread = read_retirements(paths)
    gone = {run.output_run for record in retirements for run in record.runs}
    # Their files may be half removed.
    gone_dags = {timestamp for record in retirements for timestamp in record.dags}
    gone_folders = {output_run.rpartition("/")[2] for output_run in gone} | gone_dags
    damaged = {files: error for files, error in damaged.items() if files.folder.name not in gone_folders}
    plans = sorted(
        (each for each in plans if each[1].timestamp not in gone_dags), key=lambda each: each[1].timestamp
    )
    dags = tuple(each for each in plans if _has_dag(*each))
    prepared = {run.timestamp for run in runs}
    ledger = Ledger(
        paths=paths,
        runs=tuple(
            sorted((run for run in runs if run.output_run not in gone), key=lambda run: run.timestamp)
        ),
        dags=dags,
        # Of which nothing was prepared is a submission that was killed at once, and can be made anew.
        without_dag=tuple(
            (files, plan)
            for files, plan in plans
            if not _has_dag(files, plan) and (plan.timestamp in prepared or any(files.list_empty()))
        ),
        retirements=retirements,
        unread=unread,
        empty=frozenset((plan.timestamp, name) for files, plan in plans for name in files.list_empty()),
    )
    return ledger, damaged


def _has_dag(files: DagPaths, record: DagRecord) -> bool:
    """Whether there is a campaign DAG that HTCondor has, or can be given."""
    return bool(record.cluster) or files.submit_file.exists()


def _read_each[Files: (RunPaths, DagPaths), Record: (RunRecord, DagRecord)](
    found: Iterable[Files],
    read: Callable[[Files], Record],
    damaged: dict[RunPaths | DagPaths, LedgerError],
) -> Iterator[tuple[Files, Record]]:
    for files in found:
        try:
            yield files, read(files)
        except LedgerError as error:
            damaged[files] = error
