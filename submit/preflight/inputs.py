"""What the pipelines need besides raws: calibrations valid at the visits' times, reference catalogues, skymap."""

__all__ = ["check_inputs"]

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from ...bps.lint import Finding, Severity
from .selection import Selection
from .subject import Subject, problem

#: (visit, detector)s whose reference catalogue is looked up; more would take minutes.
_MOST_REGIONS = 20_000


def check_inputs(
    butler: Any, subject: Subject, graph: Any, selection: Selection | None, made_before: frozenset[str]
) -> Iterator[Finding]:
    """Report dataset types that the pipeline reads and the inputs do not hold.

    Parameters
    ----------
    butler
        The repository.
    subject
        The run.
    graph
        Its pipeline graph.
    selection
        What its data query selects.
    made_before
        Dataset types that a run before this one makes.
    """
    collections = [name for name in subject.inputs if name not in subject.planned]
    for name, node in graph.iter_overall_inputs():
        if name == "raw" or name in made_before:
            continue
        edges = [edge for edge in graph.consuming_edges_of(name)]
        if all(_is_optional(graph, edge) for edge in edges):
            continue
        labels = ", ".join(sorted({edge.task_label for edge in edges}))
        if not _holds(butler, name, collections):
            yield problem(
                Severity.ERROR,
                "no-input",
                f"{', '.join(collections)} hold no {name!r}, which {labels} reads",
                "the quantum graph is empty, or lacks every quantum that needs it",
                f"add the collection that holds {name!r} to the inputs",
                key=f"{subject.name}: inCollection",
            )
        elif selection is not None and node is not None:
            if node.is_calibration:
                yield from _check_validity(butler, subject, name, node, collections, selection, labels)
            elif any(d in butler.dimensions.skypix_dimensions.names for d in node.dimensions.names):
                yield from _check_shards(butler, subject, name, node, collections, selection, labels)


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


def _check_validity(
    butler: Any,
    subject: Subject,
    name: str,
    node: Any,
    collections: Sequence[str],
    selection: Selection,
    labels: str,
) -> Iterator[Finding]:
    """Look for (detector, filter)s without a calibration that is valid when they were exposed."""
    keys = [key for key in ("instrument", "physical_filter", "detector") if key in node.dimensions.required]
    spans: dict[tuple[Any, ...], list[Any]] = defaultdict(list)
    for association in butler.registry.queryDatasetAssociations(name, collections=list(collections)):
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
    for *values, exposure, detector in selection.project((*_in(selection, keys), "exposure", "detector")):
        wanted = tuple(detector if key == "detector" else values[keys.index(key)] for key in keys)
        if not any(span is None or span.overlaps(times[exposure]) for span in spans.get(wanted, ())):
            lacking[exposure].add(detector)
    if lacking:
        exposure, detectors = min(lacking.items())
        count = sum(map(len, lacking.values()))
        yield problem(
            Severity.ERROR,
            "no-calibration",
            f"{count} of {selection.counts['raw']} raws have no {name!r} that is valid when they were taken, "
            f"such as exposure {exposure}, detector {min(detectors)}",
            f"{labels} has no quantum for them",
            f"certify {name!r} for that time, or add the collection in which it is",
            key=f"{subject.name}: inCollection",
        )


def _in(selection: Selection, keys: Sequence[str]) -> list[str]:
    return [key for key in keys if key in selection.names]


def _only(selection: Selection, name: str) -> Any:
    return next(iter(selection.project((name,))))[0]


def _check_shards(
    butler: Any,
    subject: Subject,
    name: str,
    node: Any,
    collections: Sequence[str],
    selection: Selection,
    labels: str,
) -> Iterator[Finding]:
    """Look for visits' detectors that no shard of a reference catalogue touches."""
    (dimension,) = (d for d in node.dimensions.names if d in butler.dimensions.skypix_dimensions.names)
    pixels = butler.dimensions.skypix_dimensions[dimension].pixelization
    refs = butler.query_datasets(name, collections=list(collections), limit=None, explain=False)
    there = {ref.dataId[dimension] for ref in refs}
    wanted = selection.project(("visit", "detector"))
    bare = []
    visits = sorted({visit for visit, _ in wanted})[: max(1, _MOST_REGIONS // 189)]
    for start in range(0, len(visits), 500):
        chunk = visits[start : start + 500]
        where = f"visit IN ({', '.join(map(str, chunk))})"
        for record in butler.query_dimension_records(
            "visit_detector_region", where=where, instrument=_only(selection, "instrument"), limit=None
        ):
            ranges = pixels.envelope(record.region).ranges()
            touched = (pixel for begin, end in ranges for pixel in range(begin, end))
            if (record.visit, record.detector) in wanted and there.isdisjoint(touched):
                bare.append((record.visit, record.detector))
    if bare:
        visit, detector = min(bare)
        yield problem(
            Severity.ERROR,
            "no-refcat",
            f"{name!r} does not reach {len(bare)} of {len(wanted)} (visit, detector)s, such as visit {visit}, "
            f"detector {detector}",
            f"{labels} has no quantum for them",
            "add a collection with a reference catalogue of that sky",
            key=f"{subject.name}: inCollection",
        )
