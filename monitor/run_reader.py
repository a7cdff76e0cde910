"""Reader of the jobs of one run, once or repeatedly while the run is active."""

__all__ = ["JobReader", "RunReader", "open_run", "read_jobs"]

import gc
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from ..bps import Wms
from ..common.files import find_files
from ..ledger import Node, RunPaths, RunRecord, Workflow, read_dag, read_run, read_workflow
from .dagman import has_begun, read_errors, read_exit, read_rescue
from .event_log import EventLog
from .event_logs import EventLogs
from .history import History
from .jobs import Attempt, AttemptOutcome, Job, JobState
from .parsl_log import ParslReader

_log = logging.getLogger(__name__)

_AT_ONCE = 60.0  # seconds between the writing of an event to one log and to the other
_WAITING = {JobState.UNREADY, JobState.PRUNED}


class JobReader(Protocol):
    """Reads the jobs of a run repeatedly while it is active."""

    @property
    def dag(self) -> Path | None:
        """HTCondor's DAG, if HTCondor runs the jobs."""

    @property
    def begun(self) -> bool:
        """Whether anything shows that it was submitted, when it was last read."""

    @property
    def ended(self) -> bool:
        """Whether it had ended when it was last read."""

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
    record
        The record of the run that it is; `None` for the campaign DAG.
    order
        `RunPaths.order` of the run.
    """

    def __init__(
        self, dag: Path, workflow: Workflow, record: RunRecord | None = None, order: Path | None = None
    ):
        self.dag = dag
        self._workflow = workflow
        self._record = record
        self._order = order
        self._passed: set[str] = set()
        self._blocked: set[str] = set()
        self._log = EventLogs(dag)
        self._older: dict[str, list[History]] = {}
        self._rescued: frozenset[str] | None = None
        self._jobs: dict[str, Job] = {}
        self._begun = self._ended = self._told_lost = False
        self._refused: dict[str, str] | None = None

    @classmethod
    def of_dag(cls, dag: Path) -> "RunReader":
        """Read a DAG that is no run: the campaign DAG."""
        return cls(dag, read_dag(dag))

    @property
    def begun(self) -> bool:
        """Whether DAGMan had begun when the jobs were last read."""
        return self._begun

    @property
    def dags(self) -> tuple[Path, ...]:
        """Its DAG, and the DAGs inside of it that had begun when the jobs were last read."""
        return self._log.dags or (self.dag,)

    @property
    def inner_managers(self) -> frozenset[int]:
        """The ids of the DAGMan jobs of the DAGs inside of it."""
        nodes, histories = self._workflow.nodes, self._log.histories
        # Those that do nothing, with which BPS orders jobs too, all have the id 0.
        return frozenset(id_ for id_, history in histories.items() if id_ and history.node not in nodes)

    @property
    def ended(self) -> bool:
        """Whether DAGMan had ended when the jobs were last read."""
        return self._ended

    def read(self) -> list[Job]:
        """Read the jobs as they stand, in the workflow's order."""
        with _without_collector():
            return self._read()

    def _read(self) -> list[Job]:
        self._begun = has_begun(self.dag)
        self._ended = read_exit(self.dag) is not None
        changed = self._log.read()
        if self._order is not None:
            self._passed = {path.name for path in find_files(self._order, "failed/*")}
            self._blocked = {path.name for path in find_files(self._order, "blocked/*")}
        # Only a DAGMan that has ended tells which jobs HTCondor refused, and one that was resumed takes that back:
        # either may change the state of any job.
        if self._ended != (self._refused is not None):
            self._refused = self._read_refused() if self._ended else None
            self._jobs.clear()
        # A resumed DAGMan starts a new log, so that what happened before is known from the jobs' own logs only.
        rescued = read_rescue(self.dag)
        if rescued is not None and (rescued != self._rescued or not self._jobs):
            self._rescued = rescued
            self._older = self._read_older()
            self._jobs.clear()
        by_name: dict[str, list[History]] = {}
        for history in self._log.histories.values():
            by_name.setdefault(history.node, []).append(history)
        self._warn_of_lost(by_name)
        forgotten = changed - self._log.histories.keys()  # the log is a new one
        names = {self._log.histories[cluster].node for cluster in changed - forgotten}
        if forgotten or not self._jobs:
            names = set(self._workflow.nodes)
        states = self._find_states(names, by_name)
        for name, node in self._workflow.nodes.items():
            known = self._jobs.get(name)
            if known is None or name in names or known.state is not states[name]:
                histories = [*self._older.get(name, ()), *by_name.get(name, ())]
                self._jobs[name] = self._job(node, states[name], histories)
        return list(self._jobs.values())

    def _find_states(self, changed: set[str], histories: Mapping[str, list[History]]) -> dict[str, JobState]:
        """Find the states of all jobs; one that has not changed may be pruned, since a job before it failed."""
        states = {name: job.state for name, job in self._jobs.items()}
        for name in changed & set(self._workflow.nodes):
            states[name] = self._state(name, histories.get(name, ()))
        failed = {name for name, state in states.items() if state is JobState.FAILED}
        waiting = {name for name, state in states.items() if state in _WAITING}
        # While it is active, a failed association may still be tried again, or be passed.
        waited_for = (failed | waiting) - self._passed - self._blocked if self._ended else None
        pruned = self._workflow.prune(failed, waiting, waited_for) if failed else set()
        for name in waiting:
            states[name] = JobState.PRUNED if name in pruned else JobState.UNREADY
        return states

    def _state(self, name: str, histories: list[History] | tuple[()]) -> JobState:
        if histories:
            last = histories[-1]
            # A node succeeds if its script does; that of a job which later ones go past says nothing of the job.
            accepted = last.accepted and name not in self._passed
            return JobState.DONE if accepted and last.state is JobState.FAILED else last.state
        if name in self._passed or (self._refused and name in self._refused):
            return JobState.FAILED
        if name in self._blocked:  # also done, for DAGMan
            return JobState.UNREADY
        return JobState.DONE if self._rescued and name in self._rescued else JobState.UNREADY

    def _warn_of_lost(self, by_name: Mapping[str, list[History]]) -> None:
        """Warn, once, where jobs have events in logs of their own, and none in that of the DAG."""
        # While it is active, only a log without any event is worth the look at the folders of all jobs.
        if not self._begun or (self._log.histories and not self._ended):
            return
        if self._told_lost or self._log.told_damaged:
            return
        missing = {
            name: node
            for name, node in self._workflow.nodes.items()
            if name not in by_name and name not in self._older
        }
        logs = (path for path in _logs(missing) if path.name.rsplit(".", 2)[0] in missing)
        before = None if self._ended else time.time() - _AT_ONCE
        if lost := next((path for path in logs if _has_content(path, before)), None):
            self._told_lost = True
            _log.warning(
                "%s.nodes.log lacks events that %s has: what became of some jobs is not known from it; "
                "`apcampaign doctor --fix` fills it in when its DAG has ended",
                self.dag,
                lost.name,
            )

    def _read_refused(self) -> dict[str, str]:
        """Read which jobs HTCondor refused, of which its log knows nothing."""
        known = {history.node for history in self._log.histories.values()}
        return {name: why for name, why in read_errors(self.dag).items() if name not in known}

    def _read_older(self) -> dict[str, list[History]]:
        """Read from the jobs' own logs what happened before the DAG was resumed."""
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

    def _job(self, node: Node, state: JobState, histories: list[History]) -> Job:
        attempts: tuple[Attempt, ...] = ()
        for history in histories:
            attempts += history.attempts()
        if self._refused and node.name in self._refused:
            reason = self._refused[node.name]
            attempts += (Attempt(cluster=0, outcome=AttemptOutcome.FAILED, reason=reason),)
        return Job(
            name=node.name,
            label=node.label,
            step=self._record.step if self._record else None,
            run=self._record.name if self._record else "",
            state=state,
            tags=node.tags,
            quanta=node.quanta,
            parents=node.parents,
            order_parents=node.order_parents,
            request_memory=node.request_memory,
            request_cpus=node.request_cpus,
            attempts=attempts,
            folder=node.folder,
            final=node.final,
            subdag=node.subdag,
        )


