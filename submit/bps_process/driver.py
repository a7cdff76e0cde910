"""The caller's side of a BPS process: starts it, sends it a request, and raises its error here.

It returns the record of the run that the child, `worker`, has prepared, and submitted where no campaign DAG
does.
"""

__all__ = ["prepare_or_reuse", "prepare_run"]

import contextlib
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from ...bps import PlannedRun, dump_campaign
from ...common import errors
from ...common.environment import environment_for_batch
from ...common.errors import BpsError, PreconditionError
from ...common.files import find_files, make_folder, open_own, try_lock, write_atomically
from ...common.processes import end_session
from ...common.progress import Tell, show_progress
from ...ledger import RunPaths, RunRecord, read_run
from ..work import Work
from .worker import Request

_POLL = 0.1  # seconds
_GRACE = 10.0  # seconds that graph building gets to end before it is killed
_WAIT = 1.0  # seconds; what is waited for takes minutes

_log = logging.getLogger(__name__)


def prepare_run(
    work: Work,
    run: PlannedRun,
    *,
    files: RunPaths | None = None,
    submit: bool = False,
    watch: Callable[[Tell], None] | None = None,
    keep_open: tuple[int, ...] = (),
) -> RunRecord:
    """Let BPS build a run's graph and workflow with the order of visits, in a process of its own.

    Parameters
    ----------
    work
        What the run belongs to.
    run
        The run.
    files
        Where its files go, if not where the workspace keeps them; the folder must not hold a run yet.
    submit
        Whether to hand it to its WMS. If that has no queue of its own, as Parsl, the run has ended when this
        returns.
    watch
        Called again and again until that, with what tells how far it is.
    keep_open
        File descriptors that the process inherits.

    Returns
    -------
    record
        The run's record, written.

    Raises
    ------
    PreconditionError
        If the folder holds a run, or its association is refused; nothing is then left of it.
    BpsError
        If BPS fails; its message is the telling part of what BPS said.
    ApcampaignError
        If the repository or the APDB cannot be read.
    """
    workspace = work.workspace
    files = files or workspace.paths.run(run)
    if files.record.exists():
        # Two submissions within the same second would have the same name.
        raise PreconditionError(f"{files.folder} already holds a run", remedy="wait a second and try again")
    write_atomically(files.campaign, dump_campaign(workspace.campaign))
    _log.info("preparing %s", run.output_run)
    with tempfile.TemporaryDirectory(prefix="apcampaign-") as folder:
        request = Request(
            folder=files.folder,
            runs=workspace.runs.resolve(),
            run=run,
            apdb_config=work.apdb_config_of(run),
            deferred=tuple((*key, place) for key, place in sorted(work.deferred.items())),
            refuse_associated=work.refuse_associated,
            submit=submit,
            error=Path(folder) / "error.json",
            parent=os.getpid(),
        )
        try:
            with show_progress(f"preparing {run.output_run}") as tell:
                report = None if watch is None else partial(watch, tell)
                _call_worker(request, files.prepare_log, (*work.locks, *keep_open), report)
        except PreconditionError:
            shutil.rmtree(files.folder)  # it is no run
            raise
        except (KeyboardInterrupt, SystemExit, OSError):
            if not files.record.exists():
                shutil.rmtree(files.folder, ignore_errors=True)  # half-made, and nothing will complete it
            raise
    record = read_run(files)
    by_label = ", ".join(f"{count} {label}" for label, count in record.jobs.items())
    _log.info("%d quanta in %d jobs: %s", sum(record.quanta.values()), sum(record.jobs.values()), by_label)
    return record


def prepare_or_reuse(work: Work, run: PlannedRun) -> RunRecord:
    """Prepare a run, unless it is prepared, and whatever is left of an attempt that was cut off.

    HTCondor starts a job again that was running when its host or its daemons went down, and the process of before
    may go on meanwhile: then this waits until that has prepared the run, or has ended without. Parameters and
    errors as `prepare_run`.
    """
    files = work.workspace.paths.run(run)
    with _hold_preparation(files) as lock:
        if files.record.exists():
            return read_run(files)
        for leftover in (files.submit, *find_files(files.folder, ".graph-*")):
            shutil.rmtree(leftover, ignore_errors=True)
        return prepare_run(work, run, keep_open=(lock,))


@contextlib.contextmanager
def _hold_preparation(files: RunPaths) -> Iterator[int]:
    """Hold the right to prepare a run, once nobody else does; gives the descriptor that it is held with.

    BPS's process inherits it, so that it is held as long as one of the processes that prepare the run is there,
    also if this one was killed.
    """
    waits = False
    while True:
        make_folder(files.folder)
        try:
            handle = open_own(files.prepare_lock)
        except FileNotFoundError:  # whoever prepared it has just thrown it away
            continue
        try:
            if try_lock(handle, files.prepare_lock):
                if not _is_still(files.prepare_lock, handle):
                    continue
                yield handle
                return
        finally:
            os.close(handle)
        if not waits:
            _log.info("waiting for another process, which prepares %s", files.folder)
            waits = True
        time.sleep(_WAIT)


def _is_still(path: Path, handle: int) -> bool:
    """Tell whether a file that was opened has not been replaced or thrown away since."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _call_worker(
    request: Request, log: Path, keep_open: tuple[int, ...], report: Callable[[], None] | None
) -> None:
    """Do a request in a new process, and raise what it raised; end it if this process is interrupted."""
    command = [sys.executable, "-m", "apcampaign.submit.bps_process.worker"]
    with os.fdopen(open_own(log), "ab") as stream:
        process = subprocess.Popen(
            command,
            env=environment_for_batch(),
            stdin=subprocess.PIPE,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that what BPS starts can be ended with it
            pass_fds=keep_open,
        )
        try:
            _send(process, request)
            # Not one long wait: a signal that comes just before it would be looked at when it is over.
            while process.poll() is None:
                if report:
                    report()
                time.sleep(_POLL)
        except BaseException:
            end_session(process, _GRACE)
            raise
    if request.error.exists():
        content = json.loads(request.error.read_text(encoding="utf-8"))
        kind = getattr(errors, content["kind"])
        raise kind(content["what"], expected=content["expected"], remedy=content["remedy"])
    if process.returncode:
        raise BpsError(
            f"BPS's process ended with {process.returncode} and left no reason",
            remedy=f"see what it said last in {log}",
        )


def _send(process: "subprocess.Popen[bytes]", request: Request) -> None:
    """Write a request to the standard input of a process."""
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError), process.stdin as stream:
            stream.write(request.model_dump_json().encode())
