"""Looking at a whole campaign: the files of its newest runs, and the queue for what they cannot tell."""

__all__ = ["CampaignReader"]

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from ...bps import Step
from ...common.errors import SubmissionError
from ..ledger import RunRecord, list_chains, list_runs, read_chain_record
from ..paths import CampaignPaths, ChainPaths, RunPaths
from .jobs import Job, JobState
from .progress import count_labels, estimate_end
from .queue import Queue, ask_queue
from .reading import JobReader, RunReader, open_run
from .status import CampaignStatus, ChainNode, StepStatus
from .waiting import explain_waiting

_ACTIVE = {JobState.IDLE, JobState.RUNNING, JobState.HELD}
_SETTLED = 60.0  # seconds after which log and queue must agree


class CampaignReader:
    """Looks at a campaign again and again; what was read once is not read again.

    Parameters
    ----------
    paths
        The campaign's files.
    """

    def __init__(self, paths: CampaignPaths):
        self._paths = paths
        self._readers: dict[Path, JobReader] = {}

    def read_jobs(self) -> dict[Step, list[Job]]:
        """Read the jobs of the newest run of each step.

        Raises
        ------
        SubmissionError
            If the campaign has no runs, or they cannot be read.
        """
        _, _, newest = self._look()
        return {step: self._reader_of_run(record).read() for step, (record, _) in newest.items()}

    def read_chain(self) -> list[Job]:
        """Read the nodes of the newest chain as jobs; empty if there is none. Raises as `read_jobs`."""
        _, nodes, _ = self._look()
        return nodes

    def read_records(self) -> dict[Step, RunRecord]:
        """Read the pages of the newest run of each step; raises as `read_jobs`."""
        _, _, newest = self._look()
        return {step: record for step, (record, _) in newest.items()}

    def read(self) -> CampaignStatus:
        """Look at the campaign.

        Raises
        ------
        SubmissionError
            If it has no runs, or they cannot be read.
        """
        chain, nodes, newest = self._look()
        readers = {step: self._reader_of_run(record) for step, (record, _) in newest.items()}
        jobs = {step: reader.read() for step, reader in readers.items()}
        followed = [*readers.values(), *([self._readers[chain.dag]] if chain else [])]
        going_on = [reader for reader in followed if not reader.ended]
        dags = [reader.dag for reader in going_on if reader.dag]
        queue = ask_queue(dags, _managers(chain, nodes, newest)) if dags else None
        now = time.time()
        return CampaignStatus(
            campaign=self._paths.campaign,
            time=now,
            going_on=bool(going_on),
            chain=tuple(_chain_node(node) for node in nodes),
            steps=tuple(
                _step_status(record, jobs[step], readers[step].ended, earlier, now)
                for step, (record, earlier) in newest.items()
            ),
            waiting=explain_waiting(jobs, queue or Queue(answered=True)),
            unknown=() if queue is None else _explain_unknown(queue, jobs, dags, now),
        )

    def _look(self) -> tuple[ChainPaths | None, list[Job], dict[Step, tuple[RunRecord, int]]]:
        """Find the newest chain and its nodes, and the newest run of each step and how many there were before.

        A chain that is older than the newest run is left out, and so are runs that the chain will make again.
        """
        runs = {step: found for step in Step if (found := list_runs(self._paths, step))}
        newest_run = max((found[-1].timestamp for found in runs.values()), default="")
        chain = next((one for one in list_chains(self._paths)[-1:] if one.folder.name >= newest_run), None)
        if not runs and chain is None:
            raise SubmissionError(
                f"campaign {self._paths.campaign} has no runs in {self._paths.folder}; submit one first"
            )
        nodes: list[Job] = []
        if chain:
            if chain.dag not in self._readers:
                self._readers[chain.dag] = RunReader.of_dag(chain.dag)
            nodes = self._readers[chain.dag].read()
        coming = {node.name for node in nodes}
        newest = {
            step: (found[-1], len(found) - 1)
            for step, found in runs.items()
            if chain is None or step not in coming or found[-1].timestamp >= chain.folder.name
        }
        return chain, nodes, newest

    def _reader_of_run(self, record: RunRecord) -> "JobReader":
        paths = RunPaths(self._paths.step(record.step) / record.timestamp)
        if paths.folder not in self._readers:
            self._readers[paths.folder] = open_run(paths)
        return self._readers[paths.folder]


def _managers(
    chain: ChainPaths | None, nodes: Sequence[Job], newest: Mapping[Step, tuple[RunRecord, int]]
) -> set[int]:
    """Collect the ids of the DAGMan jobs."""
    clusters = {node.last.cluster for node in nodes if node.name in set(Step) and node.last}
    if chain:
        clusters.add(int(read_chain_record(chain).cluster))
    return clusters | {int(float(record.wms_id)) for record, _ in newest.values() if record.wms_id}


def _chain_node(node: Job) -> ChainNode:
    last = node.last
    since = None
    if last:
        since = last.ended or last.started or last.queued
    return ChainNode(name=node.name, state=node.state, since=since)


def _step_status(record: RunRecord, jobs: Sequence[Job], ended: bool, earlier: int, now: float) -> StepStatus:
    states = {job.state for job in jobs}
    if ended:
        state = JobState.DONE if states <= {JobState.DONE} else JobState.FAILED
    else:
        order = (JobState.RUNNING, JobState.IDLE, JobState.HELD)
        state = next((state for state in order if state in states), JobState.UNREADY)
    starts = [a.started for job in jobs for a in job.attempts if a.started is not None]
    ends = [a.ended for job in jobs for a in job.attempts if a.ended is not None]
    return StepStatus(
        step=record.step,
        output_run=record.output_run,
        folder=Path(record.submit_dir).parent,
        state=state,
        labels=count_labels(jobs),
        estimate=None if ended else estimate_end(jobs, now),
        began=min(starts, default=None),
        ended=max(ends, default=None) if ended else None,
        earlier_runs=earlier,
    )


def _explain_unknown(
    queue: Queue, jobs: Mapping[Step, Sequence[Job]], dags: Sequence[Path], now: float
) -> tuple[str, ...]:
    """Say what the files cannot tell."""
    logs = [dag.with_name(f"{dag.name}.nodes.log") for dag in dags]
    written = max((log.stat().st_mtime for log in logs if log.exists()), default=None)
    when = "before anything was written" if written is None else f"of {_age(now - written)} ago"
    if not queue.answered:
        return (
            f"{queue.problem}. What is shown is what the runs' files say, the newest {when}; what idle jobs wait "
            "for, and whether they are still in the queue, cannot be known",
        )
    if not queue.managers:
        return (
            "HTCondor's queue on this host does not know of these runs: they were submitted on another host, or "
            f"left the queue without an end. What is shown is what their files say, the newest {when}",
        )
    in_queue = {job.name for job in queue.jobs}
    lost = [
        job.name
        for of_step in jobs.values()
        for job in of_step
        if job.state in _ACTIVE and job.name not in in_queue
    ]
    if lost and written is not None and now - written > _SETTLED:
        return (f"{len(lost)} jobs that the files call active are not in the queue, such as {lost[0]}",)
    return ()


def _age(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
