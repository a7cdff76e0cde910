"""What runs of before were to do, and neither they nor a newer run has: images, and what comes after them."""

__all__ = ["LeftBehind", "LeftImage", "find_left"]

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...apdb import read_stored
from ...bps import Stage, Step, plan_campaign
from ...common.butler import open_butler
from ...common.errors import LedgerError, UnsupportedApdbError
from ...common.text import count
from ...ledger import Ledger, RunRecord, Workspace, find_continued
from ...ordering import (
    VisitDetector,
    find_made,
    read_data_ids,
    read_planned_jobs,
    read_succeeded,
    select_raws,
)
from ..submitted import find_filled_apdb
from .left_quanta import LeftQuantum, find_left_quanta

_SHOWN = 5
_IMAGE = ("visit", "detector")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, order=True)
class LeftImage:
    """A (visit, detector) that is not associated, and that no run which counts is to associate.

    Parameters
    ----------
    visit, detector
        Which.
    output_run
        The RUN collection of the last run that was to associate it, or of the part that has made it.
    """

    visit: int
    detector: int
    output_run: str


@dataclass(frozen=True, kw_only=True)
class LeftBehind:
    """What earlier runs have left undone; false if that is nothing.

    Parameters
    ----------
    images
        The images that are not associated, and that none of the runs that count is to associate.
    quanta
        The quanta of other visits, such as metrics and tables of a visit, that are in none of these either.
    """

    images: tuple[LeftImage, ...] = ()
    quanta: tuple[LeftQuantum, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.images or self.quanta)

    def describe(self) -> str:
        """Say in a sentence what is left, and what goes on with it."""
        return (
            f"{', and '.join(self._list())}; `apcampaign submit diffim --continue` goes on with them, 'where' "
            "excludes what will never succeed"
        )

    def _list(self) -> Iterator[str]:
        if self.images:
            named = [f"visit {each.visit} detector {each.detector}" for each in self.images]
            yield f"{count(len(named), 'image')} not associated, and in no current association: {_shorten(named)}"
        if self.quanta:
            labels = Counter(each.label for each in self.quanta)
            named = [f"{number} {label}" for label, number in labels.items()]
            visits = _shorten([f"visit {visit}" for visit in sorted({each.visit for each in self.quanta})])
            yield (
                f"{count(len(self.quanta), 'quantum')} of earlier runs not done, and in no current run: "
                f"{_shorten(named)} ({visits})"
            )


def find_left(workspace: Workspace, ledger: Ledger) -> LeftBehind:
    """Find what the runs which the newest ones of difference imaging continue have left undone.

    So are images that parts have made and that no association knows, once no part of it is to come.

    What the campaign does not select any more, such as a visit that was excluded, is no part of it, nor are images
    that had nothing to associate.

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
        If the repository, or the graph of a run, cannot be read.
    ApdbError
        If the APDB cannot be read.
    """
    if ledger.chosen is not None:
        return LeftBehind()
    current = ledger.current(Step.DIFFIM)
    apdb_config = find_filled_apdb(current)
    runs = [run for run in find_continued(ledger, Step.DIFFIM) if run.apdb_config == apdb_config is not None]
    older = [run for run in runs if run not in current]
    parts = [run for run in current if apdb_config is not None and run.stage is Stage.IMAGES]
    if ledger.absent_parts(Step.DIFFIM):
        parts = []  # those that are to come take what is made
    if not older and not parts:
        return LeftBehind()
    with open_butler(current[0].butler, "what earlier runs have left undone cannot be found") as butler:
        left = _find_planned(butler, ledger, runs, current) if older else {}
        quanta = find_left_quanta(butler, runs, current) if older else ()
        left = {**left, **_find_made(butler, ledger.same_apdb(str(apdb_config)), current, parts)}
        if not left and not quanta:
            return LeftBehind()
        # The nights may have been chosen when they were submitted, instead of in the campaign file.
        campaign = workspace.campaign.model_copy(update={"day_obs": None})
        (planned,) = plan_campaign(campaign, steps=[Step.DIFFIM])
        planned = replace(planned, part=parts[0].part if parts else "")  # which have the same images
        selected = {(int(visit), int(detector)) for visit, detector in select_raws(butler, planned, _IMAGE)}
    try:
        stored = read_stored(str(apdb_config)) if left else frozenset()
    except UnsupportedApdbError:
        stored = frozenset()
    images = tuple(
        LeftImage(visit=visit, detector=detector, output_run=run.output_run)
        for (visit, detector), run in sorted(left.items(), key=lambda item: item[0])
        if (visit, detector) in selected - stored
    )
    # The rest of a visit of which an image is left comes after that.
    visits = {visit for visit, _ in selected} - {image.visit for image in images}
    return LeftBehind(images=images, quanta=tuple(each for each in quanta if each.visit in visits))


def _find_planned(
    butler: Any, ledger: Ledger, runs: list[RunRecord], current: tuple[RunRecord, ...]
) -> Mapping[VisitDetector, RunRecord]:
    """Find the images that earlier runs were to associate and have not, each with the last of these runs."""
    done = read_succeeded(butler, [run.output_run for run in runs])
    left: dict[VisitDetector, RunRecord] = {}
    for run in runs:  # the newest first
        for image in () if run in current else _read_planned(ledger, run, done) - left.keys():
            left[image] = run
    for run in current if left else ():
        for image in left.keys() & read_planned_jobs(run):
            del left[image]
    return left


def _find_made(
    butler: Any, filling: Sequence[RunRecord], current: Sequence[RunRecord], parts: Sequence[RunRecord]
) -> dict[VisitDetector, RunRecord]:
    """Find the images that parts have made and no run has associated or is to associate, each with that part."""
    left = set(find_made(butler, parts)) if parts else set()
    if left:
        left -= read_succeeded(butler, [run.output_run for run in filling])
    for run in filling:
        if left and run in current:
            left -= read_planned_jobs(run)
    return {image: run for run in (parts if left else ()) for image in left & find_made(butler, [run])}


def _shorten(named: list[str]) -> str:
    more = f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
    return f"{', '.join(named[:_SHOWN])}{more}"


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
