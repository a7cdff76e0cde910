"""Decision on what submit directories become: which step each is of, and what keeps it from being adopted."""

__all__ = ["AdoptionState", "decide_adoption"]

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ...bps import CampaignConfig, PlannedRun, Step, Wms, wms_kind
from ...common.errors import ApcampaignError, PreconditionError, SettingsError
from ...common.text import count
from ...ledger import Ledger, RunRecord, Workspace
from ...ordering import WRITER
from .adoption import Adoption
from .as_run import Expected, campaign_as_run, describe_differences, is_same_place
from .plan import AdoptionPlan
from .settings import RunSettings
from .submit_directory import Progress, SubmitDirectory

_NAME = re.compile(r"(\d{8}T\d{6}Z)(?:-(.+))?")


@dataclass(frozen=True, kw_only=True)
class AdoptionState:
    """What is to be known before it is decided on.

    Parameters
    ----------
    workspace, ledger
        The campaign, and what it has submitted or adopted.
    directories
        What each submit directory holds, or why it cannot be read.
    expected
        What each step of the campaign would be run with now.
    parts
        The parts of steps that the campaign has planned, by RUN collection.
    occupied
        Folders of runs that are being prepared.
    lost
        The RUN collections of adopted runs whose submit directory is not where it was any more.
    """

    workspace: Workspace
    ledger: Ledger
    directories: Mapping[Path, SubmitDirectory | ApcampaignError]
    expected: Mapping[Step, Expected] = field(default_factory=dict)
    parts: Mapping[str, PlannedRun] = field(default_factory=dict)
    occupied: frozenset[Path] = frozenset()
    lost: frozenset[str] = frozenset()


def decide_adoption(state: AdoptionState) -> AdoptionPlan:
    """Decide what submit directories become. Asks nobody.

    Returns
    -------
    plan
        With obstacles, if it cannot be done.
    """
    known = {run.output_run: run for run in state.ledger.runs}
    adoptions: list[Adoption] = []
    for folder, found in state.directories.items():
        if isinstance(found, ApcampaignError):
            error = PreconditionError(found.what, expected=found.expected, remedy=found.remedy)
            adoptions.append(Adoption(folder=folder, obstacles=(error,)))
            continue
        run = known.get(found.settings.output_run)
        if run is not None and run.output_run not in state.lost:
            adoptions.append(Adoption(folder=folder, found=found, record=run, known=True))
            continue
        adoption = _decide(state, found)
        taken = [each.record and (each.record.step, each.record.folder) for each in adoptions]
        if adoption.record and (adoption.record.step, adoption.record.folder) in taken:
            adoption = Adoption(
                folder=folder,
                found=found,
                obstacles=(PreconditionError(f"{folder} holds the same run as another of these folders"),),
            )
        adoptions.append(adoption)
    return AdoptionPlan(workspace=state.workspace, ledger=state.ledger, adoptions=tuple(adoptions))


def _decide(state: AdoptionState, found: SubmitDirectory) -> Adoption:
    """Decide on a run that the campaign does not know."""
    obstacles: list[ApcampaignError] = list(_find_obstacles(state, found))
    step = _find_step(state, found)
    if obstacles or step is None:
        return Adoption(folder=found.folder, found=found, obstacles=tuple(obstacles))
    expected = state.expected[step]
    record = _make_record(state, found, step)
    obstacles = list(_look_at_place(state, record))
    campaign = state.workspace.campaign
    try:
        if not record.part:
            campaign = campaign_as_run(campaign, found.settings, expected)
    except SettingsError as error:
        obstacles.append(PreconditionError(error.what))
    notes = [*_describe_progress(state, found, record), *_describe_unknown(found)]
    if not record.part:
        notes += describe_differences(found.settings, expected)
    return Adoption(
        folder=found.folder,
        found=found,
        record=record,
        campaign=campaign,
        obstacles=tuple(obstacles),
        notes=tuple(notes),
    )


