"""HTCondor executor: one campaign DAG for everything that is submitted."""

__all__ = ["HTCondorExecutor"]

import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence

from ...bps import Wms
from ...common.condor import (
    JobMark,
    dag_descendants,
    find_holds,
    find_marked,
    name_schedd,
    remove_marked,
)
from ...common.condor_submission import submit_file, write_dag_submission
from ...common.errors import EmptyGraphError, SchedulerError
from ...common.progress import show_progress
from ...ledger import DagPaths, DagRecord, Ledger, Workspace, write_dag_record
from ...monitor import JobState, read_jobs
from ..bps_process import prepare_run
from ..work import Work
from .campaign_dag import MARK, announce, write_campaign_dag, write_empty_run
from .elsewhere import decide_elsewhere, list_living, mark_dag, mark_run
from .protocol import ActiveRun, Submission, SubmittedRun

_POLL = 5.0  # seconds; what is followed takes minutes
_CANCEL_POLL = 1.0  # seconds; somebody waits at the terminal
_CANCEL_DEADLINE = 180.0  # seconds; a job may take its time to end
_SHOWN = (JobState.RUNNING, JobState.IDLE, JobState.HELD, JobState.FAILED, JobState.PRUNED)

_log = logging.getLogger(__name__)


class HTCondorExecutor:
    """Runs plans as DAGs of DAGMan, which go on when nobody is logged in."""

    detached = True

    def submit(self, work: Work) -> Submission:
        """Prepare the first run that has something to do, and submit the campaign DAG, which prepares the others.

        So a mistake is seen here, and jobs run while the other graphs are built. Errors as `Executor.submit`.
        """
        files = work.workspace.paths.dag(work.plan.timestamp)
        with announce(work, files) as record:
            prepared = _prepare_first(work, files)
        write_campaign_dag(work, prepared)
        write_dag_submission(
            files.dag,
            files.submit_file,
            batch_name=f"apcampaign+{work.workspace.campaign.name}",
            attributes={MARK: str(files.folder)},
        )
        return _submit(work, files, record)

    def restart(self, work: Work, files: DagPaths, record: DagRecord) -> Submission:
        """Submit a campaign DAG that has ended again: DAGMan goes on from its newest rescue DAG, if there is one.

        Raises
        ------
        SchedulerError
            If HTCondor does not take it.
        """
        for leftover in (files.metrics, files.summary):
            leftover.unlink(missing_ok=True)  # they would tell of the attempt before
        changes = {"resumed": record.resumed + 1, "remaining": work.remaining}
        return _submit(work, files, record.model_copy(update=changes))

    def find_active(self, ledger: Ledger) -> tuple[ActiveRun, ...]:
        """Find what of a campaign is in the queue: its DAGs, and what is left of runs whose DAG is not.

        Raises
        ------
        SchedulerError
            If HTCondor does not answer.
        """
        dags = {mark_dag(files): (files, record) for files, record in ledger.dags}
        runs = {mark_run(run): run for run in ledger.runs if run.wms is Wms.HTCONDOR}
        queued, of_runs = find_marked(dags), dict(find_marked(runs))
        living = tuple(list_living(ledger))
        found = list(decide_elsewhere(living, {*queued, *of_runs}, name_schedd())) if living else []
        for mark, ids in queued.items():
            files, record = dags[mark]
            own = [key for key, run in runs.items() if run.timestamp == record.timestamp]
            found.append(_describe_active(f"the campaign DAG {files.folder}", ids, (mark, *own)))
            for key in own:
                of_runs.pop(key, None)
        for mark, ids in of_runs.items():
            what = f"the {runs[mark].name} run {runs[mark].output_run}"
            found.append(_describe_active(what, ids, (mark,)))
        return tuple(found)

    def cancel(self, active: Sequence[ActiveRun]) -> None:
        """Remove what is active from the queue, and return when nothing of it is left.

        Raises
        ------
        SchedulerError
            If HTCondor does not answer, or something is left after three minutes.
        """
        marks = [mark for each in active for mark in each.marks]
        for each in active:
            _log.info("removing %s: %s", each.id, each.what)
        # Also what a DAG has begun since it was looked at.
        family = set(dag_descendants(_list_ids(marks)))
        remove_marked(marks, reason="apcampaign cancel")
        deadline = time.monotonic() + _CANCEL_DEADLINE
        while left := dag_descendants(family) | set(_list_ids(marks)):
            family |= left
            if time.monotonic() > deadline:
                ids = " ".join(sorted(left))
                raise SchedulerError(
                    f"these jobs are still in the queue: {ids}",
                    expected="their machines to confirm that they have ended",
                    remedy=f"see `condor_q -nobatch {ids}`; if one is lost for good, `condor_rm -forcex {ids}`",
                )
            time.sleep(_CANCEL_POLL)

    def wait(self, workspace: Workspace) -> None:
        """Wait until nothing of a campaign is in the queue, and log how its current runs stand.

        Raises
        ------
        SchedulerError
            If HTCondor does not answer, or DAGMan is held or was removed.
        """
        before = ""
        with show_progress("jobs in the queue") as tell:
            while active := self.find_active(ledger := workspace.read_ledger()):
                for each in active:
                    if each.marks and (
                        held := [hold for hold in find_holds(each.marks) if hold.job == each.id]
                    ):
                        raise SchedulerError(f"{each.what} is held: {held[0].reason}")
                runs = _count_states(ledger)
                if (now := _describe(runs)) != before:
                    _log.info("%s", now)
                    before = now
                states = sum(runs.values(), Counter())
                tell("jobs in the queue", states[JobState.DONE], states.total(), states[JobState.FAILED])
                time.sleep(_POLL)
        newest = ledger.newest_dag
        if newest is not None and not newest[0].metrics.exists():
            raise SchedulerError(
                f"the campaign DAG {newest[0].folder} left the queue without an end",
                remedy=f"see the end of {newest[0].dag}.dagman.out",
            )


