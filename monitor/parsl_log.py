"""Parsl's log: the jobs of a run that Parsl executes."""

__all__ = ["ParslReader"]

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..common.files import find_files
from ..common.reading import open_text
from ..ledger import RunPaths, RunRecord, Workflow
from .jobs import Attempt, AttemptOutcome, Job, JobState

_LINE = re.compile(r"(\d+\.\d+) .*?: (?:Task|Parsl task) (\d+) (.*)")
_OUTPUT = re.compile(r"Standard out for task (\d+) will be redirected to (.+)\.stdout")
_STATE = re.compile(r"changing state from \w+ to (\w+)")
_ENDINGS = {
    "exec_done": AttemptOutcome.DONE,
    "memo_done": AttemptOutcome.DONE,
    "failed": AttemptOutcome.FAILED,
    "fail_retryable": AttemptOutcome.REQUEUED,
}
_STATES = {
    "launched": JobState.IDLE,
    "running": JobState.RUNNING,
    "exec_done": JobState.DONE,
    "memo_done": JobState.DONE,
    "failed": JobState.FAILED,
    "fail_retryable": JobState.IDLE,
    "dep_fail": JobState.PRUNED,
}


@dataclass(slots=True)
class _Task:
    state: JobState = JobState.UNREADY
    name: str = ""
    folder: Path | None = None
    attempts: list[Attempt] = field(default_factory=list)


class ParslReader:
    """Reads the jobs of one run from Parsl's log.

    Parsl tells when a job was handed to its workers and when it ended, but not when it began in between.

    Parameters
    ----------
    submit
        BPS's submit directory.
    workflow
        The jobs.
    find_logs
        Finds Parsl's logs, one for each time that it was started, the oldest first.
    called
        The name that the submit directory had when the jobs ran, wherever it was.
    order
        `RunPaths.order` of the run.
    record
        Its record; `None` if it has none.
    """

    dag = None

    def __init__(
        self,
        submit: Path,
        workflow: Workflow,
        find_logs: Callable[[], Iterable[Path]],
        *,
        called: str,
        order: Path | None = None,
        record: RunRecord | None = None,
    ):
        self._workflow = workflow
        self._find_logs = find_logs
        self._called = called
        self._order = order
        self._record = record
        self._logs = submit / "logs"
        self._cleaned_up = False
        self.begun = False
        self.ended = False

    @classmethod
    def of_run(cls, paths: RunPaths, workflow: Workflow, record: RunRecord) -> "ParslReader":
        """Read a run that has a record."""
        return cls(
            paths.submit,
            workflow,
            lambda: find_files(paths.folder, "runinfo/[0-9]*/parsl.log"),
            called=Path(record.adopted_from or paths.submit).name,
            order=paths.order,
            record=record,
        )

    def read(self) -> list[Job]:
        """Read the jobs as they stand, in the workflow's order."""
        tasks = {task.name: task for task in self._read_log().values()}
        last = [name for name, node in self._workflow.nodes.items() if node.final]
        self.ended = self._cleaned_up and all(self._stderr(name).exists() for name in last)
        return [self._job(name, tasks.get(name)) for name in self._workflow.nodes]

    def _job(self, name: str, task: _Task | None) -> Job:
        node = self._workflow.nodes[name]
        if task:
            self._correct(name, task)
        else:
            task = self._read_local(name)
        return Job(
            name=name,
            label=node.label,
            step=self._record.step if self._record else None,
            run=self._record.name if self._record else "",
            state=task.state,
            tags=node.tags,
            quanta=node.quanta,
            parents=node.parents,
            order_parents=node.order_parents,
            request_memory=node.request_memory,
            request_cpus=node.request_cpus,
            attempts=tuple(task.attempts),
            folder=task.folder or self._logs / node.label,
            final=node.final,
        )

    def _correct(self, name: str, task: _Task) -> None:
        """Correct what Parsl knows of a job that counts as done for it, so that later visits go past it."""
        if self._order is None:
            return
        if (self._order / "blocked" / name).exists():
            task.state, task.attempts = JobState.PRUNED, []
        elif (self._order / "failed" / name).exists():
            task.state = JobState.FAILED
            task.attempts[-1:] = [
                replace(last, outcome=AttemptOutcome.FAILED, exit_code=None) for last in task.attempts[-1:]
            ]

    def _read_local(self, name: str) -> _Task:
        """Read how the first or the last job stands, which Parsl's log does not mention.

        They run where Parsl does. Nothing tells when the last one ends; it takes seconds, and counts as done when
        it has begun, unless whoever ran it has noted that it failed.
        """
        stderr = self._stderr(name)
        if self._order is None or not (self._order / "failed" / name).exists():
            return _Task(JobState.DONE if stderr.exists() else JobState.UNREADY)
        ended = stderr.stat().st_mtime if stderr.exists() else None
        attempt = Attempt(cluster=0, queued=ended or 0.0, ended=ended, outcome=AttemptOutcome.FAILED)
        return _Task(JobState.FAILED, attempts=[attempt])

    def _stderr(self, name: str) -> Path:
        return self._logs / name / f"{name}.stderr"

    def _read_log(self) -> dict[str, _Task]:
        tasks: dict[str, _Task] = {}
        for log in self._find_logs():
            self.begun, self._cleaned_up = True, False
            with open_text(log, errors="replace") as stream:
                for line in stream:
                    if found := _OUTPUT.search(line):
                        task = tasks.setdefault(f"{log.parent.name}.{found[1]}", _Task())
                        # Its folder as it is here, not as it was where it ran.
                        output = self._logs / found[2].rpartition(f"/{self._called}/logs/")[2]
                        task.name, task.folder = output.name, output.parent
                    elif found := _LINE.match(line):
                        task = tasks.setdefault(f"{log.parent.name}.{found[2]}", _Task())
                        _note(task, float(found[1]), found[3])
                    elif "Unregistered default DFK" in line:
                        self._cleaned_up = True
        return tasks


def _note(task: _Task, time: float, text: str) -> None:
    if not (found := _STATE.search(text)):
        return
    state = found[1]
    task.state = _STATES.get(state, task.state)
    if state == "launched":
        task.attempts.append(Attempt(cluster=0, queued=time, started=time))
    elif (outcome := _ENDINGS.get(state)) and task.attempts:
        last = task.attempts[-1]
        task.attempts[-1] = Attempt(
            cluster=0,
            queued=last.queued,
            started=last.started,
            ended=time,
            outcome=outcome,
            exit_code=0 if outcome is AttemptOutcome.DONE else None,
        )
