"""Science images without a difference image, and the reason of each."""

__all__ = ["MissingImage", "find_missing_images"]

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...bps import PlannedRun
from ...common.butler import open_butler
from ...ledger import RunRecord, has_graph
from ...ordering import read_planned
from .products import DIFFERENCE_IMAGE
from .quanta import QuantumTrouble

#: How `pipetask` logs a quantum that had nothing to do, and why.
_NO_WORK = re.compile(r"(?:no work found|saving metadata and skipping): (.*?)\.?$", re.DOTALL)
#: The same for one of which an input is missing: (label, connection, the connection's definition).
_LACKING = re.compile(r"\('\w+', '(\w+)', ")
_NOT_IN_GRAPH = "an input is missing, such as all of its templates"
_NOT_DONE = "not done yet"


@dataclass(frozen=True, kw_only=True, order=True)
class MissingImage:
    """A (visit, detector) of the science visits that has no difference image.

    Parameters
    ----------
    visit, detector
        Which.
    task
        The first task that did not make what it was to make; empty if nothing was tried.
    why
        The reason.
    """

    visit: int
    detector: int
    task: str
    why: str

    @property
    def explained(self) -> bool:
        """Whether a task has said the reason."""
        return bool(self.task)


def find_missing_images(
    run: PlannedRun, record: RunRecord, troubles: Iterable[QuantumTrouble]
) -> tuple[MissingImage, ...]:
    """Find the (visit, detector)s of a diffim run that have no difference image.

    Parameters
    ----------
    run, record
        The run, as it was planned and as it was submitted.
    troubles
        Quanta that did not make all that they were to make, of this run and of those whose outputs it takes over.

    Returns
    -------
    images
        In the order of visits and detectors.

    Raises
    ------
    RepositoryError
        If the repository or the graph cannot be read.
    """
    purpose = f"the difference images of {record.output} in {record.butler} cannot be listed"
    with open_butler(record.butler, purpose) as butler:
        exposures = _find_images(butler, run)
        missing = set(exposures) - _find_made(butler, record)
        if not missing:
            return ()
        # What a part of images lacks was to be made in other parts: whatever of an image was in trouble is before.
        upstream = None if run.part or not has_graph(record) else _find_upstream(record.graph)
        by_visit: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for key in missing:
            by_visit[key[0]].append(key)
        visits = {exposures[key]: key[0] for key in missing}
        first: dict[tuple[int, int], QuantumTrouble] = {}
        for trouble in troubles:
            if upstream is None or trouble.label in upstream:
                data_id: Mapping[str, Any] = trouble.data_id
                visit = data_id.get("visit", visits.get(data_id.get("exposure", 0), 0))
                for key in by_visit.get(visit, ()):
                    if data_id.get("detector", key[1]) == key[1]:
                        first.setdefault(key, trouble)
        planned: frozenset[tuple[int, int]] = frozenset()
        if upstream is not None and first.keys() != missing:
            planned = read_planned(record.graph)
        return tuple(
            MissingImage(
                visit=key[0],
                detector=key[1],
                task=first[key].label if key in first else "",
                why=_explain(butler, first[key])
                if key in first
                else (_NOT_DONE if key in planned else _NOT_IN_GRAPH),
            )
            for key in sorted(missing)
        )


def _find_images(butler: Any, run: PlannedRun) -> dict[tuple[int, int], int]:
    """Find the exposure of each (visit, detector) that the run is to process."""
    names = ("instrument", "exposure", "visit", "detector")
    with butler.query() as query:
        rows = query.join_dataset_search("raw", list(run.inputs[1:])).join_dimensions(names).where(run.query)
        return {
            (int(row["visit"]), int(row["detector"])): int(row["exposure"]) for row in rows.data_ids(names)
        }


def _find_made(butler: Any, record: RunRecord) -> set[tuple[int, int]]:
    """Find the (visit, detector)s that have a difference image, of this run or of an earlier one of the step."""
    from lsst.daf.butler import MissingDatasetTypeError

    runs: Sequence[str] = sorted(butler.collections.query(f"{record.output}/*"))
    if not runs:
        return set()
    try:
        refs = butler.query_datasets(DIFFERENCE_IMAGE, collections=runs, limit=None, explain=False)
    except MissingDatasetTypeError:
        return set()
    return {(int(ref.dataId["visit"]), int(ref.dataId["detector"])) for ref in refs}


def _find_upstream(graph: str) -> set[str]:
    """Name the tasks on which difference images depend; none if the run makes no difference images."""
    import networkx
    from lsst.pipe.base.pipeline_graph import TaskImportMode
    from lsst.pipe.base.quantum_graph import PredictedQuantumGraph

    with PredictedQuantumGraph.open(graph, import_mode=TaskImportMode.DO_NOT_IMPORT) as reader:
        pipeline = reader.pipeline_graph
        if DIFFERENCE_IMAGE not in pipeline.dataset_types:
            return set()
        if (maker := pipeline.producer_of(DIFFERENCE_IMAGE)) is None:
            return set()
        tasks = pipeline.make_task_xgraph()
        return {key.name for key in (maker.key, *networkx.ancestors(tasks, maker.key))}


def _explain(butler: Any, trouble: QuantumTrouble) -> str:
    """Say why a quantum did not make what it was to make; the reason for having no work is in its log only."""
    if trouble.why:
        return trouble.why
    from lsst.daf.butler import DatasetNotFoundError, MissingDatasetTypeError

    try:
        log = butler.get(f"{trouble.label}_log", collections=trouble.run, **trouble.data_id)
    except (DatasetNotFoundError, MissingDatasetTypeError, FileNotFoundError):
        return "no work found"
    found = [match[1] for record in log if (match := _NO_WORK.search(record.message))]
    if not found:
        return "no work found"
    lacking = _LACKING.match(found[-1])
    return f"no work found: there is no {lacking[1]}" if lacking else f"no work found: {found[-1]}"
