"""Inspection of a repository for a campaign: collections as a tree, visits and patches as tables."""

__all__ = ["CollectionNode", "Coverage", "Inspection", "inspect_repository"]

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ...bps import CampaignConfig, Step
from ...common.html import html_lines, html_table
from ...monitor.outcomes import DIFFERENCE_IMAGE, TEMPLATE
from .repository import open_repository


@dataclass(frozen=True, kw_only=True)
class CollectionNode:
    """One collection.

    Parameters
    ----------
    name, kind
        Its name, and its type.
    dataset_types
        The dataset types that it holds; empty for a CHAINED collection.
    children
        Those of a CHAINED collection, in the order in which they are searched.
    """

    name: str
    kind: str
    dataset_types: tuple[str, ...]
    children: tuple["CollectionNode", ...]


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """How a tract is covered in one band.

    Parameters
    ----------
    tract, band
        The tract and the band.
    visits, raws
        The number of visits that overlap it, and of their (visit, detector)s with a raw.
    patches
        The number of patches that a raw overlaps.
    depth
        The smallest, the median and the largest number of visits on such a patch.
    templates, differences
        The number of templates, and of difference images of those visits, that the campaign has made already.
    """

    tract: int
    band: str
    visits: int
    raws: int
    patches: int
    depth: tuple[int, int, int]
    templates: int
    differences: int

    def describe_depth(self) -> str:
        """Say how many visits there are on a patch."""
        least, median, most = self.depth
        return f"{least} to {most}, median {median}"


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What a repository holds for a campaign.

    Parameters
    ----------
    butler
        The repository.
    instrument, skymap
        Those of the campaign.
    instruments, skymaps
        All that are registered.
    collections
        The campaign's inputs and outputs.
    coverage
        By tract and band.
    """

    butler: str
    instrument: str
    skymap: str
    instruments: tuple[str, ...]
    skymaps: tuple[str, ...]
    collections: tuple[CollectionNode, ...]
    coverage: tuple[Coverage, ...]

    def as_dict(self) -> dict[str, Any]:
        """Convert it to plain values, for JSON."""
        return asdict(self)

    def _repr_html_(self) -> str:
        """Draw it for a notebook: the collections, and visits and products by tract and band."""
        columns = (
            "tract",
            "band",
            "visits",
            "raws",
            "patches",
            "visits per patch",
            "templates",
            "differences",
        )
        rows = [
            (c.tract, c.band, c.visits, c.raws, c.patches, c.describe_depth(), c.templates, c.differences)
            for c in self.coverage
        ]
        title = f"{self.instrument} on the skymap {self.skymap}"
        names = ", ".join(f"{node.name} ({node.kind})" for node in self.collections)
        return html_lines([f"{self.butler}: {names}"]) + html_table(columns, rows, title)


def inspect_repository(campaign: CampaignConfig) -> Inspection:
    """Find out what a campaign's repository holds for it: of all tracts and bands, not only the campaign's.

    Parameters
    ----------
    campaign
        The campaign.

    Raises
    ------
    RepositoryError
        If the repository cannot be read.
    """
    with open_repository(campaign.butler) as butler:
        names = set(butler.collections.query("*"))
        outputs = [f"{campaign.root_collection}/{step}" for step in Step]
        wanted = dict.fromkeys([*campaign.input_collections, *outputs])
        inputs = [name for name in campaign.input_collections if name in names]
        return Inspection(
            butler=campaign.butler,
            instrument=campaign.instrument,
            skymap=campaign.skymap,
            instruments=_records(butler, "instrument"),
            skymaps=_records(butler, "skymap"),
            collections=tuple(_node(butler, name) for name in wanted if name in names),
            coverage=tuple(_coverage(butler, campaign, inputs, [name for name in outputs if name in names])),
        )


def _records(butler: Any, element: str) -> tuple[str, ...]:
    records = butler.query_dimension_records(element, explain=False, limit=None)
    return tuple(sorted(str(record.name) for record in records))


def _node(butler: Any, name: str) -> CollectionNode:
    info = butler.collections.get_info(name, include_summary=True)
    children = tuple(_node(butler, child) for child in info.children or ())
    return CollectionNode(
        name=name,
        kind=info.type.name,
        dataset_types=() if children else tuple(sorted(info.dataset_types or ())),
        children=children,
    )


def _coverage(
    butler: Any, campaign: CampaignConfig, inputs: Sequence[str], outputs: Sequence[str]
) -> list[Coverage]:
    """Count visits, raws and products by tract and band; nothing if there are no raws to count."""
    known = {*_records(butler, "instrument"), *_records(butler, "skymap")}
    has_raws = bool(list(butler.registry.queryDatasetTypes("raw")))
    if not inputs or not has_raws or not {campaign.instrument, campaign.skymap} <= known:
        return []
    names = ("instrument", "exposure", "visit", "detector", "skymap", "tract", "patch")
    raws: dict[tuple[int, str], set[tuple[int, int]]] = defaultdict(set)
    visits: dict[tuple[int, str], dict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
    with butler.query() as query:
        query = query.join_dataset_search("raw", list(inputs)).where(
            instrument=campaign.instrument, skymap=campaign.skymap
        )
        for row in query.data_ids(names):
            key = int(row["tract"]), str(row["band"])
            raws[key].add((row["visit"], row["detector"]))
            visits[key][row["patch"]].add(row["visit"])
    templates = _count(butler, TEMPLATE, outputs, ("tract", "band"))
    differences = _count(butler, DIFFERENCE_IMAGE, outputs, ("visit", "detector"))
    found = []
    for (tract, band), seen in sorted(raws.items()):
        counts = sorted(len(there) for there in visits[tract, band].values())
        found.append(
            Coverage(
                tract=tract,
                band=band,
                visits=len({visit for visit, _ in seen}),
                raws=len(seen),
                patches=len(counts),
                depth=(counts[0], counts[len(counts) // 2], counts[-1]),
                templates=templates[tract, band],
                differences=sum(key in differences for key in seen),
            )
        )
    return found


def _count(
    butler: Any, name: str, collections: Sequence[str], keys: Sequence[str]
) -> Counter[tuple[Any, ...]]:
    """Count the datasets of a type by some of their dimensions."""
    from lsst.daf.butler import ButlerUserError

    if not collections:
        return Counter()
    try:
        refs = butler.query_datasets(name, collections=list(collections), limit=None, explain=False)
    except ButlerUserError:
        return Counter()
    return Counter(tuple(ref.dataId[key] for key in keys) for ref in refs)
