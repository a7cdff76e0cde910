"""Images that runs of before were to associate, and that neither they nor a newer run has associated."""

__all__ = ["LeftImage", "describe_left", "find_left_images"]

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from ...apdb import read_stored
from ...bps import Step, plan_campaign
from ...common.butler import open_butler
from ...common.errors import LedgerError, UnsupportedApdbError
from ...common.text import count
from ...ledger import Ledger, RunRecord, Workspace, find_continued
from ...ordering import VisitDetector, read_data_ids, read_planned_jobs, read_succeeded, select_raws
from ..submitted import find_filled_apdb

_SHOWN = 5

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, order=True)
class LeftImage:
    """A (visit, detector) that is in no run that counts and is not associated.

    Parameters
    ----------
    visit, detector
        Which.
    output_run
        The RUN collection of the last run that was to associate it.
    """

    visit: int
    detector: int
    output_run: str


def find_left_images(workspace: Workspace, ledger: Ledger) -> tuple[LeftImage, ...]:
    """Find the images that the runs which the newest ones of difference imaging continue have left undone.

    Those that the campaign does not select any more, such as a visit that was excluded, are none of them, nor are
    those that had nothing to associate.

    Parameters
    ----------
    workspace
        The campaign.
    ledger
        What it has submitted.

    Raises
    ------
    LedgerError
        If the jobs of a run that counts cannot be read.
    RepositoryError
        If the repository cannot be read.
    ApdbError
        If the APDB cannot be read.
    """
    if ledger.chosen is not None:
        return ()
    current = ledger.current(Step.DIFFIM)
    apdb_config = find_filled_apdb(current)
    runs = [run for run in find_continued(ledger, Step.DIFFIM) if run.apdb_config == apdb_config is not None]
    older = [run for run in runs if run not in current]
    if not older:
        return ()
    with open_butler(older[0].butler, "what earlier runs have left undone cannot be found") as butler:
        done = read_succeeded(butler, [run.output_run for run in runs])
        left: dict[VisitDetector, RunRecord] = {}
        for run in older:  # the newest first
            for image in _read_planned(ledger, run, done) - left.keys():
                left[image] = run
        for run in current if left else ():
            for image in left.keys() & read_planned_jobs(run):
                del left[image]
        if not left:
            return ()
        # The nights may have been chosen when they were submitted, instead of in the campaign file.
        campaign = workspace.campaign.model_copy(update={"day_obs": None})
        (planned,) = plan_campaign(campaign, steps=[Step.DIFFIM])
        selected = set(select_raws(butler, planned, ("visit", "detector")))
    try:
        stored = read_stored(str(apdb_config))
    except UnsupportedApdbError:
        stored = frozenset()
    return tuple(
        LeftImage(visit=visit, detector=detector, output_run=run.output_run)
        for (visit, detector), run in sorted(left.items(), key=lambda item: item[0])
        if (visit, detector) in selected - stored
    )


def describe_left(images: Sequence[LeftImage]) -> str:
    """Say in a sentence what is left, and what goes on with it."""
    named = ", ".join(f"visit {each.visit} detector {each.detector}" for each in images[:_SHOWN])
    more = f" and {len(images) - _SHOWN} more" if len(images) > _SHOWN else ""
    return (
        f"{count(len(images), 'image')} of earlier runs not associated, and in no current run: {named}{more}; "
        "`apcampaign submit diffim --continue` goes on with them, 'where' excludes what will never succeed"
    )


def _read_planned(ledger: Ledger, run: RunRecord, done: frozenset[VisitDetector]) -> frozenset[VisitDetector]:
    """Read what a run was to associate that is not done; its jobs only if it was given any such image."""
    table = ledger.paths.run(run).data_ids
    if table.exists() and read_data_ids(table) <= done:
        return frozenset()
    try:
        return read_planned_jobs(run) - done
    except LedgerError as error:  # the results of the runs that count are known all the same
        _log.warning("what %s has left undone is not known: %s", run.output_run, error)
        return frozenset()
