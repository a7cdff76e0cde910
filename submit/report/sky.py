"""The sky of a campaign, as its repository knows it: patches, templates, science visits."""

__all__ = ["Sky", "read_sky"]

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...bps import Campaign, Step, build_query
from ..gate import TEMPLATE
from ..ledger import RunRecord
from .model import Corner, Patch, Template, TemplateState, VisitRow

_RAW = ("instrument", "exposure", "visit", "detector")


@dataclass(frozen=True)
class Sky:
    """What is processed.

    Parameters
    ----------
    patches, templates, visits
        As a report has them.
    """

    patches: tuple[Patch, ...] = ()
    templates: tuple[Template, ...] = ()
    visits: tuple[VisitRow, ...] = ()

    def visits_with(self, dia_sources: Mapping[int, int] | None) -> tuple[VisitRow, ...]:
        """Give the visits with their numbers of DiaSources."""
        if not dia_sources:
            return self.visits
        return tuple(replace(visit, dia_sources=dia_sources.get(visit.visit, 0)) for visit in self.visits)


def read_sky(campaign: Campaign, records: Collection[RunRecord], *, ended: Collection[Step]) -> Sky:
    """Ask a repository for the sky of a campaign's runs.

    Parameters
    ----------
    campaign
        The campaign.
    records
        Its runs.
    ended
        The steps that have: a template that is not there is then missing.

    Notes
    -----
    The depth of a template is the number of visits whose raw images touch its patch, which is known before the
    first job has run; the selection of visits may take fewer.
    """
    from lsst.daf.butler import Butler

    by_step = {record.step: record for record in records}
    templates: tuple[Template, ...] = ()
    patches: tuple[Patch, ...] = ()
    visits: tuple[VisitRow, ...] = ()
    with Butler.from_config(campaign.butler) as butler:
        if Step.TEMPLATES in by_step:
            templates = _templates(butler, campaign, by_step[Step.TEMPLATES], ended=Step.TEMPLATES in ended)
            patches = _patches(butler, campaign.skymap, templates)
        newest = by_step.get(Step.DIFFIM) or by_step[Step.TEMPLATES]
        visits = _visits(butler, campaign, newest)
    return Sky(patches, templates, visits)


def _raw_collections(campaign: Campaign, step: Step) -> Sequence[str]:
    return getattr(campaign, step).input_collections or campaign.input_collections


def _rows(butler: Any, campaign: Campaign, step: Step, more: Sequence[str]) -> Any:
    with butler.query() as query:
        found = query.join_dataset_search("raw", list(_raw_collections(campaign, step)))
        yield from found.where(build_query(campaign, step)).data_ids((*_RAW, *more))


def _find(butler: Any, name: str, collection: str) -> list[Any]:
    from lsst.daf.butler import MissingCollectionError, MissingDatasetTypeError

    try:
        return list(butler.query_datasets(name, collections=collection, limit=None, explain=False))
    except (MissingCollectionError, MissingDatasetTypeError):
        return []  # its run has told the repository nothing yet


def _templates(butler: Any, campaign: Campaign, record: RunRecord, *, ended: bool) -> tuple[Template, ...]:
    depth: dict[tuple[int, int, str], set[int]] = defaultdict(set)
    for row in _rows(butler, campaign, Step.TEMPLATES, ("skymap", "tract", "patch")):
        depth[int(row["tract"]), int(row["patch"]), str(row["band"])].add(int(row["visit"]))
    made = {
        (int(ref.dataId["tract"]), int(ref.dataId["patch"]), str(ref.dataId["band"]))
        for ref in _find(butler, TEMPLATE, record.output)
    }
    absent = TemplateState.MISSING if ended else TemplateState.WAITING
    return tuple(
        Template(*key, TemplateState.MADE if key in made else absent, len(depth.get(key, ())))
        for key in sorted(depth.keys() | made)
    )


def _patches(butler: Any, skymap: str, templates: Collection[Template]) -> tuple[Patch, ...]:
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


def _visits(butler: Any, campaign: Campaign, record: RunRecord) -> tuple[VisitRow, ...]:
    detectors: dict[tuple[int, str], set[int]] = defaultdict(set)
    more = () if campaign.diffim.data_query else ("skymap", "tract", "patch")
    for row in _rows(butler, campaign, record.step, more):
        detectors[int(row["visit"]), str(row["band"])].add(int(row["detector"]))
    begins: dict[int, float] = {}
    numbers = sorted(visit for visit, _ in detectors)
    for start in range(0, len(numbers), 1000):  # an SQL statement has a longest length
        chunk = ", ".join(map(str, numbers[start : start + 1000]))
        where = f"instrument='{campaign.instrument}' AND visit IN ({chunk})"
        for visit in butler.query_dimension_records("visit", where=where, limit=None, explain=False):
            if visit.timespan is not None and visit.timespan.begin is not None:
                begins[int(visit.id)] = float(visit.timespan.begin.tai.mjd)
    differences = Counter(
        int(ref.dataId["visit"]) for ref in _find(butler, "difference_image", record.output)
    )
    rows = [
        VisitRow(
            visit=visit,
            band=band,
            mjd=begins.get(visit),
            detectors=len(there),
            differences=differences[visit],
        )
        for (visit, band), there in detectors.items()
    ]
    return tuple(sorted(rows, key=lambda row: (row.mjd or 0, row.visit)))
