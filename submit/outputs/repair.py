"""Repair before a step goes on: outputs that must be registered, associations that must be rolled back."""

__all__ = ["Repair", "execute_repair", "find_unregistered", "plan_repair", "roll_back_failed"]

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ...apdb import find_apdb, plan_rollback, roll_back, verify_apdb
from ...common.errors import ApdbError, LedgerError, UnsupportedApdbError
from ...common.text import count
from ...ledger import Ledger, RunRecord, has_graph
from ...monitor import JobState, read_jobs
from ...monitor.outcomes import read_unregistered
from ...ordering import VisitDetector, find_stored, read_associations
from .collections import register_outputs

_SHOWN = 5  # (visit, detector)s in a sentence
#: The label of the job that merges the outputs of a run into the repository.
FINAL = "finalJob"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Repair:
    """What must be put right before a campaign goes on.

    Parameters
    ----------
    unregistered
        Runs whose jobs have made outputs that the repository does not know: their final job did not run.
    apdb_config
        The APDB.
    rollbacks
        The (visit, detector)s that are in the APDB although their association failed: they cannot be associated
        again before they are rolled back.
    notes
        What cannot be put right.
    obstacle
        Why these cannot be rolled back.
    """

    unregistered: tuple[RunRecord, ...] = ()
    apdb_config: str | None = None
    rollbacks: tuple[VisitDetector, ...] = ()
    notes: tuple[str, ...] = ()
    obstacle: ApdbError | None = None

    def describe(self) -> list[str]:
        """Say it in lines."""
        lines = [f"{run.name}: the outputs of {run.output_run} are registered" for run in self.unregistered]
        lines += [
            f"visit {visit}, detector {detector} was written to the APDB but its association failed: it is "
            "rolled back"
            for visit, detector in self.rollbacks
        ]
        return [*lines, *self.notes]


def plan_repair(ledger: Ledger, runs: Iterable[RunRecord]) -> Repair:
    """Find out what must be put right before some runs of a campaign, which have ended, go on.

    What is in the APDB from elsewhere stays.

    Parameters
    ----------
    ledger
        All that the campaign has submitted.
    runs
        The runs that are to go on.

    Raises
    ------
    RepositoryError
        If the runs' outputs cannot be read.
    ApdbError
        If the APDB cannot be read.
    """
    runs = tuple(runs)
    unregistered = find_unregistered(ledger, runs)
    lost = tuple(
        f"{run.name}: {run.graph} is gone or cut off: what is not registered of {run.output_run} is made again"
        for run in runs
        if not has_graph(run) and _has_unregistered_outputs(ledger, run)
    )
    repair = Repair(unregistered=unregistered, notes=lost)
    for apdb_config in sorted({run.apdb_config for run in runs if run.apdb_config}):
        try:
            find_apdb(apdb_config)
        except UnsupportedApdbError as reason:
            note = (
                f"{reason}: associations that were killed after their write are not rolled back, and will "
                "fail again («this image cannot be retried»)"
            )
            repair = replace(repair, apdb_config=apdb_config, notes=(*repair.notes, note))
        else:
            found = _find_rollbacks(ledger, apdb_config, unregistered)
            obstacle = _find_obstacle(apdb_config, found)
            repair = replace(repair, apdb_config=apdb_config, rollbacks=found, obstacle=obstacle)
    return repair


def find_unregistered(ledger: Ledger, runs: Iterable[RunRecord]) -> tuple[RunRecord, ...]:
    """Find the runs of which jobs have ended that their final job, if it ran at all, has not registered.

    Without its graph nobody can register what a run has made: it is none of them.

    Raises
    ------
    LedgerError
        If the files of a run cannot be read.
    """
    return tuple(run for run in runs if has_graph(run) and _has_unregistered_outputs(ledger, run))


def execute_repair(repair: Repair) -> None:
    """Do what `plan_repair` found.

    Raises
    ------
    RepositoryError
        If outputs cannot be registered; nothing is then rolled back.
    ApdbError
        If the APDB cannot be changed, or later associations have built on one of these.
    """
    for run in repair.unregistered:
        register_outputs(run)
    if repair.rollbacks and repair.apdb_config is not None:
        for visit, detector in repair.rollbacks:
            _log.info(
                "visit %d, detector %d was written to the APDB but its association failed: rolling it back",
                visit,
                detector,
            )
        roll_back(plan_rollback(repair.apdb_config, repair.rollbacks))
    for note in repair.notes:
        _log.warning("%s", note)


def roll_back_failed(ledger: Ledger, run: RunRecord) -> None:
    """Roll back what failed associations of a run that has ended have written, before others build on it.

    Raises
    ------
    RepositoryError
        If its graph or its outputs cannot be read.
    ApdbError
        If the APDB cannot be read or changed.
    """
    if run.apdb_config is None:
        return
    written = read_associations([run]).unfinished & find_stored(run.apdb_config)
    if written and find_unregistered(ledger, [run]):
        written -= read_unregistered(run).associated
    if written:
        execute_repair(Repair(apdb_config=run.apdb_config, rollbacks=tuple(sorted(written))))


def _find_obstacle(apdb_config: str, rollbacks: tuple[VisitDetector, ...]) -> ApdbError | None:
    """Tell why associations cannot be rolled back alone: later ones have built on them, or the APDB refuses."""
    if not rollbacks:
        return None
    try:
        later = plan_rollback(apdb_config, rollbacks, with_later=True).later
    except ApdbError as error:
        return error
    if not later:
        return None
    named = ", ".join(f"visit {visit} detector {detector}" for visit, detector in later[:_SHOWN])
    return ApdbError(
        f"{count(len(later), 'association')} built on what failed ones have written: {named}",
        remedy="`apcampaign doctor --fix` rolls all of them back, and associates them again in time order",
    )


def _find_rollbacks(
    ledger: Ledger, apdb_config: str, unregistered: Iterable[RunRecord]
) -> tuple[VisitDetector, ...]:
    """Find the planned associations that the APDB holds although they have not succeeded."""
    associations = read_associations(ledger.same_apdb(apdb_config))
    succeeded = {key for run in unregistered for key in read_unregistered(run).associated}
    unrecorded = verify_apdb(apdb_config, associations.expected, order=None).unrecorded
    return tuple(key for key in unrecorded if key in associations.planned and key not in succeeded)


def _has_unregistered_outputs(ledger: Ledger, run: RunRecord) -> bool:
    """Tell whether jobs of a run have ended since its final job has, if that did."""
    try:
        jobs = read_jobs(ledger.paths.run(run))
    except LedgerError as error:
        _log.warning("%s: whether all outputs of %s are registered is not known", error.what, run.output_run)
        return True
    final = [job.state is JobState.DONE for job in jobs if job.label == FINAL]
    return not any(final) and any(job.state is JobState.DONE for job in jobs)
