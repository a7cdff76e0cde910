"""Jobs of a simulated campaign: a dithered survey, the jobs of both steps on it, and what waits for what."""

__all__ = ["Jobs", "Kind", "Sky", "make_jobs", "make_shapes", "read_kinds"]

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dc2_survey
import numpy as np
import yaml
from apcampaign.bps import Plan, Stage, Step
from apcampaign.bps.shape import StepShape, VisitOnSky, assign_stages
from apcampaign.ordering import READER, WRITER
from apcampaign.ordering.edges import overlap_edges
from apcampaign.ordering.footprints import find_pixels
from apcampaign.pipelines import find_pipeline
from apcampaign.sandbox.create import PACKAGES, STORAGE_CLASSES
from apcampaign.submit.forecast.costs import Costs
from apcampaign.submit.parts.shapes import list_tasks

_BANDS = "ugrizy"

_ROOT = Path(__file__).parents[1]


#: What jobs of these dimensions are of: visit and detector, patch and visit, patch and band, visit.
_OF = (
    ({"visit", "detector"}, "VD"),
    ({"visit", "patch"}, "PV"),
    ({"patch", "band"}, "PB"),
    ({"visit"}, "V"),
)


class Sky:
    """Visits and the patches under them, as tables of pairs; a tract is 1.6 degrees wide and high."""

    def __init__(self, visits: int, area: float) -> None:
        half = np.sqrt(area) / 2
        dc2_survey.RA, dc2_survey.DEC = (60 - half / 0.8, 60 + half / 0.8), (-36 - half, -36 + half)
        corners = dc2_survey.make_survey(visits)
        self.visits, self.detectors = corners.shape[:2]
        self.band = np.arange(visits) // 20 % len(_BANDS)
        self.regions = dc2_survey.regions_of(corners.reshape(-1, 4, 3))
        grid = np.linspace(0, 1, 3)
        points = [
            (1 - y) * ((1 - x) * corners[:, :, 0] + x * corners[:, :, 1])
            + y * ((1 - x) * corners[:, :, 3] + x * corners[:, :, 2])
            for x in grid
            for y in grid
        ]
        each = np.stack(points, axis=2).reshape(-1, 3)
        dec = np.degrees(np.arcsin(each[:, 2] / np.linalg.norm(each, axis=1))) + 90
        side = 11 / 7
        row = np.floor(dec / side)
        ra = (
            np.degrees(np.arctan2(each[:, 1], each[:, 0])) % 360 * np.cos(np.radians((row + 0.5) * side - 90))
        )
        column = np.floor(ra / side)
        patch = np.floor(dec / side % 1 * 7) * 7 + np.floor(ra / side % 1 * 7)
        name = ((row * 1000 + column) * 49 + patch).astype(np.int64)
        images = np.repeat(np.arange(self.visits * self.detectors), len(points))
        self.names, found = np.unique(name, return_inverse=True)
        pairs = np.unique(images * len(self.names) + found)
        #: Each (visit, detector) with each patch under it.
        self.image, self.patch = np.divmod(pairs, len(self.names))
        visit = self.image // self.detectors
        self.warps, self.warp = np.unique(visit * len(self.names) + self.patch, return_inverse=True)
        key = self.patch * len(_BANDS) + self.band[visit]
        self.coadds, self.coadd = np.unique(key, return_inverse=True)
        warp_visit, warp_patch = np.divmod(self.warps, len(self.names))
        self.warp_visit, self.warp_patch = warp_visit, warp_patch
        self.warp_coadd = np.searchsorted(self.coadds, warp_patch * len(_BANDS) + self.band[warp_visit])

    def count(self, kind: str) -> int:
        return {
            "VD": self.visits * self.detectors,
            "V": self.visits,
            "PV": len(self.warps),
            "PB": len(self.coadds),
        }[kind]

    def pairs(self, before: str, after: str) -> tuple[Any, Any]:
        """Give the jobs of one kind and those of another that wait for them."""
        if before == after:
            return (np.arange(self.count(before)),) * 2
        images = np.arange(self.visits * self.detectors)
        tables = {
            ("VD", "V"): (images, images // self.detectors),
            ("V", "PV"): (self.warp_visit, np.arange(len(self.warps))),
            ("VD", "PV"): (self.image, self.warp),
            ("PV", "PB"): (np.arange(len(self.warps)), self.warp_coadd),
            ("V", "PB"): (self.warp_visit, self.warp_coadd),
            ("VD", "PB"): (self.image, self.coadd),
            ("PB", "VD"): (self.coadd, self.image),
        }
        if (before, after) not in tables:
            after_, before_ = tables[after, before]
            return before_, after_
        return tables[before, after]

    def patch_name(self, place: int) -> tuple[int, int]:
        return tuple(int(each) for each in divmod(self.names[place], 49))  # type: ignore[return-value]


@dataclass
class Kind:
    """Jobs of a label: one for each data ID."""

    step: Step
    stage: Stage
    of: str
    tasks: list[str]
    seconds: float
    inputs: set[str] = field(default_factory=set)
    outputs: set[str] = field(default_factory=set)
    first: int = 0


def read_kinds(factor: float, overhead: float) -> list[Kind]:
    """Read the jobs of both pipelines, in an order in which they can run."""
    from lsst.daf.butler import DatasetType, DimensionUniverse
    from lsst.pipe.base import Pipeline

    os.environ.update({**PACKAGES, "DAF_BUTLER_CONFIG_PATH": STORAGE_CLASSES})
    costs = Costs()
    kinds: list[Kind] = []
    made: set[str] = set()
    for step, file in ((Step.TEMPLATES, "ApTemplate-DC2.yaml"), (Step.DIFFIM, "ApPipe-DC2.yaml")):
        pipeline = Pipeline.from_uri(find_pipeline(file))
        if step is Step.DIFFIM:
            pipeline.addConfigOverride("parameters", "apdb_config", "none")
        graph = pipeline.to_graph()
        universe = DimensionUniverse()
        catalogue = DatasetType("cal_ref_cat_2_2", {"htm7"}, "SimpleCatalog", universe=universe)
        graph.resolve(dimensions=universe, dataset_types={catalogue.name: catalogue})
        tasks = {task.label: task for task in list_tasks(graph)}
        stages = assign_stages(step, list(tasks.values()), (READER, WRITER))
        clusters: dict[str, Any] = {}
        for name in (step, *(["diffim-edges"] if step is Step.DIFFIM else [])):
            clusters |= yaml.safe_load((_ROOT / f"bps/steps/{name}.yaml").read_text())["cluster"]
        cluster_of = {task: name for name, each in clusters.items() for task in each["pipetasks"].split(",")}
        found: dict[tuple[Stage, str], Kind] = {}
        for stage, labels in stages.items():
            for label in labels:
                if step is Step.DIFFIM and label in made:
                    continue  # taken over
                names = {{"exposure": "visit", "group": "visit"}.get(n, n) for n in tasks[label].dimensions}
                key = stage, cluster_of.get(label, label)
                of = next(kind for needed, kind in _OF if needed <= names)
                kind = found.setdefault(key, Kind(step, stage, of, [], overhead * factor))
                kind.tasks.append(label)
                kind.seconds += costs.of(label).seconds * factor
                kind.inputs |= tasks[label].inputs
                kind.outputs |= tasks[label].outputs
                if step is Step.TEMPLATES:
                    made.add(label)
        kinds += found.values()
    return kinds


@dataclass
class Jobs:
    """All jobs of a campaign, numbered."""

    kinds: list[Kind]
    durations: Any
    before: Any
    after: Any

    def owners(self, sky: Sky, plan: Plan) -> Any:
        """Tell for each job the place of its run in the plan."""
        owner = np.full(len(self.durations), -1)
        names = {sky.patch_name(place): place for place in range(len(sky.names))}
        for place, run in enumerate(plan):
            visits = np.ones(sky.visits, dtype=bool)
            patches = np.ones(len(sky.names), dtype=bool)
            if found := re.search(r"visit IN \(([\d, ]+)\)", run.query):
                visits[:] = False
                visits[[int(word) for word in found[1].split(", ")]] = True
            if run.stage is Stage.COADDS:
                patches[:] = False
                for tract, listed in re.findall(r"tract = (\d+) AND patch IN \(([\d, ]+)\)", run.query):
                    patches[[names[int(tract), int(word)] for word in listed.split(", ")]] = True
            for kind in self.kinds:
                if kind.step is not run.step or run.stage not in (None, kind.stage):
                    continue
                mine = {
                    "VD": np.repeat(visits, sky.detectors),
                    "V": visits,
                    "PV": patches[sky.warp_patch] & visits[sky.warp_visit],
                    "PB": patches[sky.coadds // len(_BANDS)],
                }[kind.of]
                owner[kind.first + np.flatnonzero(mine)] = place
        if (owner < 0).any():
            raise ValueError("a job is in no part")
        return owner

    def quanta(self, owner: Any, runs: int) -> Any:
        each = np.concatenate([np.full(self.number(kind), len(kind.tasks)) for kind in self.kinds])
        return np.bincount(owner, weights=each, minlength=runs)

    def number(self, kind: Kind) -> int:
        place = self.kinds.index(kind) + 1
        end = self.kinds[place].first if place < len(self.kinds) else len(self.durations)
        return end - kind.first


def make_jobs(sky: Sky, kinds: list[Kind], spread: float = 0.3) -> Jobs:
    """Make the jobs and all edges between them, also from one step to the other."""
    rng, durations, edges, first = np.random.default_rng(2), [], [], 0
    for kind in kinds:
        kind.first = first
        number = sky.count(kind.of)
        first += number
        durations.append(kind.seconds * np.exp(rng.normal(-spread * spread / 2, spread, number)))
    for place, after in enumerate(kinds):
        for before in kinds[:place]:
            if before.outputs & after.inputs:
                one, two = sky.pairs(before.of, after.of)
                edges.append(np.stack([one + before.first, two + after.first]))
    (writer,) = [kind for kind in kinds if WRITER in kind.tasks]
    ranks = np.repeat(np.arange(sky.visits), sky.detectors)
    order = np.array(overlap_edges(find_pixels(sky.regions), ranks)).reshape(-1, 2).T
    edges.append(order + writer.first)
    before, after = np.concatenate(edges, axis=1)
    return Jobs(kinds, np.concatenate(durations), before, after)


def make_shapes(sky: Sky, jobs: Jobs) -> dict[Step, StepShape]:
    """Tell the planner of the steps what `apcampaign.submit.parts.shapes` would read."""
    seen: list[set[tuple[int, int]]] = [set() for _ in range(sky.visits)]
    for visit, patch in zip(sky.warp_visit, sky.warp_patch, strict=True):
        seen[visit].add(sky.patch_name(patch))
    visits = tuple(
        VisitOnSky(id=place, begin=float(place), detectors=sky.detectors, patches=frozenset(patches))
        for place, patches in enumerate(seen)
    )
    shapes = {}
    for step in Step:
        labels: dict[Stage, tuple[str, ...]] = {}
        quanta: dict[Stage, int] = {}
        for kind in jobs.kinds:
            if kind.step is step:
                labels[kind.stage] = (*labels.get(kind.stage, ()), *kind.tasks)
                quanta[kind.stage] = quanta.get(kind.stage, 0) + len(kind.tasks) * jobs.number(kind)
        shapes[step] = StepShape(
            instrument="LSSTCam-imSim", skymap="DC2", stages=labels, quanta=quanta, visits=visits
        )
    return shapes
