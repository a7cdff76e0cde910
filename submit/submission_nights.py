"""Reading of what is new of a campaign that goes on: from the repository, the APDB, and its earlier runs."""

__all__ = ["read_new_images"]

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ..bps import NightSelection, Ordering, Step, plan_campaign
from ..common.butler import open_butler
from ..ledger import Ledger, RunRecord, Workspace, has_graph
from ..monitor.outcomes import count_quanta, read_unregistered
from ..ordering import (
    WRITER,
    VisitDetector,
    find_late,
    find_stored,
    read_associations,
    read_planned,
    read_records,
)
from .completed import find_continued
from .data_ids import read_data_ids, select_raws
from .new_images import KnownImages, NewImages, sort_images
from .repair import Repair


def read_new_images(
    workspace: Workspace, ledger: Ledger, repair: Repair, asked: NightSelection | None, apdb_config: str
) -> NewImages:
    """Find out what of a campaign, none of which is active, is not associated yet. Changes nothing.

    Parameters
    ----------
    workspace, ledger
        The campaign, and what it has submitted.
    repair
        What is put right before it goes on.
    asked
        The nights to go on with, besides those that earlier runs have left something of; `None` for what the
        campaign selects.
    apdb_config
        The APDB that it fills.

    Raises
    ------
    SettingsError
        If the data query cannot be limited to nights.
    RepositoryError
        If the repository, or a graph of an earlier run, cannot be read.
    ApdbError
        If the APDB cannot be read.
    """
    campaign = workspace.campaign
    runs = tuple(find_continued(ledger, Step.DIFFIM))
    planned = {run.output_run: _read_planned(run) for run in runs if run.apdb_config == apdb_config}
    given = {run.output_run: _read_given(ledger, run) for run in runs}
    now = [run.output_run for run in ledger.current(Step.DIFFIM)]
    undone = _has_undone(ledger, repair)
    with open_butler(campaign.butler, f"what is new in {campaign.butler} cannot be found") as butler:
        done = find_stored(apdb_config) | _read_succeeded(butler, planned)
        done |= {image for run in repair.unregistered for image in read_unregistered(run).associated}
        done -= frozenset(repair.rollbacks)
        left = _join(planned.values()) - done
        last = (
            _join(each.get(name, frozenset()) for name in now for each in (planned, given))
            if undone
            else left
        )
        night_of = {
            int(record.id): int(record.day_obs)
            for record in read_records(
                butler, "visit", campaign.instrument, {visit for visit, _ in left | last}
            )
        }
        if asked is not None:
            campaign = asked.add(night_of.values()).select(campaign)
        (run,) = plan_campaign(campaign, steps=[Step.DIFFIM])
        rows = select_raws(butler, run, ("visit", "detector", "day_obs"))
        known = KnownImages(
            nights={(int(visit), int(detector)): int(night) for visit, detector, night in rows},
            given=_join(given.values()),
            planned=_join(planned.values()),
            done=done,
        )
        carried = (
            frozenset(night_of[visit] for visit, _ in last if visit in night_of) if undone else frozenset()
        )
        new = NewImages(images=sort_images(known), asked=asked, undone=undone, carried=carried)
        if campaign.diffim.ordering is Ordering.NONE:
            return new
        return replace(new, late=find_late(butler, campaign.instrument, new.pending, done))


def _join(images: Iterable[frozenset[VisitDetector]]) -> frozenset[VisitDetector]:
    return frozenset().union(*images)


def _has_undone(ledger: Ledger, repair: Repair) -> bool:
    """Tell whether the newest runs have quanta that are not done, whether or not the repository knows of it."""
    if ledger.absent_parts(Step.DIFFIM):
        return True
    return any(
        not each.good
        for run in ledger.current(Step.DIFFIM)
        for each in (
            read_unregistered(run).counts if run in repair.unregistered else count_quanta([run])
        ).values()
    )


def _read_planned(run: RunRecord) -> frozenset[VisitDetector]:
    return read_planned(run.graph) if has_graph(run) else read_associations([run]).planned


def _read_given(ledger: Ledger, run: RunRecord) -> frozenset[VisitDetector]:
    """Read which images a run was given, if its graph was built of a table of them."""
    file = ledger.paths.run(run).data_ids
    return read_data_ids(file) if file.exists() else frozenset()


def _read_succeeded(butler: Any, runs: Iterable[str]) -> frozenset[VisitDetector]:
    """Read which associations the repository knows as done."""
    from lsst.daf.butler import MissingDatasetTypeError

    known = set(butler.collections.query("*"))
    collections = [run for run in runs if run in known]
    if not collections:
        return frozenset()
    try:
        refs = butler.query_datasets(
            f"{WRITER}_metadata", collections, limit=None, explain=False, find_first=False
        )
    except MissingDatasetTypeError:
        return frozenset()
    return frozenset((int(ref.dataId["visit"]), int(ref.dataId["detector"])) for ref in refs)
