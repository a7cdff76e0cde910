"""A run that ``bps submit`` has made, read from its submit directory. Changes nothing in it."""

__all__ = ["Progress", "SubmitDirectory", "read_submit_directory"]

import json
import re
import zipfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from ...bps import Wms, wms_kind
from ...common.condor import JobMark, find_marked, name_schedd
from ...common.errors import LedgerError, SchedulerError
from ...common.files import find_files
from ...ledger import Workflow
from ...ledger.paths import name_bps_run
from ...monitor import JobState, find_parsl_processes, is_dag_alive, read_exit
from ...monitor.parsl_log import ParslReader
from ...monitor.run_reader import RunReader
from .jobs import read_prepared_jobs
from .parsl import WORKFLOW, find_parsl_logs, find_process, read_parsl_jobs
from .settings import RunSettings, find_settings, read_settings

#: The names of distributions in run records, by those of the packages whose versions BPS writes down.
_PACKAGES = {
    "ctrl_bps": "lsst-ctrl-bps",
    "ctrl_bps_htcondor": "lsst-ctrl-bps-htcondor",
    "daf_butler": "lsst-daf-butler",
    "dax_apdb": "lsst-dax-apdb",
    "pipe_base": "lsst-pipe-base",
    "htcondor2": "htcondor",
    "python": "python",
}
_CLUSTER = re.compile(r"^000 \((\d+)\.", re.MULTILINE)


class Progress(StrEnum):
    """How far a run is, as its files and the queue tell."""

    PREPARED = "prepared"  #: nothing has ever run it
    ACTIVE = "active"  #: it is in the queue of this host
    ELSEWHERE = "elsewhere"  #: its DAGMan goes on, and this host's queue does not have it
    LEFT = "left"  #: it is not in the queue, and has not ended
    UNKNOWN = "unknown"  #: it has not ended, and HTCondor does not answer here
    STOPPED = "stopped"  #: Parsl has not ended it, and its process is not on this host
    UNTOLD = "untold"  #: what has run it has left no log where it was looked for
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class SubmitDirectory:
    """A run that BPS has made.

    Parameters
    ----------
    folder
        The submit directory.
    settings
        What BPS was told.
    graph
        The quantum graph.
    workflow
        Its jobs.
    jobs, quanta
        Their number by label.
    states
        The number of its jobs by state.
    progress
        How far it is.
    wms_id, schedd
        The id of its DAGMan job, and the scheduler that got it; empty where that is not known.
    versions
        Of the software that has submitted it, as far as BPS wrote it down.
    parsl_logs
        The logs of Parsl, one for each time that it was started.
    processes
        The processes that run it now, without a queue.
    damage
        What of it is gone or cut off, in sentences.
    """

    folder: Path
    settings: RunSettings
    graph: Path
    workflow: Workflow = field(default_factory=lambda: Workflow(nodes={}))
    jobs: Mapping[str, int] = field(default_factory=dict)
    quanta: Mapping[str, int] = field(default_factory=dict)
    states: Mapping[JobState, int] = field(default_factory=dict)
    progress: Progress = Progress.PREPARED
    wms_id: str = ""
    schedd: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    parsl_logs: tuple[Path, ...] = ()
    processes: tuple[int, ...] = ()
    damage: tuple[str, ...] = ()


def read_submit_directory(folder: Path) -> SubmitDirectory:
    """Read a submit directory.

    Parameters
    ----------
    folder
        The submit directory, as ``bps submit`` prints it.

    Raises
    ------
    LedgerError
        If it is none, or its settings cannot be read. What else of it is damaged is in the returned `damage`.
    RepositoryError
        If its graph cannot be read, though it is whole.
    """
    folder = folder.resolve()
    settings = read_settings(find_settings(folder))
    name = settings.name
    found = SubmitDirectory(folder=folder, settings=settings, graph=folder / f"{name}.qg")
    wms = wms_kind(settings.wms_service)
    if wms not in (Wms.HTCONDOR, Wms.PARSL):
        return found
    if name != name_bps_run(settings.output_run):
        what = f"BPS calls it {name}, and not after its output run {settings.output_run} (uniqProcName)"
        return replace(found, damage=(what,))
    found = replace(found, versions=_read_versions(folder / f"{name}.pkg.info.yaml"))
    return _read_htcondor(found) if wms is Wms.HTCONDOR else _read_parsl(found)


