"""Reader of a whole campaign: the files of its current runs, and HTCondor's queue for what they lack."""

__all__ = ["CampaignReader"]

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..bps import Step, Wms
from ..common.text import count, format_duration
from ..ledger import CampaignPaths, DagPaths, DagRecord, Ledger, RunRecord, is_submitting, read_ledger
from .idle_reasons import explain_waiting
from .jobs import Job, JobState
from .progress import count_labels, estimate_end
from .queue import Queue, ask_queue
from .run_reader import JobReader, RunReader, open_run
from .status import CampaignJobs, CampaignStatus, DagNode, RunState, RunStatus, StepStatus
from .submitted import find_current_dag

_QUEUED = {JobState.IDLE, JobState.RUNNING, JobState.HELD}
_SETTLED = 60.0  # seconds after which log and queue must agree


@dataclass(frozen=True)
class _Run:
    """A current run, what reads it, and whether it was ever handed to anything that runs it."""

    record: RunRecord
    folder: Path
    reader: JobReader
    jobs: tuple[Job, ...]
    submitted: bool
    interrupted: bool = False

    @property
    def active(self) -> bool:
        return self.submitted and not self.reader.ended and not self.interrupted

    @property
    def state(self) -> RunState:
        states = {job.state for job in self.jobs}
        if not self.submitted:
            return RunState.UNSUBMITTED
        if self.interrupted:
            return RunState.INTERRUPTED
        if self.reader.ended:
            return RunState.DONE if states <= {JobState.DONE} else RunState.FAILED
        order = (JobState.RUNNING, JobState.IDLE, JobState.HELD)
        return RunState(next((state for state in order if state in states), JobState.UNREADY))


@dataclass(frozen=True)
class _View:
    """What was read at one time."""

    ledger: Ledger
    dag: tuple[DagPaths, DagRecord] | None
    dag_reader: JobReader | None
    nodes: Sequence[Job]
    runs: tuple[_Run, ...]
    #: The steps that somebody is submitting, or runs in the foreground.
    submitting: frozenset[Step] = frozenset()

    @property
    def jobs(self) -> tuple[Job, ...]:
        return tuple(job for run in self.runs for job in run.jobs)

    @property
    def active(self) -> list[JobReader]:
        """What reads the runs, and the DAG, that have not ended."""
        readers = [run.reader for run in self.runs if run.active]
        return [*readers, self.dag_reader] if self.dag_reader and not self.dag_reader.ended else readers

    @property
    def managers(self) -> set[int]:
        """The ids of the DAGMan jobs."""
        clusters = {node.last.cluster for node in self.nodes if node.subdag and node.last}
        if self.dag and self.dag[1].cluster:
            clusters.add(int(self.dag[1].cluster))
        ids = [run.record.wms_id for run in self.runs if run.record.wms is Wms.HTCONDOR]
        return clusters | {int(float(wms_id)) for wms_id in ids if wms_id}

    def runs_of(self, step: Step) -> list[_Run]:
        return [run for run in self.runs if run.record.step is step]


class CampaignReader:
    """Reads a campaign repeatedly; what was read once is not read again.

    Parameters
    ----------
    paths
        The campaign's files.
    run
        The name of the run to look at (see `Ledger.find`); by default those that count.
    """

    def __init__(self, paths: CampaignPaths, run: str | None = None):
        self._paths = paths
        self._run = run
        self._readers: dict[Path, JobReader] = {}

    def read_jobs(self) -> CampaignJobs:
        """Read the jobs of the campaign's current runs from their files.

        Raises
        ------
        LedgerError
            If the campaign has no runs, or their files cannot be read.
        """
        view = self._view()
        return CampaignJobs(
            records=tuple(run.record for run in view.runs),
            states={run.record.name: run.state for run in view.runs},
            jobs=view.jobs,
            nodes=tuple(view.nodes),
        )

    def read(self) -> CampaignStatus:
        """Read the campaign's progress: from the files, and from the queue while anything is active.

        Raises
        ------
        LedgerError
            If the campaign has no runs, or their files cannot be read.
        """
        view = self._view(retired=True)
        readers = [reader for reader in view.active if isinstance(reader, RunReader)]
        dags = [dag for reader in readers for dag in reader.dags]
        inner = frozenset(id_ for reader in readers for id_ in reader.inner_managers)
        queue = ask_queue(dags, view.managers | inner) if dags else None
        now = time.time()
        return CampaignStatus(
            campaign=self._paths.campaign,
            time=now,
            active=bool(view.active or view.submitting),
            dag=tuple(_dag_node(node) for node in view.nodes),
            steps=tuple(_step_status(view, step, now) for step in Step if view.runs_of(step)),
            waiting=explain_waiting(view.jobs, queue or Queue()),
            unknown=(
                *_explain_unread(view.ledger),
                *(() if queue is None else _explain_unknown(queue, view, dags, now)),
            ),
            retired=view.ledger.retirements,
            jobs=view.jobs,
            nodes=tuple(view.nodes),
        )

    def _view(self, *, retired: bool = False) -> _View:
        """Read records and jobs.

        Runs that are to be made again, by the campaign DAG or by whoever goes on, are left out. There must be any,
        unless they may be retired.
        """
        everything = read_ledger(self._paths)
        ledger = everything.choose(self._run)
        dag = find_current_dag(ledger)
        if dag is None and not (retired and ledger.retirements):
            ledger.require_current()
        nodes: list[Job] = []
        dag_reader = None
        if dag:
            dag_reader = self._readers.get(dag[0].dag) or RunReader.of_dag(dag[0].dag)
            self._readers[dag[0].dag] = dag_reader
            nodes = dag_reader.read()
        runs = []
        submitting = frozenset(step for step in Step if is_submitting(self._paths.step(step)))
        if ledger.chosen is not None and ledger.chosen not in everything.current():
            submitting = frozenset()  # newer ones have replaced the run that was asked for
        to_come = {name for step in Step for name in ledger.absent_parts(step)}
        for record in ledger.current():
            if record.name in to_come:
                continue
            node = next((node for node in nodes if node.name == record.name), None)
            to_be_made = (dag[1].timestamp, record.name) not in ledger.empty if node and dag else False
            if dag and to_be_made and record.timestamp < dag[1].timestamp:
                continue
            reader = self._open(record)
            jobs = reader.read()
            submitted = (
                reader.begun
                or record.wms_id is not None
                or (node is not None and dag_reader is not None and not dag_reader.ended)
            )
            # Parsl's jobs run in the process that submits.
            gone = record.wms is Wms.PARSL and not reader.ended and record.step not in submitting
            if interrupted := submitted and gone:
                jobs = [_stop(job) for job in jobs]
            runs.append(
                _Run(record, self._paths.run(record).folder, reader, tuple(jobs), submitted, interrupted)
            )
        return _View(ledger, dag, dag_reader, nodes, tuple(runs), submitting)

    def _open(self, record: RunRecord) -> JobReader:
        paths = self._paths.run(record)
        if paths.folder not in self._readers:
            self._readers[paths.folder] = open_run(paths, record)
        return self._readers[paths.folder]