def _find_step(state: AdoptionState, found: SubmitDirectory) -> Step | None:
    """Find the step whose output collection a run belongs to."""
    root = state.workspace.campaign.root_collection
    return next((step for step in state.expected if f"{root}/{step}" == found.settings.output), None)


def _find_obstacles(state: AdoptionState, found: SubmitDirectory) -> Iterator[ApcampaignError]:
    """Say why a run cannot be one of the campaign's."""
    campaign, run = state.workspace.campaign, found.settings
    if wms_kind(run.wms_service) not in (Wms.HTCONDOR, Wms.PARSL):
        yield PreconditionError(
            f"{found.folder} was submitted with {run.wms_service}",
            expected="the plugin of HTCondor or of Parsl, which leave files that tell what became of the jobs",
        )
        return
    if found.processes:
        named = " ".join(map(str, found.processes))
        yield PreconditionError(
            f"process {named.replace(' ', ', ')} still runs {run.output_run}",
            expected="a run of Parsl that has ended: no queue tells others that it is active",
            remedy=f"adopt it then, or end it before: `kill {named}`",
        )
    for what in found.damage:
        yield PreconditionError(what, remedy=f"restore {found.folder} from a backup, or submit it anew")
    if not found.damage and found.progress is Progress.PREPARED:
        yield PreconditionError(
            f"{run.output_run} was prepared, and nothing has ever run it",
            remedy="submit it first with `bps submit`",
        )
    if not found.damage and found.progress is Progress.UNTOLD:
        yield PreconditionError(
            f"no log of Parsl names {run.output_run}, so that nobody knows what became of its jobs",
            expected="Parsl's folder of logs ('runinfo') here, in the submit directory, or in a folder above that",
            remedy="call this in the folder in which `bps submit` was started",
        )
    if not is_same_place(run.butler, campaign.butler):
        yield PreconditionError(
            f"{run.output_run} is in the repository {run.butler}, the campaign in {campaign.butler}"
        )
    step = _find_step(state, found)
    if step is None:
        outputs = " or ".join(f"{campaign.root_collection}/{each}" for each in state.expected)
        yield PreconditionError(
            f"{run.output_run} belongs to {run.output or 'no output collection'}, not to campaign {campaign.name}",
            expected=f"a run in {outputs}",
            remedy=_explain_output(campaign, run),
        )
        return
    if not run.output_run.startswith(f"{run.output}/"):
        yield PreconditionError(f"{run.output_run} is not named after its output collection {run.output}")
    yield from _look_at_apdb(state, found)
    name = _NAME.fullmatch(run.output_run.rpartition("/")[2])
    if name and name[2] and run.output_run not in state.parts:
        yield PreconditionError(
            f"{run.output_run} is a part of step {step}, and the campaign has no plan with it",
            expected="a run of the whole step, or of a part that `apcampaign submit` has planned",
        )


def _explain_output(campaign: CampaignConfig, run: RunSettings) -> str:
    """Say what to do with a run in an output collection that is not the campaign's."""
    operator = str(run.kept.get("operator") or "")
    root = campaign.output_collection.format(operator=operator, name=campaign.name)
    if run.output in [f"{root}/{step}" for step in campaign.steps]:
        return f"it was generated by {operator}: write operator: {operator} into the campaign file"
    return "name the campaign file that it was generated from with --campaign"


def _look_at_apdb(state: AdoptionState, found: SubmitDirectory) -> Iterator[ApcampaignError]:
    """See whether a run that associates has filled the campaign's APDB."""
    if WRITER not in found.quanta:
        return
    ours, theirs = state.workspace.planned_apdb_config, found.settings.apdb_config
    if theirs is None:
        yield PreconditionError(
            f"which APDB {found.settings.output_run} fills cannot be told from its options",
            expected="-c parameters:apdb_config=… in extraQgraphOptions",
        )
    elif not is_same_place(theirs, ours):
        yield PreconditionError(
            f"{found.settings.output_run} fills the APDB {theirs}, the campaign {ours}",
            remedy=f"if that is the campaign's, write it into the campaign file: apdb: {{config: {theirs}}}",
        )