def _prepare_first(work: Work, files: DagPaths) -> tuple[str, ...]:
    """Prepare the first run that has something to do; give its name, and those before it that have not."""
    names: list[str] = []
    for run in work.plan.ready:
        names.append(run.name)
        try:
            prepare_run(work, run)
        except EmptyGraphError:
            if not run.may_be_empty:
                raise
            _log.info("%s: nothing is to be done", run.name)
            write_empty_run(files, work.workspace.paths.run(run), run)
        else:
            break
    return tuple(names)


def _list_ids(marks: Sequence[JobMark]) -> list[str]:
    return [id_ for ids in find_marked(marks).values() for id_ in ids]


def _describe_active(what: str, ids: Sequence[str], marks: tuple[JobMark, ...]) -> ActiveRun:
    state = f"it is in the queue as {ids[0]}"  # DAGMan comes before its jobs
    if holds := find_holds(marks):
        state += f"; {len(holds)} of its jobs held, such as {holds[0].job}: {holds[0].reason}"
    return ActiveRun(what=what, state=state, id=ids[0], marks=marks)


def _submit(work: Work, files: DagPaths, record: DagRecord) -> Submission:
    """Submit a campaign DAG.

    It is in the ledger before HTCondor gets it, so that it is known, and found in the queue by its mark, also if
    this process ends in between; and whose queue that is, so that it is also known on other hosts.
    """
    try:
        record = record.model_copy(update={"schedd": name_schedd()})
        write_dag_record(files, record)
        cluster, schedd = submit_file(files.submit_file, work.locks)
    except SchedulerError as error:
        remedy = f"{error.remedy}; then submit what is prepared with `apcampaign resume`"
        raise SchedulerError(error.what, remedy=remedy) from error
    write_dag_record(files, record.model_copy(update={"cluster": cluster, "schedd": schedd or record.schedd}))
    runs = tuple(
        SubmittedRun(name=run.name, output=run.output, submit_dir=work.workspace.paths.run(run).submit)
        for run in work.plan
    )
    return Submission(
        campaign=work.workspace.campaign.name,
        timestamp=work.plan.timestamp,
        runs=runs,
        dag=files.dag,
        dagman_id=cluster,
    )


def _count_states(ledger: Ledger) -> dict[str, Counter[JobState]]:
    """Count the jobs of the newest runs by state."""
    newest = max((run.timestamp for run in ledger.runs), default="")
    return {
        run.name: Counter(job.state for job in read_jobs(ledger.paths.run(run)))
        for run in ledger.current()
        if run.timestamp == newest
    }


def _describe(runs: Mapping[str, Counter[JobState]]) -> str:
    """Say in a line how runs stand."""
    return "; ".join(f"{name}: {_describe_run(states)}" for name, states in runs.items()) or "waiting"


def _describe_run(states: Counter[JobState]) -> str:
    parts = [f"{states[state]} {state}" for state in _SHOWN if states[state]]
    return f"{states[JobState.DONE]}/{states.total()} jobs done" + (f", {', '.join(parts)}" if parts else "")
