"""How a campaign stands in all that may have gone wrong with it, read at once. Changes nothing."""

__all__ = ["CampaignHealth", "read_health"]

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..bps import Wms
from ..common.butler import open_butler
from ..common.condor import PlacedJob, find_below
from ..common.errors import ApcampaignError, LedgerError
from ..common.files import find_files
from ..ledger import (
    DagPaths,
    Ledger,
    RunPaths,
    RunRecord,
    Workspace,
    has_all_records,
    read_run,
    read_sound_ledger,
    read_workflow,
)
from ..monitor import find_damaged_rescue, open_run, read_exit
from ..monitor.outcomes import LeftBehind
from ..submit.executors import ActiveRun, find_unfinished
from ..submit.outputs.repair import find_unregistered
from ..submit.resume.state import CampaignState, SubmittedUnit, read_state
from .copies import find_broken_copies
from .graphs import find_broken_graphs
from .logs import is_cut
from .losses import find_losses
from .model import BrokenChain, BrokenCopy, BrokenGraph, CutLog, Loss
from .outputs import find_broken_chains


@dataclass(frozen=True, kw_only=True)
class CampaignHealth:
    """How a campaign stands.

    Parameters
    ----------
    workspace, ledger
        The campaign, and those of its records that can be read.
    damaged
        The files of the runs and campaign DAGs whose record cannot be read, and why.
    copies
        What is damaged or gone beside the records.
    active
        What has not ended. Then, and where a retirement has not ended or cannot be read, what comes after the
        queue has not been looked at; with damaged records, and copies that can be made again, nor has the queue.
    strays, orphans
        Jobs in the queue: those of no recorded run, and those of DAGMans whose campaign DAG is not in the queue.
    moved
        The runs whose record names another folder than the one that it is in.
    unlinked
        The adopted runs that count and whose submit directory is not where it was any more.
    unregistered
        The runs that count of which all is done but the registration of their outputs, if nothing else remains.
    logs, graphs, rescues, chains, losses
        What is damaged, gone or lost.
    unit
        What was submitted last of what is not done.
    left
        What earlier runs have left undone, if all else is done.
    unknown
        What could not be looked at, and why.
    begun
        The RUN collections of the runs that something has run.
    """

    workspace: Workspace
    ledger: Ledger
    damaged: Mapping[RunPaths | DagPaths, ApcampaignError] = field(default_factory=dict)
    copies: tuple[BrokenCopy, ...] = ()
    active: tuple[ActiveRun, ...] = ()
    strays: tuple[PlacedJob, ...] = ()
    orphans: tuple[PlacedJob, ...] = ()
    moved: tuple[RunRecord, ...] = ()
    unlinked: tuple[RunRecord, ...] = ()
    logs: tuple[CutLog, ...] = ()
    graphs: tuple[BrokenGraph, ...] = ()
    rescues: tuple[Path, ...] = ()
    unregistered: tuple[RunRecord, ...] = ()
    chains: tuple[BrokenChain, ...] = ()
    losses: tuple[Loss, ...] = ()
    unit: SubmittedUnit | None = None
    left: LeftBehind = field(default_factory=LeftBehind)
    unknown: tuple[ApcampaignError, ...] = ()
    begun: frozenset[str] = frozenset()


def read_health(workspace: Workspace) -> CampaignHealth:
    """Look at a campaign.

    Parameters
    ----------
    workspace
        The campaign.

    Returns
    -------
    health
        What could not be found out is in its `unknown`.
    """
    ledger, damaged = read_sound_ledger(workspace.paths)
    if damaged:
        return CampaignHealth(workspace=workspace, ledger=ledger, damaged=damaged)
    copies = find_broken_copies(workspace, ledger)
    if any(copy.text for copy in copies):
        return CampaignHealth(workspace=workspace, ledger=ledger, copies=copies)
    unlinked = tuple(
        run for run in ledger.current() if run.adopted_from and not ledger.paths.run(run).submit.exists()
    )
    unknown: list[ApcampaignError] = []

    def look[Found](find: Callable[[], Found], otherwise: Found) -> Found:
        try:
            return find()
        except ApcampaignError as error:
            # What does not answer is asked more than once; of what is damaged there is a finding.
            if str(error) not in map(str, unknown) and error.what not in (copy.why for copy in copies):
                unknown.append(error)
            return otherwise

    nothing: tuple[ActiveRun, ...] = ()
    nobody: tuple[PlacedJob, ...] = ()
    active = look(lambda: find_unfinished(ledger), nothing)
    queued = look(lambda: find_below(workspace.paths.folder), nobody) if _uses_htcondor(ledger) else nobody
    strays = tuple(job for job in queued if not _is_recorded(ledger, job))
    orphans = tuple(_find_orphans(job for job in queued if job not in strays))
    if unknown or active or strays or ledger.unfinished_retirement or ledger.unread:
        return CampaignHealth(
            workspace=workspace,
            ledger=ledger,
            copies=copies,
            active=active,
            strays=strays,
            orphans=_with_descendants(orphans, queued),
            unlinked=unlinked,
            unknown=tuple(unknown),
        )
    not_known: CampaignState | None = None
    state = look(lambda: read_state(workspace), not_known)
    return CampaignHealth(
        workspace=workspace,
        ledger=ledger,
        copies=copies,
        moved=tuple(run for run in ledger.runs if read_run(ledger.paths.run(run)) != run),
        unlinked=unlinked,
        logs=look(lambda: tuple(_find_cut_logs(ledger)), ()),
        graphs=look(lambda: find_broken_graphs(ledger), ()),
        rescues=tuple(_find_damaged_rescues(ledger)),
        unregistered=look(lambda: _find_unregistered(ledger), ()) if state and not state.unfinished else (),
        chains=look(lambda: find_broken_chains(ledger), ()),
        losses=look(lambda: find_losses(workspace, ledger), ()),
        unit=state.unfinished if state else None,
        left=state.left if state else LeftBehind(),
        unknown=tuple(unknown),
        begun=frozenset(run.output_run for run in ledger.current() if _has_begun(ledger, run)),
    )


