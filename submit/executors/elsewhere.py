"""What the scheduler of another host has of a campaign, which goes on with it as far as its files tell."""

__all__ = ["LivingDag", "decide_elsewhere", "list_living", "mark_dag", "mark_run"]

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from ...common.condor import JobMark
from ...ledger import DagPaths, Ledger, RunRecord
from ...monitor import has_begun, is_dag_alive
from .campaign_dag import MARK
from .protocol import ActiveRun


@dataclass(frozen=True)
class LivingDag:
    """A DAG whose files tell that its DAGMan goes on, on whatever host.

    Parameters
    ----------
    what
        What it is, in words.
    marks
        What its jobs have, and those of the DAG that it is a part of: they are in the same queue.
    schedd
        The name of the scheduler that it was given to; empty where that is not known.
    taken
        Whether that has answered that it has it.
    """

    what: str
    marks: tuple[JobMark, ...]
    schedd: str
    taken: bool = True


def mark_dag(files: DagPaths) -> JobMark:
    """What the jobs of a campaign DAG have; older versions gave them its folder only."""
    return JobMark((MARK, "Iwd"), str(files.folder))


def mark_run(run: RunRecord) -> JobMark:
    """What all jobs of a run have, DAGMan's included."""
    return JobMark(("bps_run",), run.bps_run)


def list_living(ledger: Ledger) -> Iterator[LivingDag]:
    """List the campaign DAGs that are alive, and runs that are without one of these.

    The DAGMan of a run goes on while that of its campaign DAG is held, and says nothing.
    """
    known = {record.timestamp: (files, record) for files, record in ledger.dags}
    alive = set()
    for files, record in ledger.dags:
        if is_dag_alive(files.dag, files.record):
            alive.add(record.timestamp)
            what = f"the campaign DAG {files.folder}"
            yield LivingDag(what, (mark_dag(files),), record.schedd, bool(record.cluster))
    for run in ledger.runs:
        if run.timestamp in alive:
            continue
        run_files = ledger.paths.run(run)
        dag = run_files.dag(run.output_run)
        # One that was submitted by itself has begun nothing yet, but is in a queue.
        if (run.schedd or has_begun(dag)) and is_dag_alive(dag, run_files.record):
            what, mark = f"the {run.name} run {run.output_run}", mark_run(run)
            if run.timestamp in known:
                dag_files, record = known[run.timestamp]
                yield LivingDag(what, (mark_dag(dag_files), mark), run.schedd or record.schedd)
            else:
                yield LivingDag(what, (mark,), run.schedd)


def decide_elsewhere(
    living: Iterable[LivingDag], queued: Collection[JobMark], here: str
) -> tuple[ActiveRun, ...]:
    """Decide what of DAGs that are alive another scheduler has. Asks nobody.

    Parameters
    ----------
    living
        The DAGs.
    queued
        What of them is in the queue of this host.
    here
        The name of its scheduler.
    """
    found = []
    for dag in living:
        if dag.schedd == here or not set(queued).isdisjoint(dag.marks):
            continue
        end = ""
        if dag.schedd and dag.taken:
            state = f"it is in the queue of {dag.schedd}, and this host has that of {here}"
        elif dag.schedd:
            state = f"it was given to the queue of {dag.schedd}, and this host has that of {here}"
        else:
            state = f"its files were written to in the last half hour, and it is not in the queue of {here}"
            end = "see `apcampaign status` on the host that it was submitted on"
        found.append(ActiveRun(what=dag.what, state=state, end=end))
    return tuple(found)
