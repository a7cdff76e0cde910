"""The same campaign again, in an empty APDB, beside the old one: a new campaign file under a name that is free."""

__all__ = ["StartOverPlan", "StartOverRequest", "execute_start_over", "plan_start_over"]

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..bps import CampaignConfig, Step, compare_campaigns
from ..bps.yaml_reading import read_yaml
from ..common.errors import ApcampaignError, PreconditionError
from ..common.files import write_new
from ..ledger import CampaignPaths, Workspace, newest_of, read_sound_ledger
from ..monitor.submitted import read_submitted_campaign
from .free_names import FreeNames, choose_names
from .new_campaign import NewCampaign, StartOverRequest, draft_campaign, find_target, load_for

#: So many names are tried.
_MOST_NAMES = 50


@dataclass(frozen=True, kw_only=True)
class StartOverPlan:
    """How a campaign starts over.

    Parameters
    ----------
    old
        The old campaign.
    new
        The new one, and its file, which is to be written.
    folder
        The folder of the new one's runs.
    commands
        The commands that come next.
    obstacles
        Why it cannot be done.
    notes
        What there is to say about it.
    """

    old: CampaignConfig
    new: NewCampaign
    folder: Path
    commands: tuple[str, ...] = ()
    obstacles: tuple[ApcampaignError, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def apdb(self) -> str:
        """Where its APDB is to be, in words."""
        return "a database that is to be named" if self.new.target is None else self.new.target.place

    @property
    def changes(self) -> dict[str, Any]:
        """What its file has otherwise than the old one, by key; `None` for what it does not have."""
        return {".".join(key): value for key, value in self.new.changes.items()}

    def describe(self) -> list[str]:
        """Say it in lines."""
        campaign = self.new.campaign
        lines = [f"campaign {self.old.name} again, as {campaign.name}; the old one stays as it is"]
        lines.append(f"{self.new.file}: as the old file, but for")
        lines += [f"  {key}: {_show(value)}" for key, value in self.changes.items()]
        lines.append(
            f"collections {campaign.root_collection}/…, files in {self.folder}, an empty APDB in {self.apdb}"
        )
        if campaign.diffim.templates:
            lines.append(f"templates: those of {campaign.diffim.templates}")
        lines += self.notes
        lines += [f"it would be refused: {error}" for error in self.obstacles]
        return lines

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values, for JSON."""
        return {
            "old": self.old.name,
            "name": self.new.campaign.name,
            "file": str(self.new.file),
            "changes": self.changes,
            "output": self.new.campaign.root_collection,
            "folder": str(self.folder),
            "apdb": self.apdb,
            "templates": self.new.campaign.diffim.templates,
            "commands": list(self.commands),
            "obstacles": [str(error) for error in self.obstacles],
            "notes": list(self.notes),
        }

    def execute(self) -> Path:
        """Write the new campaign file; returns and raises as `execute_start_over`."""
        return execute_start_over(self)


def plan_start_over(request: StartOverRequest, runs: Path) -> StartOverPlan:
    """Decide how a campaign starts over. Changes nothing.

    Parameters
    ----------
    request
        What is asked for.
    runs
        The folder of all campaigns' runs.

    Returns
    -------
    plan
        Why it cannot be done is in its `obstacles`.

    Raises
    ------
    SettingsError
        If the old campaign file cannot be read, or not be edited.
    RepositoryError
        If the repository cannot be asked.
    ApdbError
        If the database cannot be asked.
    """
    old = Workspace(load_for(request, request.source), runs)
    file = read_yaml(request.source, "campaign file")
    known = FreeNames.read(old.campaign.butler) if request.check else FreeNames(None)
    before = find_target(old)
    obstacles: list[ApcampaignError] = []
    for attempt in range(1, 2 if request.name else _MOST_NAMES):
        names = choose_names(str(file.content["name"]), attempt, request.name)
        new = draft_campaign(request, old, file, names, before)
        taken = list(known.find_taken(new.campaign, runs, new.file, new.target))
        if new.target is not None and new.target == before:
            taken.append(f"the APDB in {before.place} is that of {old.campaign.name}")
        if not taken:
            break
    else:
        obstacles.append(
            PreconditionError(
                f"the names of {new.campaign.name} are not free: {'; '.join(taken)}",
                remedy="choose another with --name, or remove what is there",
            )
        )
    if request.keep_templates:
        obstacles += _refuse_keeping(old.campaign, known)
    return StartOverPlan(
        old=old.campaign,
        new=new,
        folder=CampaignPaths(runs, new.campaign.name).folder,
        commands=tuple(_list_commands(request, runs, new)),
        obstacles=tuple(obstacles),
        notes=tuple(_describe_edits(old, new.file)),
    )


def execute_start_over(plan: StartOverPlan) -> Path:
    """Write the new campaign file.

    Returns
    -------
    file
        Where it is.

    Raises
    ------
    PreconditionError
        If there are obstacles, or somebody has written that file since this was planned.
    OSError
        If the folder cannot be written to.
    """
    if plan.obstacles:
        raise plan.obstacles[0]
    try:
        write_new(plan.new.file, plan.new.text)
    except FileExistsError:
        raise PreconditionError(
            f"{plan.new.file} is there already", remedy="name another file, or plan anew"
        ) from None
    return plan.new.file


def _show(value: Any) -> str:
    if value is None:
        return "–"
    return f"[{', '.join(value)}]" if isinstance(value, list) else str(value)


def _list_commands(request: StartOverRequest, runs: Path, new: NewCampaign) -> Iterator[str]:
    words = ["--campaign", str(new.file)]
    words += [] if runs == Path("runs") else ["--runs", str(runs)]
    words += ["--day-obs", request.day_obs] if request.day_obs else []
    database = [] if new.target is not None else ["--db", "postgresql://user@host/database"]
    yield shlex.join(["apcampaign", "apdb", "init", *words, *database])
    yield shlex.join(["apcampaign", "submit", *words])


def _refuse_keeping(old: CampaignConfig, known: FreeNames) -> Iterator[PreconditionError]:
    templates = f"{old.root_collection}/{Step.TEMPLATES}"
    if Step.TEMPLATES not in old.steps:
        yield PreconditionError(
            f"campaign {old.name} makes no templates: it takes those of {old.diffim.templates}, which the new one "
            "takes too",
            remedy="leave --keep-templates out",
        )
    elif known.collections is not None and templates not in known.collections:
        yield PreconditionError(
            f"{old.butler} has no collection {templates}: campaign {old.name} has made no templates",
            remedy="leave --keep-templates out, and the new campaign makes its own",
        )


def _describe_edits(old: Workspace, file: Path) -> Iterator[str]:
    """Say in which settings the campaign file is not what was submitted."""
    runs = read_sound_ledger(old.paths)[0].runs
    if not runs:
        return
    if edited := compare_campaigns(old.campaign, read_submitted_campaign(old, newest_of(runs))):
        yield (
            f"warning: {old.campaign.name} was submitted last with other settings than its file has "
            f"({', '.join(edited)}); give them to the new one too, or write them into {file}"
        )
