"""Reading of the shapes of large steps: tasks, visits and sky, by which `apcampaign.bps.parts` divides them."""

__all__ = ["list_tasks", "read_large_steps", "read_shapes"]

import logging
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...bps import GRAPH_OPTIONS, CampaignConfig, Plan, PlannedRun, Step, StepSettings, make_query
from ...bps.options import find_options_for_tasks
from ...bps.shape import (
    StepShape,
    TaskShape,
    VisitOnSky,
    assign_stages,
    is_large,
    wanted_parts,
)
from ...common.butler import butler_errors, query_visits
from ...common.errors import SettingsError
from ...ledger import Workspace
from ...ordering import READER, WRITER
from ..preflight.pipelines import load_graph
from ..preflight.repository import open_repository
from ..preflight.run_spec import RunSpec, make_run_spec, outputs_before
from ..preflight.selection import Estimate, estimate_quanta, select

_log = logging.getLogger(__name__)

_RAW = ("instrument", "exposure", "visit", "detector")
_PATCH = ("skymap", "tract", "patch")
#: Of more raws the patches are looked up by visit: 18,000 took 7 s by detector.
_MOST_OVERLAPS = 5_000


def read_large_steps(
    workspace: Workspace, plan: Plan, counted: Mapping[str, Sequence[Estimate]] | None = None
) -> dict[Step, StepShape]:
    """Read what those steps consist of that are large, or whose campaign asks for parts.

    Parameters
    ----------
    workspace
        The campaign.
    plan
        Its runs, one for a step.
    counted
        The quanta of its runs by task, by name of the run, where they have been counted.

    Raises
    ------
    RepositoryError
        If the repository cannot be read.
    """
    steps = []
    counted = counted or {}
    for run in plan:
        wanted = wanted_parts(workspace.campaign, run.step)
        if wanted is None and run.name in counted:
            if is_large(sum(estimate.quanta for estimate in counted[run.name])):
                steps.append(run.step)
        elif wanted != 1:
            steps.append(run.step)
    return read_shapes(workspace, plan, steps, counted) if steps else {}


def read_shapes(
    workspace: Workspace,
    plan: Plan,
    steps: Iterable[Step],
    counted: Mapping[str, Sequence[Estimate]] | None = None,
) -> dict[Step, StepShape]:
    """Read what some steps of a plan consist of.

    Parameters
    ----------
    workspace
        The campaign.
    plan
        Its runs, one for a step.
    steps
        The steps that may have to be divided.
    counted
        The quanta of its runs by task, by name of the run, where they have been counted.

    Returns
    -------
    shapes
        Of those steps of which the pipeline can be loaded and the data query selects something; why the others
        do not is for the preflight to tell.

    Raises
    ------
    RepositoryError
        If the repository cannot be read.
    SettingsError
        If a step is to be divided and cannot be.
    """
    shapes = {}
    steps = frozenset(steps)
    campaign = workspace.campaign
    with open_repository(workspace.campaign.butler) as butler:
        for run in plan:
            if run.step not in steps:
                continue
            spec = make_run_spec(workspace, run, os.environ, planned=outputs_before(plan, run))
            if not _can_divide(campaign, run, spec):
                continue
            shape = _read_shape(butler, campaign, run, spec, (counted or {}).get(run.name))
            if shape is not None:
                shapes[run.step] = shape
    return shapes


def _can_divide(campaign: CampaignConfig, run: PlannedRun, spec: RunSpec) -> bool:
    """Tell whether a step can be divided: not if options of its graph are for tasks that a part may lack."""
    settings: StepSettings = getattr(campaign, run.step)
    options = find_options_for_tasks(str(spec.config.get(GRAPH_OPTIONS) or ""), settings.config)
    if not options:
        return True
    why = f"{run.step}: options of its graph are for tasks that not every part has: {', '.join(options)}"
    if wanted_parts(campaign, run.step) is not None:
        raise SettingsError(why, remedy="write values as 'config' of the step, or leave it whole (parts: 1)")
    _log.info("%s; it is not divided", why)
    return False


