"""Reading the jobs of a run, once or again and again while it goes on."""

__all__ = ["JobReader", "RunReader", "open_run", "read_jobs"]

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from ...bps import Step
from ..ledger import read_run
from ..paths import RunPaths
from .events import EventLog, History
from .jobs import Attempt, Ending, Job, JobState
from .parsl import ParslReader
from .workflow import Node, Workflow, read_dag, read_errors, read_exit, read_rescue, read_workflow

_WAITING = {JobState.UNREADY, JobState.PRUNED}


class JobReader(Protocol):
    """Reads the jobs of a run again and again while it goes on."""

    @property
    def dag(self) -> Path | None:
        """HTCondor's DAG, if HTCondor runs the jobs."""

    @property
    def ended(self) -> bool:
        """Whether all was over when it was last read."""

    def read(self) -> list[Job]:
        """Read the jobs as they stand, in the workflow's order."""


class RunReader:
    """Reads the jobs of one DAG from its files; each time only what was appended to them.

    Parameters
    ----------
    dag
        HTCondor's DAG.
    workflow
        Its jobs.
    step
        Of the campaign.
    """

    def __init__(self, dag: Path, workflow: Workflow, step: Step | None = None):
        self.dag = dag
        self._workflow = workflow
        self._step = step
        self._log = EventLog(dag.with_name(f"{dag.name}.nodes.log"))
        self._older: dict[str, list[History]] = {}
        self._rescued: frozenset[str] | None = None
        self._jobs: dict[str, Job] = {}
        self._ended = False
        self._refused: dict[str, str] | None = None

    @classmethod
    def of_dag(cls, dag: Path) -> "RunReader":
        """Read a DAG without a page in the ledger, such as a chain's."""
        return cls(dag, read_dag(dag))

    @property
    def ended(self) -> bool:
        """Whether DAGMan had ended when the jobs were last read."""
        return self._ended

    def read(self) -> list[Job]:
        """Read the jobs as they stand, in the workflow's order."""
        with _without_collector():
            return self._read()

    def _read(self) -> list[Job]:
        self._ended = read_exit(self.dag) is not None
        changed = self._log.read()
        if self._ended != (self._refused is not None):
            self._refused = self._read_refused() if self._ended else None
            self._jobs.clear()
        rescued = read_rescue(self.dag)
        if rescued is not None and (rescued != self._rescued or not self._jobs):
            self._rescued = rescued
            self._older = self._read_older()
            self._jobs.clear()
        by_name: dict[str, list[History]] = {}
        for history in self._log.histories.values():
            by_name.setdefault(history.node, []).append(history)
        names = {self._log.histories[cluster].node for cluster in changed if cluster in self._log.histories}
        if not self._jobs or len(names) < len(changed):
            names = set(self._workflow.nodes)
        states = {name: job.state for name, job in self._jobs.items()}
        for name in names & set(self._workflow.nodes):
            states[name] = self._state(name, by_name.get(name, ()))
        failed = {name for name, state in states.items() if state is JobState.FAILED}
        waiting = {name for name, state in states.items() if state in _WAITING}
        pruned = self._workflow.prune(failed, waiting) if failed else set()
        for name in waiting:
            states[name] = JobState.PRUNED if name in pruned else JobState.UNREADY
        for name, node in self._workflow.nodes.items():
            known = self._jobs.get(name)
            if known is None or name in names or known.state is not states[name]:
                histories = [*self._older.get(name, ()), *by_name.get(name, ())]
                self._jobs[name] = _job(node, self._step, states[name], histories, self._refused)
        return list(self._jobs.values())

    def _state(self, name: str, histories: list[History] | tuple[()]) -> JobState:
        if histories:
            return histories[-1].state
        if self._refused and name in self._refused:
            return JobState.FAILED
        return JobState.DONE if self._rescued and name in self._rescued else JobState.UNREADY

    def _read_refused(self) -> dict[str, str]:
        """Read which jobs HTCondor did not take, of which its log knows nothing."""
        known = {history.node for history in self._log.histories.values()}
        return {name: why for name, why in read_errors(self.dag).items() if name not in known}

    def _read_older(self) -> dict[str, list[History]]:
        """Read what happened before the DAG was resumed, when its own log began anew, from the jobs' logs."""
        older: dict[str, list[History]] = {}
        for path in _logs(self._workflow.nodes):
            log = EventLog(path)
            log.read()
            for cluster, history in log.histories.items():
                if cluster not in self._log.histories:
                    older.setdefault(history.node, []).append(history)
        for histories in older.values():
            histories.sort(key=lambda history: history.cluster)
        return older


def open_run(paths: RunPaths) -> JobReader:
    """Open the files of a run.

    Raises
    ------
    SubmissionError
        If its page of the ledger or its workflow cannot be read.
    """
    record = read_run(paths)
    with _without_collector():
        workflow = read_workflow(paths, record.output_run)
    if ".parsl." in record.wms_service:
        return ParslReader(paths, workflow, record.step)
    return RunReader(paths.dag(record.output_run), workflow, record.step)


def read_jobs(paths: RunPaths) -> list[Job]:
    """Read the jobs of a run from its files, which needs no HTCondor and works anywhere.

    Parameters
    ----------
    paths
        The run's files.

    Returns
    -------
    jobs
        In the workflow's order.

    Raises
    ------
    SubmissionError
        If the run's page of the ledger or its workflow cannot be read.
    """
    return open_run(paths).read()


@contextmanager
def _without_collector() -> Iterator[None]:
    """Keep Python from looking for garbage: among millions of new objects that takes as long as making them."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _job(
    node: Node,
    step: Step | None,
    state: JobState,
    histories: list[History],
    refused: Mapping[str, str] | None,
) -> Job:
    attempts: tuple[Attempt, ...] = ()
    for history in histories:
        attempts += history.attempts()
    if refused and node.name in refused:
        attempts += (Attempt(cluster=0, ending=Ending.FAILED, reason=refused[node.name]),)
    return Job(
        name=node.name,
        label=node.label,
        step=step,
        state=state,
        tags=node.tags,
        quanta=node.quanta,
        parents=node.parents,
        request_memory=node.request_memory,
        request_cpus=node.request_cpus,
        attempts=attempts,
        folder=node.folder,
    )


def _logs(nodes: Mapping[str, Node]) -> Iterator[Path]:
    for folder in sorted({node.folder for node in nodes.values()}):
        yield from sorted(folder.glob("*.log"))
