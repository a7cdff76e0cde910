"""Diagnosis: which states a campaign is in, from how it stands. Asks nobody."""

__all__ = ["diagnose"]

from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from ..common.text import count
from ..ordering import VisitDetector
from ..submit.resume.reasons import describe_standstill
from .health import CampaignHealth
from .model import Act, Condition, Finding

_DOCTOR = "`apcampaign doctor --fix`"
_SHOWN = 10
#: What is to be done where a file beside a record cannot be made again.
_REMEDIES = {
    "campaign.yaml": "restore it from a backup, or copy a campaign file there that says what was submitted",
    "plan.yaml": "restore it from a backup, or run what is not done undivided: `apcampaign resume --new-graph`",
}


def diagnose(health: CampaignHealth) -> tuple[Finding, ...]:
    """Name the states that a campaign is in, each with what mends it, in the order in which that is done."""
    kinds: tuple[Callable[[CampaignHealth], Iterator[Finding]], ...] = (
        _find_retirement,
        _find_records,
        _find_queue,
        _find_files,
        _find_collections,
        _find_losses,
        _find_unfinished,
        _find_unknown,
    )
    return tuple(chain.from_iterable(find(health) for find in kinds))


def _find_retirement(health: CampaignHealth) -> Iterator[Finding]:
    if (record := health.ledger.unfinished_retirement) is not None:
        yield Finding(
            condition=Condition.RETIREMENT,
            what=f"{record.by} began at {record.timestamp} to remove {record.what}, and that has not ended: "
            f"{record.progress}",
            remedy=f"if nobody does that now, go on with `{record.command}`",
        )


def _find_records(health: CampaignHealth) -> Iterator[Finding]:
    for error in health.damaged.values():
        yield Finding(
            condition=Condition.RECORD,
            what=error.what,
            remedy=f"{_DOCTOR} makes it again from the files beside it",
            acts=(Act.RECORDS,),
        )
    for copy in health.copies:
        yield Finding(
            condition=Condition.RECORD,
            what=copy.why,
            remedy=f"{_DOCTOR} makes it again from {copy.source}" if copy.text else _REMEDIES[copy.path.name],
            acts=(Act.COPIES,) if copy.text else (),
        )
    for path in health.ledger.unread:
        yield Finding(
            condition=Condition.RECORD,
            what=f"{path} cannot be read: it is not known what was removed, and whether that has ended",
            remedy=f"restore it from a backup, or {_DOCTOR} sets it aside as {path.stem}.damaged: what it told of "
            "counts as not done then, and what is left of that is removed with `apcampaign retire`",
            acts=(Act.RECORDS,),
        )


def _find_queue(health: CampaignHealth) -> Iterator[Finding]:
    if health.strays:
        ids = " ".join(job.id for job in health.strays[:_SHOWN])
        yield Finding(
            condition=Condition.STRAY_JOBS,
            what=f"{count(len(health.strays), 'job')} in the queue of no run that is recorded in "
            f"{health.workspace.paths.folder}: {ids}",
            remedy=f"{_DOCTOR} removes them",
            acts=(Act.JOBS,),
        )
    if health.orphans:
        ids = " ".join(job.id for job in health.orphans[:_SHOWN])
        yield Finding(
            condition=Condition.OLD_DAGMAN,
            what=f"a DAGMan in {health.orphans[0].folder} goes on though the campaign DAG that began it is not in "
            f"the queue any more: {ids}",
            remedy=f"{_DOCTOR} removes it with its jobs; then go on with `apcampaign resume`",
            acts=(Act.JOBS,),
        )
    removed = {job.id for job in health.orphans}
    for each in health.active:
        if each.id is None and not each.end:
            yield Finding(
                condition=Condition.ELSEWHERE,
                what=f"{each.what}: {each.state}",
                remedy="see `apcampaign status` there; `apcampaign cancel` there removes it",
            )
        elif each.id is None or each.id not in removed:
            yield Finding(
                condition=Condition.ACTIVE,
                what=f"{each.what} has not ended: {each.state}",
                remedy=each.end or "look again when it has; see `apcampaign status`",
            )


