"""Input checks: calibrations valid at the visits' times, reference catalogues, skymap, other datasets."""

__all__ = ["check_inputs"]

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from ...bps.lint import Finding, Severity
from ...common.butler import query_visits
from .run_spec import RunSpec, make_finding
from .selection import Selection

#: (visit, detector)s whose reference catalogue is looked up; more would take minutes.
_MOST_REGIONS = 20_000
#: The regions of a visit are read for all detectors of its camera, whichever are wanted. The largest cameras,
#: LSSTCam and LSSTCam-imSim, have this many.
_DETECTORS = 189
#: Dimensions of datasets of which there is one for a whole campaign.
_NAMED = ("instrument", "skymap")
#: Collections that are named as those that hold what is missing.
_MOST_HOLDERS = 3
#: What else can be done about a missing dataset type.
_ADVICE = {
    "pretrainedModelPackage": ". The models of real and bogus are in pretrained_models/… of Rubin's repositories; "
    "without one, name a pipeline of your own that imports this one and excludes the tasks that score by it",
}


@dataclass(frozen=True)
class _Input:
    """A dataset type that a pipeline reads: its name, its node in the graph, and the tasks that read it."""

    name: str
    node: Any
    labels: str


def check_inputs(
    butler: Any, spec: RunSpec, graph: Any, selection: Selection | None, made_before: frozenset[str] | None
) -> Iterator[Finding]:
    """Report dataset types that the pipeline reads and the inputs do not hold.

    Parameters
    ----------
    butler
        The repository.
    spec
        The run.
    graph
        Its pipeline graph.
    selection
        What its data query selects.
    made_before
        Dataset types that the runs before this one make; `None` if that is not known.
    """
    for name, node in sorted(graph.iter_overall_inputs(), key=itemgetter(0)):
        if name == "raw" or (made_before is not None and name in made_before):
            continue
        edges = list(graph.consuming_edges_of(name))
        if all(_is_optional(graph, edge) for edge in edges):
            continue
        wanted = _Input(name, node, ", ".join(sorted({edge.task_label for edge in edges})))
        if not _holds(butler, name, spec.existing_inputs):
            if made_before is not None:
                yield _missing(butler, spec, wanted)
        elif selection is not None and node is not None:
            if node.is_calibration:
                yield from _check_validity(butler, spec, selection, wanted)
            elif any(d in butler.dimensions.skypix_dimensions.names for d in node.dimensions.names):
                yield from _check_shards(butler, spec, selection, wanted)
            elif {*node.dimensions.required} & set(_NAMED) == {*node.dimensions.required}:
                yield from _check_name(butler, spec, selection, wanted)


def _is_optional(graph: Any, edge: Any) -> bool:
    node = graph.tasks.get(edge.task_label)
    if node is None or edge.is_init:
        return True
    connection = getattr(node.get_connections(), edge.connection_name, None)
    return node.is_optional(edge.connection_name) or getattr(connection, "minimum", 1) == 0


def _holds(butler: Any, name: str, collections: Sequence[str]) -> bool:
    from lsst.daf.butler import ButlerUserError

    try:
        infos = butler.collections.query_info(
            list(collections), flatten_chains=True, include_summary=True, summary_datasets=[name]
        )
    except ButlerUserError:
        return False
    return any(name in (info.dataset_types or ()) for info in infos)


def _find_elsewhere(butler: Any, spec: RunSpec, wanted: _Input) -> str:
    """Name other collections of the repository that hold a dataset type, those that are meant for inputs first."""
    from lsst.daf.butler import ButlerUserError, CollectionType

    try:
        infos = butler.collections.query_info("*", include_summary=True, summary_datasets=[wanted.name])
    except ButlerUserError:
        infos = []
    holders = [
        info
        for info in infos
        if wanted.name in (info.dataset_types or ()) and info.name not in spec.existing_inputs
    ]
    best = CollectionType.CALIBRATION if getattr(wanted.node, "is_calibration", False) else CollectionType.RUN
    holders.sort(key=lambda info: (info.name.startswith("u/"), info.type is not best, info.name))
    if not holders:
        return "; no other collection of this repository has it"
    return f"; this repository has it in {', '.join(info.name for info in holders[:_MOST_HOLDERS])}"


def _missing(butler: Any, spec: RunSpec, wanted: _Input) -> Finding:
    return make_finding(
        Severity.ERROR,
        "no-input",
        f"{', '.join(spec.existing_inputs)} hold no {wanted.name!r}, which {wanted.labels} reads",
        "the quantum graph is empty, or lacks every quantum that needs it",
        f"add the collection that holds {wanted.name!r} to the inputs{_find_elsewhere(butler, spec, wanted)}"
        f"{_ADVICE.get(wanted.name, '')}",
        key=f"{spec.name}: inCollection",
    )