def _find_unregistered(ledger: Ledger) -> tuple[RunRecord, ...]:
    """Find the runs that were not registered by their last job, nor by anybody since."""
    found = []
    for run in find_unregistered(ledger, ledger.current()):
        with open_butler(run.butler, f"whether it knows {run.output_run} cannot be asked") as butler:
            if not has_all_records(butler, run):
                found.append(run)
    return tuple(found)


def _has_begun(ledger: Ledger, run: RunRecord) -> bool:
    if run.wms_id is not None or ledger.paths.run(run).has_begun():
        return True
    try:
        reader = open_run(ledger.paths.run(run), run)
    except LedgerError:
        return False  # its jobs are not known
    reader.read()
    return reader.begun


def _uses_htcondor(ledger: Ledger) -> bool:
    return bool(ledger.dags) or any(run.wms is Wms.HTCONDOR for run in ledger.runs)


def _is_recorded(ledger: Ledger, job: PlacedJob) -> bool:
    """Tell whether a job is of a run or a campaign DAG that has a record."""
    known = [
        *(files.folder for files, _ in ledger.dags),
        *(ledger.paths.run(run).folder for run in ledger.runs),
    ]
    return any(job.folder.is_relative_to(folder) for folder in known)


def _find_orphans(jobs: Iterable[PlacedJob]) -> Iterator[PlacedJob]:
    """Find the DAGMan jobs that another one has submitted which is not in the queue any more."""
    listed = tuple(jobs)
    ids = {job.id for job in listed}
    return (job for job in listed if job.is_dagman and job.parent and job.parent not in ids)


def _with_descendants(begun: Iterable[PlacedJob], queued: Iterable[PlacedJob]) -> tuple[PlacedJob, ...]:
    """Add the jobs below some DAGMan jobs."""
    found = {job.id: job for job in begun}
    for job in queued:  # a job has a larger id than the one that has submitted it
        if job.parent in found:
            found[job.id] = job
    return tuple(found.values())


def _current(ledger: Ledger) -> list[RunRecord]:
    return [run for run in ledger.current() if run.wms is Wms.HTCONDOR]


def _current_dags(ledger: Ledger) -> list[DagPaths]:
    """List the campaign DAGs that have a run which counts."""
    timestamps = {run.timestamp for run in _current(ledger)}
    return [files for files, record in ledger.dags if record.timestamp in timestamps]


def _find_cut_logs(ledger: Ledger) -> Iterator[CutLog]:
    for run in _current(ledger):
        files = ledger.paths.run(run)
        if is_cut(dag := files.dag(run.output_run)):
            folders = {node.folder for node in read_workflow(files, run.output_run).nodes.values()}
            yield CutLog(dag, tuple(log for folder in sorted(folders) for log in find_files(folder, "*.log")))
    for dag_files in _current_dags(ledger):
        if is_cut(dag_files.dag):
            runs = find_files(ledger.paths.folder, f"*/{dag_files.folder.name}*/submit/*.dagman.log")
            yield CutLog(dag_files.dag, (dag_files.folder / "nodes.log", *runs))


def _find_damaged_rescues(ledger: Ledger) -> Iterator[Path]:
    dags = [ledger.paths.run(run).dag(run.output_run) for run in _current(ledger)]
    for dag in (*dags, *(files.dag for files in _current_dags(ledger))):
        # What an earlier attempt has left of a DAG that has succeeded is of no use any more.
        if read_exit(dag) != 0 and (rescue := find_damaged_rescue(dag)):
            yield rescue
