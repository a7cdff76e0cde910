"""Associations that an APDB has lost, and how they are made again with all that was built on them."""

__all__ = ["find_losses", "forget"]

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any
from uuid import UUID

from ..apdb import find_apdb, plan_rollback
from ..bps import Stage, Step
from ..common.butler import butler_errors, open_butler
from ..common.errors import ApcampaignError, UnsupportedApdbError
from ..ledger import Ledger, RunRecord, Workspace, has_graph
from ..monitor.outcomes import read_unregistered
from ..monitor.summary import verify_runs
from ..ordering import READER, WRITER, VisitDetector, find_built_on, find_stored, read_associations
from ..submit.outputs.repair import find_unregistered
from .downstream import Reach, find_downstream, find_made, read_shapes
from .model import Loss


def find_losses(workspace: Workspace, ledger: Ledger) -> tuple[Loss, ...]:
    """Find the recorded associations of which the newest APDB of a campaign has lost rows. Changes nothing.

    With them those that failed after their write, and on which later ones were built.

    Raises
    ------
    RepositoryError
        If the repository cannot be read.
    ApdbError
        If the APDB cannot be read, or what was built on them cannot be rolled back.
    """
    filling = [run for run in ledger.current(Step.DIFFIM) if run.apdb_config]
    if not filling:
        return ()
    newest = max(filling, key=lambda run: run.timestamp)
    apdb_config = str(newest.apdb_config)
    try:
        find_apdb(apdb_config)
    except UnsupportedApdbError:
        return ()
    verification = verify_runs(ledger, others=workspace.campaign.apdb.filled)
    if verification is None:
        return ()
    stored = find_stored(apdb_config)
    instrument, lost = workspace.campaign.instrument, frozenset(verification.lost)
    failed = (
        _find_failed(ledger, apdb_config, verification.unrecorded) if verification.unrecorded else frozenset()
    )
    if failed and not find_built_on(newest.butler, instrument, failed, stored) - failed:
        failed = frozenset()  # they are rolled back by whatever goes on with them
    if not lost and not failed:
        return ()
    built = find_built_on(newest.butler, instrument, lost | failed, stored) - failed
    rollback = plan_rollback(
        apdb_config, sorted((built | lost | failed) & stored), with_later=True, with_leftovers=True
    )
    reaches, obstacle = _read_reaches(ledger)
    return (
        Loss(
            apdb_config,
            tuple(sorted(lost)),
            tuple(sorted(built)),
            rollback,
            tuple(sorted(failed)),
            reaches,
            obstacle,
        ),
    )


def _read_reaches(ledger: Ledger) -> tuple[Mapping[str, Reach], ApcampaignError | None]:
    """Read what depends on associations, for runs without a graph of their own; or why it is not known."""
    try:
        return find_downstream(read_shapes(ledger.runs_of(Step.DIFFIM))), None
    except ApcampaignError as error:
        return {}, error


def _find_failed(
    ledger: Ledger, apdb_config: str, unrecorded: Iterable[VisitDetector]
) -> frozenset[VisitDetector]:
    """Find those of the associations without a record that runs of the campaign have begun, and that failed."""
    runs = ledger.same_apdb(apdb_config)
    succeeded = {key for run in find_unregistered(ledger, runs) for key in read_unregistered(run).associated}
    return frozenset(unrecorded) & read_associations(runs).planned - succeeded


def forget(ledger: Ledger, again: Collection[VisitDetector], reaches: Mapping[str, Reach]) -> int:
    """Remove from the repository what associations have made, and what was made of that: all of it is made again.

    Parameters
    ----------
    ledger
        What the campaign has submitted.
    again
        The (visit, detector)s that are to be associated again.
    reaches
        The dataset types that depend on associations, and how far, for runs whose graph is gone.

    Returns
    -------
    datasets
        How many were removed.

    Raises
    ------
    RepositoryError
        If a graph or the repository cannot be read, or the repository cannot be written to.
    """
    stages = (None, *Stage)
    runs = sorted(ledger.runs_of(Step.DIFFIM), key=lambda run: (run.timestamp, stages.index(run.stage)))
    by_repository: dict[str, set[UUID]] = {}
    for run in runs:
        made = by_repository.setdefault(run.butler, set())
        if has_graph(run):
            made |= set(_find_outputs(run, again, made))
            continue
        with open_butler(run.butler, f"the outputs of {run.output_run} cannot be found") as butler:
            made |= {ref.id for ref in find_made(butler, run, again, reaches)}
    removed = 0
    for repository, made in by_repository.items():
        purpose = f"the outputs of associations cannot be removed from {repository}"
        with open_butler(repository, purpose, writeable=True) as butler:
            refs = [ref for each in made if (ref := butler.get_dataset(each)) is not None]
            butler.pruneDatasets(refs, disassociate=True, unstore=True, purge=True)
            removed += len(refs)
    return removed


def _find_outputs(run: RunRecord, again: Collection[VisitDetector], made: Iterable[UUID]) -> Iterator[UUID]:
    """Find the datasets that a run has made in some associations, or of what others of these have made."""
    with butler_errors(f"the graph {run.graph} cannot be read"):
        import networkx
        from lsst.pipe.base.pipeline_graph import TaskImportMode
        from lsst.pipe.base.quantum_graph import PredictedQuantumGraph

        with PredictedQuantumGraph.open(run.graph, import_mode=TaskImportMode.DO_NOT_IMPORT) as reader:
            reader.read_all()
            graph = reader.finish()
        datasets, quanta = graph.bipartite_xgraph, graph.quantum_only_xgraph
        begun = set(_find_associations(graph, again))
        for dataset in made:
            begun |= set(datasets.successors(dataset)) if dataset in datasets else set()
        found = begun.union(*(networkx.descendants(quanta, quantum) for quantum in begun))
        yield from {dataset for quantum in found for dataset in datasets.successors(quantum)}


def _find_associations(graph: Any, again: Collection[VisitDetector]) -> Iterator[UUID]:
    """Find the quanta that read and write the APDB for some (visit, detector)s."""
    quanta = graph.quantum_only_xgraph
    for data_id, writer in graph.quanta_by_task.get(WRITER, {}).items():
        if (int(data_id["visit"]), int(data_id["detector"])) in again:
            yield writer
            yield from (
                before
                for before in quanta.predecessors(writer)
                if quanta.nodes[before]["task_label"] == READER
            )
