"""Graphs of runs: whether they are there, whole, and those that the jobs were made of."""

__all__ = ["find_broken_graphs"]

import re
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

from ..common.butler import butler_errors
from ..common.reading import read_text
from ..ledger import Ledger, RunRecord, has_graph
from ..monitor.outcomes import count_quanta
from .model import BrokenGraph

_QUANTA = re.compile(r"--qgraph-node-id ([0-9a-f,-]+)")


def find_broken_graphs(ledger: Ledger) -> tuple[BrokenGraph, ...]:
    """Find the runs that count and whose graph is not that of their jobs, or is none though it is still needed.

    Raises
    ------
    RepositoryError
        If a graph that is whole cannot be read.
    """
    return tuple(_find(ledger))


def _find(ledger: Ledger) -> Iterator[BrokenGraph]:
    for run in ledger.current():
        if not has_graph(run):
            if all(count.good for count in count_quanta([run]).values()):
                continue  # nobody needs it any more
            why = "is cut off" if Path(run.graph).exists() else "is gone"
            yield BrokenGraph(run, f"its graph {run.graph} {why}")
        elif (named := _read_named_quanta(run)) and named - _read_quanta(run.graph):
            yield BrokenGraph(
                run, f"its jobs name quanta that its graph {run.graph} does not have", foreign=True
            )


def _read_named_quanta(run: RunRecord) -> set[UUID]:
    """Read which quanta the first job with any executes: all jobs of a run are made of one graph."""
    for path in Path(run.submit_dir).glob("jobs/**/*.sub"):
        if found := _QUANTA.search(read_text(path, errors="replace")):
            return {UUID(name) for name in found[1].split(",") if name}
    return set()


def _read_quanta(graph: str) -> set[UUID]:
    with butler_errors(f"the graph {graph} cannot be read"):
        from lsst.pipe.base.pipeline_graph import TaskImportMode
        from lsst.pipe.base.quantum_graph import PredictedQuantumGraph

        with PredictedQuantumGraph.open(graph, import_mode=TaskImportMode.DO_NOT_IMPORT) as reader:
            reader.read_thin_graph()
            return set(reader.finish())
