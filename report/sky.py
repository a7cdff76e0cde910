"""Sky of a campaign, read from its repository: patches, templates, science visits."""

__all__ = ["Sky", "find_raws", "read_sky"]

import contextlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..apdb import ImageCounts
from ..bps import CampaignConfig, PlannedRun, Step
from ..common.butler import open_butler, query_visits
from ..common.errors import LedgerError
from ..ledger import RunRecord, Workspace, newest_of
from ..monitor.outcomes import DIFFERENCE_IMAGE, TEMPLATE
from ..monitor.submitted import read_planned_run, read_submitted_campaign
from .sky_model import Corner, Patch, Template, TemplateState, VisitRow

_RAW = ("instrument", "exposure", "visit", "detector")
_PATCH = ("skymap", "tract", "patch")


@dataclass(frozen=True)
class Sky:
    """What is processed.

    Parameters
    ----------
    patches, templates, visits
        As a report has them.
    exposed
        In how many of the visits each detector has a raw image that is selected.
    """

    patches: tuple[Patch, ...] = ()
    templates: tuple[Template, ...] = ()
    visits: tuple[VisitRow, ...] = ()
    exposed: Mapping[int, int] = field(default_factory=dict)

    def visits_with(self, counts: Mapping[int, ImageCounts]) -> tuple[VisitRow, ...]:
        """Give the visits with their numbers of DiaSources."""
        if not counts:
            return self.visits
        found = [(visit, counts.get(visit.visit, ImageCounts())) for visit in self.visits]
        return tuple(replace(visit, dia_sources=each.sources, new_sources=each.new) for visit, each in found)


def read_sky(
    workspace: Workspace,
    records: Sequence[RunRecord],
    *,
    ended: Collection[Step],
    earlier: Sequence[RunRecord] = (),
) -> Sky:
    """Ask a repository for the sky of a campaign's runs.

    Parameters
    ----------
    workspace
        The campaign.
    records
        Its current runs, at least one.
    ended
        The steps that have: a template that is not there is then missing.
    earlier
        Runs that filled the same APDB before: of other visits, where the campaign has gone on night after night.

    Raises
    ------
    LedgerError
        If the files of a run cannot be read.
    RepositoryError
        If the repository cannot be read.

    Notes
    -----
    The depth of a template is the number of visits whose raw images touch its patch, which is known before the
    first job has run; the selection of visits may take fewer.
    """
    newest = newest_of(records)
    campaign = read_submitted_campaign(workspace, newest)
    runs = [read_planned_run(workspace, record) for record in records]
    making = [run for run in runs if run.step is Step.TEMPLATES]
    subtracting = [run for run in runs if run.step is Step.DIFFIM]
    queries = {run.query for run in subtracting}
    templates: tuple[Template, ...] = ()
    patches: tuple[Patch, ...] = ()
    with open_butler(newest.butler, f"the sky of campaign {campaign.name} cannot be read") as butler:
        if making:
            templates = _find_templates(butler, making, ended=Step.TEMPLATES in ended)
            patches = _find_patches(butler, campaign.skymap, templates)
        subtracting += [run for run in _list_runs(workspace, earlier) if run.query not in queries]
        visits, exposed = _find_visits(butler, campaign, subtracting or making)
    return Sky(patches, templates, visits, exposed)


def _list_runs(workspace: Workspace, records: Iterable[RunRecord]) -> list[PlannedRun]:
    """Read what runs were planned as, one for each data query; those whose files are gone are left out."""
    found = {}
    for record in records:
        with contextlib.suppress(LedgerError):
            run = read_planned_run(workspace, record)
            found[run.query] = run
    return list(found.values())


def find_raws(butler: Any, runs: Iterable[PlannedRun], more: Sequence[str]) -> Iterator[Any]:
    """Find the data ids of the raw images that runs select."""
    for run in runs:
        collections = run.inputs[1:] if run.needs_templates else run.inputs
        with butler.query() as query:
            found = query.join_dataset_search("raw", list(collections))
            yield from found.where(run.query).data_ids((*_RAW, *more))


def _find_outputs(butler: Any, name: str, runs: Iterable[PlannedRun]) -> Iterator[Any]:
    """Find the datasets of a type in the outputs of runs, each once."""
    from lsst.daf.butler import MissingCollectionError, MissingDatasetTypeError

    for output in dict.fromkeys(run.output for run in runs):
        try:
            yield from butler.query_datasets(name, collections=output, limit=None, explain=False)
        except (MissingCollectionError, MissingDatasetTypeError):
            continue  # the repository knows nothing of the run's outputs yet


def _find_templates(butler: Any, runs: Sequence[PlannedRun], *, ended: bool) -> tuple[Template, ...]:
    depth: dict[tuple[int, int, str], set[int]] = defaultdict(set)
    for row in find_raws(butler, runs, _PATCH):
        depth[int(row["tract"]), int(row["patch"]), str(row["band"])].add(int(row["visit"]))
    made = {
        (int(ref.dataId["tract"]), int(ref.dataId["patch"]), str(ref.dataId["band"]))
        for ref in _find_outputs(butler, TEMPLATE, runs)
    }
    absent = TemplateState.MISSING if ended else TemplateState.WAITING
    return tuple(
        Template(*key, TemplateState.MADE if key in made else absent, len(depth.get(key, ())))
        for key in sorted(depth.keys() | made)
    )


def _find_patches(butler: Any, skymap: str, templates: Collection[Template]) -> tuple[Patch, ...]:
    wanted = {(each.tract, each.patch) for each in templates}
    found = []
    for tract in sorted({tract for tract, _ in wanted}):
        for record in butler.query_dimension_records(
            "patch", skymap=skymap, tract=tract, limit=None, explain=False
        ):
            patch = int(record.dataId["patch"])
            if (tract, patch) in wanted:
                found.append(Patch(tract, patch, _corners(record.region)))
    return tuple(found)


def _corners(region: Any) -> tuple[Corner, ...]:
    from lsst.sphgeom import LonLat

    points = [LonLat(vertex) for vertex in region.getVertices()]
    return tuple((point.getLon().asDegrees(), point.getLat().asDegrees()) for point in points)


def _find_visits(
    butler: Any, campaign: CampaignConfig, runs: Sequence[PlannedRun]
) -> tuple[tuple[VisitRow, ...], Mapping[int, int]]:
    detectors: dict[tuple[int, str], set[int]] = defaultdict(set)
    # A data query that the user has written may not speak of the sky at all.
    written = any(getattr(campaign, run.step).data_query for run in runs)
    for row in find_raws(butler, runs, () if written else _PATCH):
        detectors[int(row["visit"]), str(row["band"])].add(int(row["detector"]))
    begins: dict[int, float] = {}
    nights: dict[int, int] = {}
    for visit in query_visits(butler, "visit", campaign.instrument, {visit for visit, _ in detectors}):
        nights[int(visit.id)] = int(visit.day_obs)
        if visit.timespan is not None and visit.timespan.begin is not None:
            begins[int(visit.id)] = float(visit.timespan.begin.tai.mjd)
    differences = Counter(int(ref.dataId["visit"]) for ref in _find_outputs(butler, DIFFERENCE_IMAGE, runs))
    rows = [
        VisitRow(
            visit=visit,
            band=band,
            mjd=begins.get(visit),
            night=nights.get(visit),
            detectors=len(there),
            differences=differences[visit],
        )
        for (visit, band), there in detectors.items()
    ]
    exposed = Counter(detector for there in detectors.values() for detector in there)
    return tuple(sorted(rows, key=lambda row: (row.mjd or 0, row.visit))), exposed
