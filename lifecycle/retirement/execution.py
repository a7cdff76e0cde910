"""Plan of a retirement and its execution, which is written down before it begins, and after each part of it."""

__all__ = ["RetirementPlan", "execute_retirement"]

import logging
import socket
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ...apdb import ApdbTarget, remove_apdb
from ...bps import Step, make_timestamp
from ...common.butler import open_butler
from ...common.errors import ApcampaignError, PreconditionError
from ...common.files import find_files
from ...common.identity import user_name
from ...common.progress import show_progress
from ...ledger import (
    CampaignPaths,
    RetirementAct,
    RetirementKind,
    RetirementRecord,
    RetirementScope,
    Workspace,
    sum_acts,
    write_retirement,
)
from ...submit.preconditions.ledger_hold import hold_ledger
from ..archive import write_archive
from .choice import RetirementRequest
from .removal import (
    remove_chain,
    remove_datasets,
    remove_empty_folders,
    remove_files,
    remove_pending,
    remove_run,
)
from .state import RetirementState, find_activity
from .uses import find_uses_of_runs

#: How many folders above that of a RUN collection have the campaign's names: its step's, and its own. Those above
#: these are shared with the operator's other campaigns.
_OWN_FOLDERS = 2

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class RetirementPlan:
    """What is removed of a campaign.

    Parameters
    ----------
    state
        How it stands.
    request
        What was chosen.
    acts
        What is removed, in this order.
    notes
        What is to be said about it.
    obstacles
        Why it would be refused.
    archive
        The file into which the campaign's records are packed before, if they are.
    unfinished
        The retirement that goes on with this, if one was interrupted.
    """

    state: RetirementState
    request: RetirementRequest
    acts: tuple[RetirementAct, ...] = ()
    notes: tuple[str, ...] = ()
    obstacles: tuple[ApcampaignError, ...] = ()
    archive: Path | None = None
    unfinished: RetirementRecord | None = None
    dags: tuple[str, ...] = field(default=(), repr=False)

    @property
    def total(self) -> str:
        """How much is removed in all."""
        return sum_acts(self.acts)

    def describe(self) -> list[str]:
        """Say it in lines."""
        lines = []
        if self.unfinished is not None:
            lines.append(f"goes on with what {self.unfinished.by} began at {self.unfinished.timestamp}")
        if self.archive is not None:
            lines.append(f"pack the campaign's records into {self.archive}")
        for act in self.acts:
            lines.append(f"remove {act.describe()}")
            if act.dataset_types:
                lines.append(f"  {', '.join(act.dataset_types)}")
        if self.acts:
            lines.append(f"in all: {self.total}")
        lines += self.notes
        return [*lines, *(f"it would be refused: {error}" for error in self.obstacles)]

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values, for JSON."""
        return {
            "campaign": self.state.workspace.campaign.name,
            "scope": self.request.scope and str(self.request.scope),
            "holdings": self.state.holdings.as_dict(),
            "archive": self.archive and str(self.archive),
            "removes": [act.model_dump(mode="json") for act in self.acts],
            "goes_on": self.unfinished and self.unfinished.timestamp,
            "notes": list(self.notes),
            "obstacles": [str(error) for error in self.obstacles],
        }

    def execute(self) -> RetirementRecord:
        """Do it; raises as `execute_retirement`."""
        return execute_retirement(self)


def execute_retirement(plan: RetirementPlan) -> RetirementRecord:
    """Remove what was planned.

    What is to be removed is written down before, and what is done after each act: if this is killed, it goes on
    where it was when the same retirement is planned and executed again.

    Parameters
    ----------
    plan
        From `apcampaign.lifecycle.retirement.plan_retirement`.

    Returns
    -------
    record
        What was removed.

    Raises
    ------
    PreconditionError
        If there are obstacles, or the campaign has been submitted or is active since it was planned; then
        nothing is removed.
    ApcampaignError
        If a part cannot be removed; what was removed by then is written down.
    """
    if plan.obstacles:
        raise plan.obstacles[0]
    workspace = plan.state.workspace
    with hold_ledger(plan.state.ledger, tuple(Step)):
        # The steps are held, so that nobody submits; somebody may have between the plan and the answer to it.
        for obstacle in find_activity(workspace, plan.state.ledger, submitting=False):
            raise obstacle
        if plan.archive is not None and plan.unfinished is None:
            for line in write_archive(workspace, plan.archive).describe():
                _log.info("%s", line)
        record = plan.unfinished or _begin(plan)
        write_retirement(workspace.paths, record)
        for number, act in enumerate(record.acts):
            if act.done:
                continue
            with show_progress(f"removing {act.name}"):
                _execute(workspace, act)
            _log.info("removed %s", act.describe())
            acts = (*record.acts[:number], act.model_copy(update={"done": True}), *record.acts[number + 1 :])
            record = record.model_copy(update={"acts": acts})
            write_retirement(workspace.paths, record)
        for leftover in find_files(workspace.paths.pending.parent, ".*"):  # of a write that was killed
            leftover.unlink()
        record = record.model_copy(update={"ended": datetime.now(UTC).isoformat(timespec="seconds")})
        write_retirement(workspace.paths, record)
    return record


def _begin(plan: RetirementPlan) -> RetirementRecord:
    state = plan.state
    scope = plan.request.scope
    if scope is None:
        raise PreconditionError("nothing was chosen to be removed")
    return RetirementRecord(
        campaign=state.workspace.campaign.name,
        timestamp=_choose_timestamp(state.workspace.paths),
        scope=scope,
        by=f"{user_name()}@{socket.gethostname()}",
        runs=() if scope is RetirementScope.INTERMEDIATES else state.runs,
        dags=plan.dags,
        acts=plan.acts,
        archive="" if plan.archive is None else str(plan.archive.absolute()),
        dataset_types=plan.request.dataset_types,
        keep=plan.request.keep,
        keep_apdb=plan.request.keep_apdb,
        complete=state.complete,
    )


def _choose_timestamp(paths: CampaignPaths) -> str:
    """Choose the name of a new record: there may be one of this very second."""
    while paths.retirement(timestamp := make_timestamp()).exists():
        time.sleep(0.1)
    return timestamp


def _execute(workspace: Workspace, act: RetirementAct) -> None:
    paths = workspace.paths
    match act.kind:
        case RetirementKind.APDB:
            target = ApdbTarget.from_url(act.name, act.namespace)
            remove_apdb(target, act.prefix, workspace.campaign.name)
        case RetirementKind.FILES:
            remove_files(paths.folder, act.name)
        case _:
            _remove_collection(act, paths)
            if act.folder:
                remove_empty_folders(Path(act.folder), _OWN_FOLDERS)


def _remove_collection(act: RetirementAct, paths: CampaignPaths) -> None:
    purpose = f"{act.name} cannot be removed from {act.butler}"
    with open_butler(act.butler, purpose, writeable=True) as butler:
        if act.kind is RetirementKind.CHAIN:
            remove_chain(butler, act.name)
            return
        remove_pending(butler, paths.pending)
        # Only now it is known for certain: somebody may have come to use it since.
        for use in find_uses_of_runs(butler, [act.name], act.chains):
            raise PreconditionError(use.describe(), remedy="remove it from there, then go on")
        if act.kind is RetirementKind.RUN:
            remove_run(butler, act.name, act.chains, paths.pending)
        elif act.name in set(butler.collections.query("*")):
            remove_datasets(butler, act.name, act.dataset_types, paths.pending)
