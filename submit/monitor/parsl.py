"""The jobs of a run that Parsl executes, as its log tells of them."""

__all__ = ["ParslReader"]

import re
from dataclasses import dataclass, field
from pathlib import Path

from ...bps import Step
from ..paths import RunPaths
from .jobs import Attempt, Ending, Job, JobState
from .workflow import Workflow

_LINE = re.compile(r"(\d+\.\d+) .*?: (?:Task|Parsl task) (\d+) (.*)")
_OUTPUT = re.compile(r"Standard out for task (\d+) will be redirected to (.+)\.stdout")
_STATE = re.compile(r"changing state from \w+ to (\w+)")
_ENDINGS = {
    "exec_done": Ending.DONE,
    "memo_done": Ending.DONE,
    "failed": Ending.FAILED,
    "fail_retryable": Ending.REQUEUED,
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
    paths
        The run's files.
    workflow
        Its jobs.
    step
        Of the campaign.
    """

    dag = None

    def __init__(self, paths: RunPaths, workflow: Workflow, step: Step | None = None):
        self._paths = paths
        self._workflow = workflow
        self._step = step
        self._logs = paths.submit / "logs"
        self._cleaned_up = False
        self.ended = False

    def read(self) -> list[Job]:
        """Read the jobs as they stand, in the workflow's order."""
        tasks = {task.name: task for task in self._read_log().values()}
        last = [name for name, node in self._workflow.nodes.items() if node.final]
        self.ended = self._cleaned_up and all(self._stderr(name).exists() for name in last)
        return [self._job(name, tasks.get(name)) for name in self._workflow.nodes]

    def _job(self, name: str, task: _Task | None) -> Job:
        node = self._workflow.nodes[name]
        return Job(
            name=name,
            label=node.label,
            step=self._step,
            state=task.state if task else self._state_of_local(name),
            tags=node.tags,
            quanta=node.quanta,
            parents=node.parents,
            request_memory=node.request_memory,
            request_cpus=node.request_cpus,
            attempts=tuple(task.attempts) if task else (),
            folder=(task and task.folder) or self._logs / node.label,
        )

    def _state_of_local(self, name: str) -> JobState:
        """Tell of a job that runs where Parsl does, which its log does not mention: the first or the last.

        Nothing tells when the last one ends; it takes seconds, and is called done when it has begun.
        """
        return JobState.DONE if self._stderr(name).exists() else JobState.UNREADY

    def _stderr(self, name: str) -> Path:
        return self._logs / name / f"{name}.stderr"

    def _read_log(self) -> dict[str, _Task]:
        tasks: dict[str, _Task] = {}
        # A folder for each time that it was started.
        for log in sorted(self._paths.folder.glob("runinfo/[0-9]*/parsl.log")):
            self._cleaned_up = False
            with log.open(encoding="utf-8", errors="replace") as stream:
                for line in stream:
                    if found := _OUTPUT.search(line):
                        task = tasks.setdefault(f"{log.parent.name}.{found[1]}", _Task())
                        # Its folder as it is here, not as it was where it ran.
                        said = self._logs / found[2].rpartition("/submit/logs/")[2]
                        task.name, task.folder = said.name, said.parent
                    elif found := _LINE.match(line):
                        task = tasks.setdefault(f"{log.parent.name}.{found[2]}", _Task())
                        _note(task, float(found[1]), found[3])
                    elif "Unregistered default DFK" in line:
                        self._cleaned_up = True
        return tasks


def _note(task: _Task, time: float, text: str) -> None:
    if not (found := _STATE.search(text)):
        return
    word = found[1]
    task.state = _STATES.get(word, task.state)
    if word == "launched":
        task.attempts.append(Attempt(cluster=0, queued=time, started=time))
    elif (ending := _ENDINGS.get(word)) and task.attempts:
        last = task.attempts[-1]
        task.attempts[-1] = Attempt(
            cluster=0,
            queued=last.queued,
            started=last.started,
            ended=time,
            ending=ending,
            exit_code=0 if ending is Ending.DONE else None,
        )
