"""Foreground executor: one run after the other from this process, with any WMS of BPS."""

__all__ = ["ForegroundExecutor", "cancel_command"]

import logging
import time
from collections.abc import Callable, Sequence

from ...bps import PlannedRun, Wms
from ...common.errors import EmptyGraphError, PreconditionError, SchedulerError
from ...common.files import find_files, write_atomically
from ...common.progress import show_progress
from ...ledger import DagPaths, DagRecord, Ledger, RunPaths, RunRecord, Workspace, is_submitting
from ...monitor import ACTIVE_STATES, find_parsl_processes, is_active, run_state
from ...monitor.outcomes import require_templates
from ..bps_process import prepare_run
from ..outputs.collections import join_step_output
from ..parts.outdated import forget_outdated
from ..parts.unfinished_visits import leave_out_unfinished
from ..work import Work
from .campaign_dag import announce
from .job_watch import JobWatch
from .protocol import ActiveRun, Submission, SubmittedRun

_POLL = 5.0  # seconds; what is waited for takes minutes
_LINGER = 3.0  # seconds in which workers end whose run has ended
_NOT_KNOWN = "UNKNOWN"
_UNKNOWN = 600.0  # seconds; a service elsewhere learns of a run late, or does not answer at times

_log = logging.getLogger(__name__)


class ForegroundExecutor:
    """Runs plans one run after the other, and stays until all have ended."""

    detached = False

    def submit(self, work: Work) -> Submission:
        """Run the plan to its end; errors as `Executor.submit`. What has not begun by then is not begun."""
        submitted = []
        files = work.workspace.paths.foreground(work.plan.timestamp)
        with announce(work, files):
            for number, run in enumerate(work.plan, 1):
                if work.plan.parents(run) and run.needs_templates:
                    _log.info("%s", require_templates(work.workspace.campaign, run).describe())
                place = f"{run.name} (run {number} of {len(work.plan.runs)})"
                if (done := _run(work, run, files, place)) is not None:
                    submitted.append(done)
        return Submission(
            campaign=work.workspace.campaign.name,
            timestamp=work.plan.timestamp,
            runs=tuple(submitted),
            ended=True,
        )

    def restart(self, work: Work, files: DagPaths, record: DagRecord) -> Submission:
        """Refuse: only DAGMan can go on with what has ended."""
        raise PreconditionError(f"{files.folder} is a campaign DAG, which only HTCondor can run")

    def find_active(self, ledger: Ledger) -> tuple[ActiveRun, ...]:
        """Find the runs that their WMS calls active; Parsl does not tell, but has processes."""
        found = []
        for run in ledger.current():
            if run.wms is Wms.HTCONDOR:  # which knows its own
                continue
            what = f"the {run.name} run {run.output_run}"
            if processes := _find_left_processes(ledger, run):
                state = "Parsl's workers and jobs on this host have outlived the process that began it"
                found.append(ActiveRun(what=what, state=state, end=f"end them: `kill {processes}`"))
            elif is_active(run):
                found.append(ActiveRun(what=what, state=f"it is {run_state(run)}", end=_how_to_end(run)))
        return tuple(found)

    def cancel(self, active: Sequence[ActiveRun]) -> None:
        """Refuse: the jobs belong to the process that submitted them.

        Raises
        ------
        PreconditionError
            Always; it says how that process is ended.
        """
        raise PreconditionError(
            "these runs are not in a queue: their jobs run in the process that submitted them",
            remedy="end that process (Ctrl-C), then go on with `apcampaign resume`",
        )

    def wait(self, workspace: Workspace) -> None:
        """Wait until the current runs have ended, as far as their WMS tells."""
        for record in workspace.read_ledger().current():
            _wait_for(record, workspace.paths.run(record))


def cancel_command(run: RunRecord) -> str:
    """Name the command of BPS that cancels a run of a service elsewhere; empty if the run is in a process here."""
    if run.wms is Wms.PARSL or not run.wms_id:
        return ""
    return f"`bps cancel --wms-service-class {run.wms_service} --id {run.wms_id}`"


def _how_to_end(run: RunRecord) -> str:
    return f"wait for it, or {cancel_command(run) or 'end the process that submitted it (Ctrl-C)'}"


def _find_left_processes(ledger: Ledger, run: RunRecord) -> str:
    """List the processes that are left of a run of Parsl whose own process is gone; empty if there are none."""
    if run.wms is not Wms.PARSL or is_submitting(ledger.paths.step(run.step)):
        return ""
    files = ledger.paths.run(run)
    logs = find_files(files.folder, "runinfo/[0-9]*/parsl.log")
    deadline = time.monotonic() + _LINGER
    while (found := find_parsl_processes(files.submit, logs)) and time.monotonic() < deadline:
        time.sleep(0.2)
    return " ".join(map(str, found))


def _run(work: Work, run: PlannedRun, files: DagPaths, place: str) -> SubmittedRun | None:
    """Prepare a run and run it to its end; `None` if it has nothing to do."""
    files_of_run = work.workspace.paths.run(run)
    forget_outdated(work, run)
    try:
        prepared = leave_out_unfinished(work, run)
        record = prepare_run(work, prepared, submit=True, watch=JobWatch(files_of_run, place))
    except EmptyGraphError:
        if not run.may_be_empty:
            raise
        _log.info("%s: nothing is to be done", run.name)
        write_atomically(files.empty(run.name), "")
        return None
    _log.info("submitted %s%s", run.output_run, f" as {record.wms_id}" if record.wms_id else "")
    _wait_for(record, files_of_run)
    if run.part:
        join_step_output(record.butler, record)
    return SubmittedRun(name=run.name, output=run.output, submit_dir=files_of_run.submit)


def _wait_for(record: RunRecord, files: RunPaths) -> None:
    watch = JobWatch(files, record.name)
    with show_progress(record.output_run) as tell:
        _wait_until_ended(record, lambda: watch(tell))


def _wait_until_ended(record: RunRecord, watch: Callable[[], None]) -> None:
    before, unknown = None, time.monotonic() + _UNKNOWN
    while (state := run_state(record)) in ACTIVE_STATES or state == _NOT_KNOWN:
        watch()
        if state != before:
            _log.info("%s: %s", record.output_run, state)
            before = state
        if state != _NOT_KNOWN:
            unknown = time.monotonic() + _UNKNOWN
        elif time.monotonic() > unknown:
            raise SchedulerError(
                f"{record.wms_service} has not known the state of {record.output_run} for {_UNKNOWN / 60:.0f} min",
                remedy=f"ask it about {record.wms_id or record.submit_dir}; when that has ended, continue with "
                "`apcampaign resume`",
            )
        time.sleep(_POLL)