def _check_name(butler: Any, spec: RunSpec, selection: Selection, wanted: _Input) -> Iterator[Finding]:
    """Look for a dataset of the instrument and the skymap that are selected, not only of any."""
    data_id = {
        name: _only(selection, name) for name in wanted.node.dimensions.required if name in selection.names
    }
    if len(data_id) < len(wanted.node.dimensions.required):
        return
    if not butler.query_datasets(
        wanted.name, collections=spec.existing_inputs, data_id=data_id, limit=1, explain=False
    ):
        of = ", ".join(f"{name} {value!r}" for name, value in data_id.items())
        yield make_finding(
            Severity.ERROR,
            "no-input",
            f"{', '.join(spec.existing_inputs)} hold no {wanted.name!r} of {of}, which {wanted.labels} reads",
            "the quantum graph is empty, or lacks every quantum that needs it",
            f"add the collection that holds it to the inputs{_find_elsewhere(butler, spec, wanted)}",
            key=f"{spec.name}: inCollection",
        )


def _check_validity(butler: Any, spec: RunSpec, selection: Selection, wanted: _Input) -> Iterator[Finding]:
    """Look for (detector, filter)s without a calibration that is valid when they were exposed."""
    required = wanted.node.dimensions.required
    keys = [key for key in ("instrument", "physical_filter", "detector") if key in required]
    spans: dict[tuple[Any, ...], list[Any]] = defaultdict(list)
    for association in butler.registry.queryDatasetAssociations(
        wanted.name, collections=spec.existing_inputs
    ):
        # In a RUN collection it has no timespan and is always found.
        data_id = association.ref.dataId
        spans[tuple(data_id[key] for key in keys)].append(association.timespan)
    exposures = selection.project(("exposure",))
    times = {
        record.id: record.timespan
        for record in butler.query_dimension_records(
            "exposure", instrument=_only(selection, "instrument"), limit=None, explain=False
        )
        if (record.id,) in exposures
    }
    lacking: dict[int, set[int]] = defaultdict(set)
    given = [key for key in keys if key in selection.names]
    for *values, exposure, detector in selection.project((*given, "exposure", "detector")):
        data_id = tuple(detector if key == "detector" else values[keys.index(key)] for key in keys)
        if not any(span is None or span.overlaps(times[exposure]) for span in spans.get(data_id, ())):
            lacking[exposure].add(detector)
    if lacking:
        exposure, detectors = min(lacking.items())
        count = sum(map(len, lacking.values()))
        yield make_finding(
            Severity.ERROR,
            "no-calibration",
            f"{count} of {selection.counts['raw']} raws have no {wanted.name!r} that is valid when they were "
            f"taken, such as exposure {exposure}, detector {min(detectors)}",
            f"{wanted.labels} has no quantum for them",
            f"certify {wanted.name!r} for that time, or add the collection that holds it",
            key=f"{spec.name}: inCollection",
        )


def _only(selection: Selection, name: str) -> Any:
    return next(iter(selection.project((name,))))[0]


def _check_shards(butler: Any, spec: RunSpec, selection: Selection, wanted: _Input) -> Iterator[Finding]:
    """Look for visits' detectors that no shard of a reference catalogue touches."""
    skypix = butler.dimensions.skypix_dimensions
    (dimension,) = (name for name in wanted.node.dimensions.names if name in skypix.names)
    pixels = skypix[dimension].pixelization
    refs = butler.query_datasets(wanted.name, collections=spec.existing_inputs, limit=None, explain=False)
    shards = {ref.dataId[dimension] for ref in refs}
    selected = selection.project(("visit", "detector"))
    bare = []
    visits = sorted({visit for visit, _ in selected})[: _MOST_REGIONS // _DETECTORS]
    for record in query_visits(butler, "visit_detector_region", _only(selection, "instrument"), visits):
        ranges = pixels.envelope(record.region).ranges()
        touched = (pixel for begin, end in ranges for pixel in range(begin, end))
        if (record.visit, record.detector) in selected and shards.isdisjoint(touched):
            bare.append((record.visit, record.detector))
    if bare:
        visit, detector = min(bare)
        yield make_finding(
            Severity.ERROR,
            "no-refcat",
            f"{wanted.name!r} does not reach {len(bare)} of {len(selected)} (visit, detector)s, such as visit "
            f"{visit}, detector {detector}",
            f"{wanted.labels} has no quantum for them",
            "add a collection with a reference catalogue of that sky",
            key=f"{spec.name}: inCollection",
        )
