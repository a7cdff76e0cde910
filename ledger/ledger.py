"""Ledger of a campaign: all of its run records and campaign DAG records, read once."""

__all__ = ["Ledger", "read_ledger"]

from collections.abc import Iterable
from dataclasses import dataclass

from ..bps import Stage, Step
from ..common.errors import LedgerError
from .paths import CampaignPaths, DagPaths
from .records import DagRecord, RunRecord, read_dag_record, read_run


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
    foreground
        The same of plans with parts that a process in the foreground executed, which have no DAG.
    empty
        The parts of steps that had nothing to do, as pairs of the time of their DAG and their name.
    """

    paths: CampaignPaths
    runs: tuple[RunRecord, ...]
    dags: tuple[tuple[DagPaths, DagRecord], ...] = ()
    foreground: tuple[tuple[DagPaths, DagRecord], ...] = ()
    empty: frozenset[tuple[str, str]] = frozenset()

    def runs_of(self, step: Step) -> tuple[RunRecord, ...]:
        """All runs of a step, the oldest first."""
        return tuple(run for run in self.runs if run.step is step)

    def current(self, *steps: Step) -> tuple[RunRecord, ...]:
        """The runs that count: of each part of each step (by default of all) the newest, by step.

        Of a step that was divided anew, or is no longer divided, the parts of before do not count any more.
        """
        division = {run.step: run.division for run in self.runs}  # the last one of a key wins
        newest = {(run.step, run.part): run for run in self.runs if run.division == division[run.step]}
        order = list(Step)
        found = [run for run in newest.values() if run.step in (steps or order)]
        stages = (None, *Stage)
        return tuple(
            sorted(found, key=lambda run: (order.index(run.step), stages.index(run.stage), run.part))
        )

    def absent_parts(self, step: Step) -> tuple[str, ...]:
        """Name the parts into which a step was divided that have no run, though there is something to do."""
        current = self.current(step)
        division = next((run.division for run in current), "")
        known = {run.name for run in current}
        known |= {name for timestamp, name in self.empty if timestamp >= division}
        plans = [plan for _, plan in (*self.dags, *self.foreground) if plan.timestamp == division]
        names = [name for plan in plans for name in plan.runs]
        return tuple(name for name in names if name.startswith(f"{step}-") and name not in known)

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


def read_ledger(paths: CampaignPaths) -> Ledger:
    """Read the records of a campaign; an empty ledger if it has submitted nothing.

    Raises
    ------
    LedgerError
        If a record cannot be read.
    """
    dags, foreground = (
        sorted(((files, read_dag_record(files)) for files in found), key=lambda each: each[1].timestamp)
        for found in (paths.list_dags(), paths.list_foreground())
    )
    return Ledger(
        paths=paths,
        runs=_oldest_first(read_run(run) for run in paths.list_runs()),
        dags=tuple(dags),
        foreground=tuple(foreground),
        empty=frozenset(
            (dag.timestamp, name) for files, dag in (*dags, *foreground) for name in files.list_empty()
        ),
    )


def _oldest_first(runs: Iterable[RunRecord]) -> tuple[RunRecord, ...]:
    return tuple(sorted(runs, key=lambda run: run.timestamp))
