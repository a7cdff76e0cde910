"""What a run's quanta left behind, by their files: it can be asked while the run goes on."""

__all__ = ["QuantaTrouble", "find_troubled_quanta"]

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..common.errors import SubmissionError
from .ledger import RunRecord

DataId = Mapping[str, str | int]


@dataclass(frozen=True, kw_only=True)
class QuantaTrouble:
    """Quanta of one label that raised an exception, or that count as done and have made nothing.

    Parameters
    ----------
    label
        Of the task.
    failed
        The data ids of those that failed with an exception.
    partial
        The data ids of those that made some of their outputs, and raised an exception after that.
    empty
        The data ids of those that made nothing, since an input was missing or they found no work.
    exceptions
        How often which was raised.
    """

    label: str
    failed: list[DataId] = field(default_factory=list)
    partial: list[DataId] = field(default_factory=list)
    empty: list[DataId] = field(default_factory=list)
    exceptions: dict[str, int] = field(default_factory=dict)


def find_troubled_quanta(record: RunRecord) -> tuple[QuantaTrouble, ...]:
    """Find the quanta of a run that did not make what they should, whatever became of their jobs.

    The repository is not changed, and need not know of the run's outputs yet. Quanta that were killed leave no
    trace, and are left out like those that have not run.

    Parameters
    ----------
    record
        The run.

    Returns
    -------
    troubles
        By task label, of those that have any, in the pipeline's order.

    Raises
    ------
    SubmissionError
        If graph or repository cannot be read.
    """
    from lsst.pipe.base.quantum_graph import ProvenanceQuantumGraph
    from lsst.pipe.base.quantum_graph.aggregator import AggregatorConfig, aggregate_graph

    try:
        with tempfile.TemporaryDirectory(prefix="apcampaign-") as folder:
            path = str(Path(folder) / "provenance.qg")
            config = AggregatorConfig(
                output_path=path, dry_run=True, register_dataset_types=False, update_output_chain=False
            )
            aggregate_graph(record.graph, record.butler, config)
            with ProvenanceQuantumGraph.from_args(path, datasets=()) as (graph, _):
                return _collect(graph)
    except Exception as error:
        raise SubmissionError(
            f"what the quanta of {record.output_run} left cannot be read from {record.graph} and "
            f"{record.butler}: {type(error).__name__}: {error}"
        ) from error


def _collect(graph: Any) -> tuple[QuantaTrouble, ...]:
    from lsst.pipe.base import QuantumAttemptStatus, QuantumSuccessCaveats

    found = {label: QuantaTrouble(label=label) for label in graph.quanta_by_task}
    for _, quantum in graph.quantum_only_xgraph.nodes(data=True):
        trouble = found[quantum["task_label"]]
        data_id = dict(quantum["data_id"].required)
        raised, caveats = quantum["exception"], quantum["caveats"] or QuantumSuccessCaveats.NO_CAVEATS
        if raised:
            words = str(raised.message).strip().partition("\n")[0]
            what = f"{raised.type_name}: {words}"
            trouble.exceptions[what] = trouble.exceptions.get(what, 0) + 1
            failed = quantum["status"] is QuantumAttemptStatus.FAILED
            (trouble.failed if failed else trouble.partial).append(data_id)
        elif caveats & QuantumSuccessCaveats.ALL_OUTPUTS_MISSING:
            trouble.empty.append(data_id)
    return tuple(trouble for trouble in found.values() if trouble.failed or trouble.partial or trouble.empty)