def _read_shape(
    butler: Any,
    campaign: CampaignConfig,
    run: PlannedRun,
    spec: RunSpec,
    counted: Iterable[Estimate] | None,
) -> StepShape | None:
    graph, _ = load_graph(spec, butler)
    if graph is None:
        return None
    if counted is None:
        selection, _ = select(butler, spec, graph)
        if selection is None:
            return None
        counted = estimate_quanta(selection, graph)
    stages = assign_stages(run.step, list_tasks(graph), (READER, WRITER))
    by_label = {estimate.label: estimate.quanta for estimate in counted}
    # Science images that touch the campaign's tracts also see others, in which they may overlap each other.
    tracts = campaign.tracts if run.step is Step.TEMPLATES else None
    sky = make_query(
        instrument=campaign.instrument, skymap=campaign.skymap, tracts=tracts, bands=None, where=()
    )
    instrument, skymap, visits = _find_visits(butler, spec, sky, narrow=run.step is Step.TEMPLATES)
    return StepShape(
        instrument=instrument,
        skymap=skymap,
        stages={stage: tuple(labels) for stage, labels in stages.items()},
        quanta={stage: sum(by_label[label] for label in labels) for stage, labels in stages.items()},
        visits=visits,
    )


def list_tasks(graph: Any) -> list[TaskShape]:
    """List the tasks of a pipeline graph, in the order in which they can be executed."""
    graph.sort()
    return [
        TaskShape(
            label=label,
            dimensions=frozenset(task.dimensions.names),
            inputs=frozenset(edge.parent_dataset_type_name for edge in task.inputs.values()),
            outputs=frozenset(edge.parent_dataset_type_name for edge in task.iter_all_outputs()),
            reads_patches=any(
                "patch" in graph.dataset_types[edge.parent_dataset_type_name].dimensions
                for edge in task.inputs.values()
            ),
        )
        for label, task in graph.tasks.items()
    ]


def _find_visits(
    butler: Any, spec: RunSpec, sky: str, *, narrow: bool
) -> tuple[str, str, tuple[VisitOnSky, ...]]:
    """Find the visits that the data query of a run selects, and what they see; and instrument and skymap.

    The patches are those that the data query selects (``narrow``), or all on the sky that is asked for. Of many
    raws they are those under the outlines of the visits, on that sky.
    """
    instrument, skymap = "", ""
    detectors: dict[int, set[int]] = defaultdict(set)
    patches: dict[int, set[tuple[int, int]]] = defaultdict(set)
    with butler_errors("the visits cannot be found"), butler.query() as query:
        query = query.join_dataset_search("raw", spec.existing_inputs).join_dimensions(_RAW)
        if spec.query:
            query = query.where(spec.query)
        for row in query.data_ids(_RAW):
            instrument = str(row["instrument"])
            detectors[int(row["visit"])].add(int(row["detector"]))
        records = query_visits(butler, "visit", instrument, detectors)
        begin = {int(record.id): float(record.timespan.begin.mjd) for record in records}
        few = sum(map(len, detectors.values())) <= _MOST_OVERLAPS
        if few and narrow:
            rows = query.join_dimensions(_PATCH).data_ids((*_RAW, *_PATCH))
        else:
            names = ("instrument", "visit", *(["detector"] if few else []), *_PATCH)
            # As a bound value: a list that is written out may be too large for SQLite.
            where, bind = f"{sky} AND visit IN (:visits)", {"visits": sorted(detectors)}
            rows = butler.query_data_ids(names, where=where, bind=bind, limit=None)
        for row in rows:
            if few and int(row["detector"]) not in detectors[int(row["visit"])]:
                continue
            skymap = str(row["skymap"])
            patches[int(row["visit"])].add((int(row["tract"]), int(row["patch"])))
    found = tuple(
        VisitOnSky(
            id=visit,
            begin=begin[visit],
            detectors=len(detectors[visit]),
            patches=frozenset(patches[visit]),
        )
        for visit in sorted(detectors)
    )
    return instrument, skymap, found
