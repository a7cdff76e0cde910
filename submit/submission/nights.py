"""Reading of what is new of a campaign that goes on: from the repository, the APDB, and its earlier runs."""

__all__ = ["read_new_images"]

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from ...bps import NightSelection, Ordering, Step, plan_campaign
from ...common.butler import open_butler
from ...ledger import Ledger, RunRecord, Workspace, find_continued, has_graph
from ...monitor.outcomes import FAILED, count_quanta, find_left_quanta, read_outcomes, read_unregistered
from ...ordering import (
    VisitDetector,
    find_late,
    find_made,
    find_stored,
    read_associations,
    read_data_ids,
    read_planned,
    read_succeeded,
    select_raws,
)
from ..outputs.repair import Repair
from .new_images import KnownImages, NewImages, sort_images


def read_new_images(
    workspace: Workspace,
    ledger: Ledger,
    repair: Repair,
    asked: NightSelection | None,
    apdb_config: str,
    *,
    skip_late: bool = False,
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
    skip_late
        Whether new images that come too late are left out.

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
    filling = [run for run in runs if run.apdb_config == apdb_config]
    given = {run.output_run: _read_given(ledger, run) for run in runs}
    planned: dict[str, frozenset[VisitDetector]] = {}
    with open_butler(campaign.butler, f"what is new in {campaign.butler} cannot be found") as butler:
        done = find_stored(apdb_config) | read_succeeded(butler, [run.output_run for run in filling])
        done |= {image for run in repair.unregistered for image in read_unregistered(run).associated}
        done -= frozenset(repair.rollbacks)
        for run in filling:
            # The graph of a run of which nothing is left need not be read.
            if not given[run.output_run] or given[run.output_run] - done:
                planned[run.output_run] = _read_planned(run)
        known = {name: images | planned.get(name, frozenset()) for name, images in given.items()}
        # What runs before the newest have left undone after the association of an image.
        visits = {quantum.visit for quantum in find_left_quanta(butler, filling, ledger.current(Step.DIFFIM))}
        undone = _find_undone(ledger, repair, known) | _choose(_join(known.values()), visits)
        # An association that was planned before a part had made them does not have them.
        undone |= find_made(butler, runs) - done
        left = (_join(planned.values()) - done) | undone
        if asked is not None:
            campaign = asked.add_visits(visit for visit, _ in left).select(campaign)
        (selecting,) = plan_campaign(campaign, steps=[Step.DIFFIM])
        rows = select_raws(butler, selecting, ("visit", "detector", "day_obs"))
        images = KnownImages(
            nights={(int(visit), int(detector)): int(night) for visit, detector, night in rows},
            runs=_count_runs(runs, known),
            planned=_join(planned.values()),
            done=done,
            undone=undone,
        )
        new = NewImages(images=sort_images(images), asked=asked, skip_late=skip_late)
        if campaign.diffim.ordering is Ordering.NONE:
            return new
        return replace(new, late=find_late(butler, campaign.instrument, new.pending - done, done))


def _choose(images: Iterable[VisitDetector], visits: Collection[int]) -> frozenset[VisitDetector]:
    """Choose the images of some visits."""
    return frozenset(image for image in images if image[0] in visits)


def _join(images: Iterable[frozenset[VisitDetector]]) -> frozenset[VisitDetector]:
    return frozenset().union(*images)


def _count_runs(
    runs: Iterable[RunRecord], images: Mapping[str, frozenset[VisitDetector]]
) -> Counter[VisitDetector]:
    """Count to how many runs each image was given; the parts of a run are one."""
    together: dict[str, frozenset[VisitDetector]] = {}
    for run in runs:
        together[run.timestamp] = together.get(run.timestamp, frozenset()) | images[run.output_run]
    return Counter(image for found in together.values() for image in found)


def _find_undone(
    ledger: Ledger, repair: Repair, images: Mapping[str, frozenset[VisitDetector]]
) -> frozenset[VisitDetector]:
    """Find the images of which the newest runs have quanta that are not done.

    Parameters
    ----------
    ledger, repair
        As for `read_new_images`.
    images
        The images that each run was given.
    """
    runs = ledger.current(Step.DIFFIM)
    if ledger.absent_parts(Step.DIFFIM):
        return _join(images.get(run.output_run, frozenset()) for run in runs)
    found: set[VisitDetector] = set()
    for run in runs:
        unregistered = run in repair.unregistered
        counts = (read_unregistered(run).counts if unregistered else count_quanta([run])).values()
        own = images.get(run.output_run, frozenset())
        if all(each.good for each in counts):
            continue
        if unregistered or not has_graph(run) or any(each.unknown for each in counts):
            found |= own  # nobody has noted which
            continue
        failed = [each.data_id for each in read_outcomes(run).troubles if each.why == FAILED]
        visits = {int(each.get("visit", each.get("exposure", 0))) for each in failed}
        found |= _choose(own, visits)
    return frozenset(found)


def _read_planned(run: RunRecord) -> frozenset[VisitDetector]:
    return read_planned(run.graph) if has_graph(run) else read_associations([run]).planned


def _read_given(ledger: Ledger, run: RunRecord) -> frozenset[VisitDetector]:
    """Read which images a run was given, if its graph was built of a table of them."""
    file = ledger.paths.run(run).data_ids
    return read_data_ids(file) if file.exists() else frozenset()