def _stop(job: Job) -> Job:
    """Give a job as it stands when what has run it is gone."""
    return replace(job, state=JobState.UNREADY) if job.state in _QUEUED else job


def _dag_node(node: Job) -> DagNode:
    last = node.last
    since = (last.ended or last.started or last.queued) if last else None
    return DagNode(name=node.name, state=node.state, since=since)


def _step_status(view: _View, step: Step, now: float) -> StepStatus:
    runs = view.runs_of(step)
    jobs = [job for run in runs for job in run.jobs]
    to_come = view.ledger.absent_parts(step)
    states = {run.state for run in runs}
    if to_come:
        goes_on = step in view.submitting or (view.dag_reader is not None and not view.dag_reader.ended)
        states.add(RunState.UNREADY if goes_on else RunState.FAILED)
    active = [run for run in runs if run.active]
    # What other runs of the step have done tells how long jobs take; what they have left undone is not to come.
    counted = [job for run in runs for job in run.jobs if run.active or job.state is JobState.DONE]
    starts = [a.started for job in jobs for a in job.attempts if a.started is not None]
    ends = [a.ended for job in jobs for a in job.attempts if a.ended is not None]
    return StepStatus(
        step=step,
        runs=tuple(
            RunStatus(
                name=run.record.name,
                output_run=run.record.output_run,
                folder=run.folder,
                state=run.state,
                jobs=Counter(job.state for job in run.jobs),
            )
            for run in runs
        ),
        state=next(state for state in RunState if state in states),
        labels=count_labels(jobs),
        estimate=estimate_end(counted, now) if active else None,
        began=min(starts, default=None),
        ended=None if active else max(ends, default=None),
        earlier_runs=view.ledger.count_earlier(step, len(runs)),
        to_come=to_come,
    )


def _written(file: Path) -> float | None:
    """Give the time at which a file was last written to; `None` of one that is not there."""
    try:
        return file.stat().st_mtime
    except FileNotFoundError:
        return None


def _explain_unread(ledger: Ledger) -> Iterator[str]:
    """Say which removals cannot be read."""
    for path in ledger.unread:
        yield f"{path} cannot be read, and what was removed is not known: see `apcampaign doctor`"


def _explain_unknown(queue: Queue, view: _View, dags: Sequence[Path], now: float) -> tuple[str, ...]:
    """Say what the files cannot tell."""
    logs = [dag.with_name(f"{dag.name}.nodes.log") for dag in dags]
    written = max((time for log in logs if (time := _written(log)) is not None), default=None)
    when = "before anything was written" if written is None else f"of {format_duration(now - written)} ago"
    if queue.problem is not None:
        return (
            f"{queue.problem}. What is shown is from the runs' files, the newest {when}; what idle jobs wait for, "
            "and whether they are still in the queue, is unknown",
        )
    what, schedd = "the campaign DAG", view.dag[1].schedd if view.dag else ""
    if not schedd:
        what, schedd = next((("the run", run.record.schedd) for run in view.runs if run.active), (what, ""))
    if not queue.managers and schedd and queue.schedd and schedd != queue.schedd:
        return (
            f"{what} is in the queue of {schedd}, and this host has that of {queue.schedd}: there it "
            "can be cancelled, and is known what idle jobs wait for. What is shown is from its files, the newest "
            f"{when}",
        )
    if not queue.managers:
        return (
            "HTCondor's queue on this host does not know these runs: they were submitted on another host, or left "
            "the queue without an end (`apcampaign doctor` looks for what is wrong). What is shown is from their "
            f"files, the newest {when}",
        )
    queued = {job.cluster for job in queue.jobs}
    lost = [
        job.name
        for run in view.runs
        for job in run.jobs
        if run.active and job.state in _QUEUED and job.last and job.last.cluster not in queued
    ]
    if lost and written is not None and now - written > _SETTLED:
        return (f"{count(len(lost), 'job')} active in the files, but not in the queue, such as {lost[0]}",)
    return ()