def open_run(paths: RunPaths, record: RunRecord | None = None) -> JobReader:
    """Open the files of a run.

    Parameters
    ----------
    paths
        The run's files.
    record
        Its record, if it has been read already.

    Raises
    ------
    LedgerError
        If its record or its workflow cannot be read.
    """
    record = record or read_run(paths)
    with _without_collector():
        workflow = read_workflow(paths, record.output_run, expected=sum(record.jobs.values()))
    if record.wms is Wms.PARSL:
        return ParslReader.of_run(paths, workflow, record)
    return RunReader(paths.dag(record.output_run), workflow, record, paths.order)


def read_jobs(paths: RunPaths) -> list[Job]:
    """Read the jobs of a run from its files, which needs no HTCondor and works anywhere.

    Returns
    -------
    jobs
        In the workflow's order.

    Raises
    ------
    LedgerError
        If its record or its workflow cannot be read.
    """
    return open_run(paths).read()


@contextmanager
def _without_collector() -> Iterator[None]:
    """Switch the garbage collector off: among millions of new objects it takes as long as making them."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _has_content(path: Path, before: float | None) -> bool:
    """Tell whether there is something in a file, which was written before some time."""
    try:
        status = path.stat()
    except OSError:
        return False
    return status.st_size > 0 and (before is None or status.st_mtime < before)


def _logs(nodes: Mapping[str, Node]) -> Iterator[Path]:
    for folder in sorted({node.folder for node in nodes.values()}):
        yield from find_files(folder, "*.log")