def _find_damage(found: SubmitDirectory, workflow: Path, kind: str) -> str:
    """Say which of the two files is gone or cut off without which nothing is known of a run; empty if none is."""
    if not workflow.exists():
        said = found.folder / "quantumGraphGeneration.out"
        see = f"; see {said}" if said.exists() and not found.graph.exists() else ""
        return f"BPS has submitted nothing of it, or its {kind} {workflow} is gone{see}"
    if not zipfile.is_zipfile(found.graph):
        state = "cut off" if found.graph.exists() else "gone"
        return f"its quantum graph {found.graph} is {state}, so that nobody knows its quanta"
    return ""


def _read_parsl(found: SubmitDirectory) -> SubmitDirectory:
    """Read a run that Parsl executes, in the process that has submitted it."""
    folder, settings = found.folder, found.settings
    if damage := _find_damage(found, folder / WORKFLOW, "workflow"):
        return replace(found, damage=(damage,))
    try:
        prepared = read_parsl_jobs(folder, found.graph)
    except LedgerError as error:
        return replace(found, damage=(str(error),))
    logs = find_parsl_logs(folder, settings.submit, settings.parsl_folder)
    called = Path(settings.submit or folder).name
    reader = ParslReader(folder, prepared.workflow, lambda: logs, called=called)
    states = Counter(job.state for job in reader.read())
    process = find_process(logs[-1]) if logs else None
    # Its workers and jobs outlive it if it is killed.
    processes = (process,) if process is not None else find_parsl_processes(folder, logs)
    if processes:
        progress = Progress.ACTIVE
    elif not logs:
        progress = Progress.UNTOLD if (folder / "logs").exists() else Progress.PREPARED
    elif not reader.ended:
        progress = Progress.STOPPED
    else:
        progress = Progress.FAILED if states.keys() - {JobState.DONE} else Progress.DONE
    return replace(
        found,
        workflow=prepared.workflow,
        jobs=prepared.jobs,
        quanta=prepared.quanta,
        states=states if logs else {},
        progress=progress,
        parsl_logs=logs,
        processes=processes,
    )


def _read_htcondor(found: SubmitDirectory) -> SubmitDirectory:
    """Read a run that is a DAG of HTCondor."""
    folder, name = found.folder, found.settings.name
    dag = folder / f"{name}.dag"
    wms_id, schedd = _read_id(folder, dag)
    found = replace(found, wms_id=wms_id, schedd=schedd)
    if damage := _find_damage(found, dag, "DAG"):
        return replace(found, damage=(damage,))
    try:
        prepared = read_prepared_jobs(dag, found.graph)
    except LedgerError as error:
        return replace(found, damage=(str(error),))
    reader = RunReader(dag, prepared.workflow)
    reader.read()
    progress = _find_progress(dag, name, schedd) if reader.begun or wms_id else Progress.PREPARED
    states = Counter(job.state for job in reader.read())  # it may just have ended
    if progress is Progress.DONE and states.keys() - {JobState.DONE}:
        progress = Progress.FAILED
    return replace(
        found,
        workflow=prepared.workflow,
        jobs=prepared.jobs,
        quanta=prepared.quanta,
        states=states,
        progress=progress,
        damage=prepared.damage,
    )


def _find_progress(dag: Path, name: str, schedd: str) -> Progress:
    """Find out how far a run is that has begun; it is done if it has ended."""
    if read_exit(dag) is not None:
        return Progress.DONE
    try:
        queued, here = find_marked([JobMark(("bps_run",), name)]), name_schedd()
    except SchedulerError:
        return Progress.UNKNOWN
    if queued:
        return Progress.ACTIVE
    if read_exit(dag) is not None:  # since it was looked at
        return Progress.DONE
    return Progress.ELSEWHERE if schedd != here and is_dag_alive(dag, dag) else Progress.LEFT


def _read_id(folder: Path, dag: Path) -> tuple[str, str]:
    """Read the id of the DAGMan job, and the name of its scheduler, from what BPS and HTCondor left."""
    for path in find_files(folder, "*.info.json"):
        try:
            ((schedd, jobs),) = json.loads(path.read_text(encoding="utf-8")).items()
            (wms_id,) = jobs
        except (OSError, ValueError, AttributeError, TypeError):
            continue  # it is cut off; then the log tells
        return str(wms_id), str(schedd)
    log = dag.with_name(f"{dag.name}.dagman.log")
    clusters = _CLUSTER.findall(log.read_text(encoding="utf-8", errors="replace")) if log.exists() else []
    return (f"{int(clusters[-1])}.0" if clusters else ""), ""


def _read_versions(path: Path) -> dict[str, str]:
    """Read the versions of the software; those that are not known are left out."""
    from lsst.utils.packages import Packages

    try:
        packages = Packages.read(str(path))
    except Exception:  # whatever foreign code below YAML may raise: they are of little use
        return {}
    return {_PACKAGES[name]: str(packages[name]).split()[0] for name in _PACKAGES if name in packages}