def _find_files(health: CampaignHealth) -> Iterator[Finding]:
    if health.moved:
        yield Finding(
            condition=Condition.MOVED,
            what=f"the records of {count(len(health.moved), 'run')} name another folder than "
            f"{health.workspace.paths.folder}, where they are now",
            remedy=f"{_DOCTOR} writes down where they are",
            acts=(Act.PATHS,),
        )
    for run in health.unlinked:
        yield Finding(
            condition=Condition.MOVED,
            what=f"the submit directory {run.adopted_from} of {run.output_run}, which was adopted, is gone",
            remedy="if it was moved, name its new place: `apcampaign adopt`",
        )
    for log in health.logs:
        yield Finding(
            condition=Condition.LOG,
            what=f"{log.dag}.nodes.log lacks what became of some jobs, and `apcampaign status` does not know it",
            remedy=f"{_DOCTOR} fills it in from the logs of the jobs",
            acts=(Act.LOGS,),
        )
    for graph in health.graphs:
        yield Finding(
            condition=Condition.GRAPH,
            what=f"{graph.run.name}: {graph.why}",
            remedy="what is done is known from the repository, and new graphs are built of the rest",
            acts=(Act.GRAPHS,) if graph.foreign else (),
        )
    for rescue in health.rescues:
        yield Finding(
            condition=Condition.RESCUE,
            what=f"{rescue} is cut off",
            remedy="`apcampaign resume` builds new graphs of what is not done",
        )


def _find_collections(health: CampaignHealth) -> Iterator[Finding]:
    for run in health.unregistered:
        yield Finding(
            condition=Condition.OUTPUTS,
            what=f"{run.name}: all is done, and the repository does not know of it, since the last job of "
            f"{run.output_run} has failed",
            remedy=f"{_DOCTOR} registers its outputs",
            acts=(Act.REGISTER,),
        )
    for each in health.chains:
        what = f"the output collection {each.output} lacks" if each.there else f"{each.output} is gone, with"
        yield Finding(
            condition=Condition.CHAIN,
            what=f"{what} {', '.join((*each.lacking, *each.inputs)[:_SHOWN])}",
            remedy=f"{_DOCTOR} makes it again from the runs, which are there",
            acts=(Act.CHAINS,),
        )


def _find_losses(health: CampaignHealth) -> Iterator[Finding]:
    for loss in health.losses:
        later = sorted(loss.again - {*loss.lost, *loss.failed})
        lost = f"has lost rows of {_list(loss.lost)}, which were recorded" if loss.lost else ""
        failed = f"has rows of {_list(loss.failed)}, whose association failed" if loss.failed else ""
        built = f"; built on that: {_list(later)}" if later else ""
        yield Finding(
            condition=Condition.LOST,
            what=f"{loss.apdb_config} {' and '.join(filter(None, (lost, failed)))}{built}",
            remedy=f"{_DOCTOR} rolls back what is left of all of them, and associates them again in time order"
            if loss.obstacle is None
            else f"what was made of them is not known: {loss.obstacle}; put the graph back, or begin again with "
            "an empty APDB (`apcampaign start-over`)",
            acts=(Act.ROLLBACK, Act.RESUME) if loss.obstacle is None else (),
        )


def _find_unfinished(health: CampaignHealth) -> Iterator[Finding]:
    unit = health.unit
    if health.left:
        yield Finding(condition=Condition.LEFT, what=health.left.describe())
    if unit is None:
        return
    lines = "; ".join(line for each in unit.remaining for line in each.describe())
    untaken = unit.dag is not None and not unit.dag[1].cluster and not unit.dag[0].has_begun()
    if unit.dag is not None and untaken and not unit.broken:
        yield Finding(
            condition=Condition.UNSUBMITTED,
            what=f"HTCondor has never taken {unit.dag[0].dag}",
            remedy="`apcampaign resume` submits it as it was prepared",
            acts=(Act.RESUME,),
        )
    elif unit.dag is None and unit.runs and not any(run.output_run in health.begun for run in unit.runs):
        yield Finding(
            condition=Condition.UNSUBMITTED,
            what=f"{', '.join(run.output_run for run in unit.runs)} was prepared, and nothing has ever run it",
            remedy="`apcampaign resume` submits what is not done",
            acts=(Act.RESUME,),
        )
    else:
        mended = bool(unit.broken or health.graphs)
        yield Finding(
            condition=Condition.UNFINISHED,
            what="; ".join((lines, *describe_standstill(unit))),
            remedy=f"{unit.broken or 'what is done stays done'}: go on with `apcampaign resume`"
            if mended
            else "see `apcampaign failures`, then go on with `apcampaign resume`",
            acts=(Act.RESUME,) if mended else (),
        )


def _find_unknown(health: CampaignHealth) -> Iterator[Finding]:
    for error in health.unknown:
        yield Finding(condition=Condition.UNKNOWN, what=error.what, remedy=error.remedy)


def _list(keys: Sequence[VisitDetector]) -> str:
    shown = ", ".join(f"visit {visit} detector {detector}" for visit, detector in keys[:_SHOWN])
    return shown + (f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else "")