def _make_record(state: AdoptionState, found: SubmitDirectory, step: Step) -> RunRecord:
    """Make the record that a run gets."""
    run = found.settings
    name = _NAME.fullmatch(run.output_run.rpartition("/")[2])
    planned = state.parts.get(run.output_run)
    timestamp = name[1] if name else run.timestamp
    part = (name[2] or "") if name else ""
    files = state.workspace.paths.step(step) / (f"{timestamp}-{part}" if part else timestamp)
    return RunRecord(
        campaign=state.workspace.campaign.name,
        step=step,
        part=part,
        stage=planned.stage if planned else None,
        division=planned.division if planned else "",
        timestamp=timestamp,
        butler=state.workspace.campaign.butler,
        inputs=run.inputs,
        output=run.output,
        output_run=run.output_run,
        config=str(files / "bps.yaml"),
        submit_dir=str(files / "submit"),
        graph=str(files / "submit" / found.graph.name),
        wms_service=run.wms_service,
        wms_id=found.wms_id or None,
        apdb_config=state.workspace.planned_apdb_config if WRITER in found.quanta else None,
        query=planned.query if planned else "",
        jobs=dict(found.jobs),
        quanta=dict(found.quanta),
        versions=dict(found.versions),
        adopted_from=str(found.folder),
        schedd=found.schedd,
    )


def _list_others(state: AdoptionState, record: RunRecord) -> list[RunRecord]:
    """List the other runs of a run's step: one that is adopted anew, since it was moved, is among them already."""
    return [run for run in state.ledger.runs_of(record.step) if run.output_run != record.output_run]


def _look_at_place(state: AdoptionState, record: RunRecord) -> Iterator[ApcampaignError]:
    """See whether the folder that a run gets is free."""
    files = state.workspace.paths.run(record)
    others = {run.folder: run for run in _list_others(state, record)}
    if other := others.get(record.folder):
        yield PreconditionError(f"{files.folder} already holds {other.output_run}")
    elif files.folder in state.occupied:
        yield PreconditionError(
            f"{files.folder} already holds a run that is being prepared, or was cut off in that",
            remedy="see `apcampaign doctor`",
        )


def _describe_progress(state: AdoptionState, found: SubmitDirectory, record: RunRecord) -> Iterator[str]:
    """Say how a run stands, and what becomes of the campaign's others."""
    others = _list_others(state, record)
    current = [run for run in state.ledger.current(record.step) if run in others]
    newer = [run for run in current if run.timestamp > record.timestamp]
    if record.output_run in state.lost:
        yield "its submit directory was moved here"
    if newer and not record.part:
        yield f"{newer[-1].output_run} is newer, and goes on to count for step {record.step}"
    elif current and not record.part:
        which = current[0].output_run if len(current) == 1 else count(len(current), "run")
        yield f"it counts for step {record.step} instead of {which}"
    if found.progress is Progress.ELSEWHERE:
        yield (
            f"its DAGMan is in the queue of {found.schedd or 'another host'}: `apcampaign cancel` works there, "
            "and `apcampaign resume` when it has ended"
        )
    elif found.progress is Progress.LEFT:
        yield "it has left the queue without an end: `apcampaign doctor` looks for what is wrong"
    elif found.progress is Progress.STOPPED:
        yield "see that no process of another host runs it any more before `apcampaign resume`"


def _describe_unknown(found: SubmitDirectory) -> Iterator[str]:
    """Say what nobody can know of it."""
    if not found.versions:
        yield "BPS has not written down with which software it was submitted"
    if wms_kind(found.settings.wms_service) is not Wms.HTCONDOR:
        return
    if not found.schedd and found.progress not in (Progress.DONE, Progress.FAILED):
        yield "BPS has not written down at which scheduler it is"
