"""Plan of the fixes of a campaign, and its execution."""

__all__ = ["DoctorPlan", "execute_doctor", "plan_doctor"]

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..apdb import roll_back
from ..bps import Step
from ..common.files import write_atomically
from ..ledger import (
    DagPaths,
    Workspace,
    restore_dag_record,
    restore_run,
    write_dag_record,
    write_run,
)
from ..submit.executors import Submission
from ..submit.outputs.repair import Repair, execute_repair, find_unregistered
from ..submit.preconditions.ledger_hold import hold_ledger
from ..submit.resume import ResumeRequest, plan_resume
from .diagnosis import diagnose
from .health import CampaignHealth, read_health
from .logs import fill_log
from .losses import forget
from .model import Act, Condition, Finding
from .outputs import find_broken_chains, restore_chain
from .removal import remove_jobs

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class DoctorPlan:
    """The states that a campaign is in, and what is done about them.

    Parameters
    ----------
    health
        How it stands.
    findings
        The states.
    """

    health: CampaignHealth
    findings: tuple[Finding, ...]

    @property
    def acts(self) -> tuple[Act, ...]:
        """What is done, in its order; nothing goes on where associations are lost that cannot be made again."""
        wanted = {act for finding in self.findings for act in finding.acts}
        if any(loss.obstacle for loss in self.health.losses):
            wanted -= {Act.ROLLBACK, Act.RESUME}
        return tuple(act for act in Act if act in wanted)

    @property
    def good(self) -> bool | None:
        """Whether nothing is wrong, as far as it can be looked at; `None` if that cannot be known."""
        wrong = {finding.condition for finding in self.findings} - {Condition.ACTIVE, Condition.ELSEWHERE}
        return None if wrong == {Condition.UNKNOWN} else not wrong

    def describe(self) -> list[str]:
        """Say it in lines."""
        lines = [finding.describe() for finding in self.findings]
        for loss in self.health.losses:
            lines += [f"  {line}" for line in loss.rollback.describe() if loss.obstacle is None]
        if self.good:
            lines.append(f"nothing is wrong with campaign {self.health.workspace.campaign.name}")
            if self.findings:
                lines[-1] += (
                    " so far: its files, its collections and the APDB are looked at when it has ended"
                )
        return lines

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values, for JSON."""
        return {
            "campaign": self.health.workspace.campaign.name,
            "good": self.good,
            "findings": [finding.as_dict() for finding in self.findings],
            "acts": [str(act) for act in self.acts],
        }

    def execute(self) -> Submission | None:
        """Do it; raises as `execute_doctor`."""
        return execute_doctor(self)


def plan_doctor(workspace: Workspace) -> DoctorPlan:
    """Look at a campaign, and decide how it is fixed. Changes nothing.

    Raises
    ------
    ApcampaignError
        If the folder of its runs cannot be read.
    """
    health = read_health(workspace)
    return DoctorPlan(health=health, findings=diagnose(health))


def execute_doctor(plan: DoctorPlan) -> Submission | None:
    """Fix a campaign.

    Returns
    -------
    submission
        What was submitted, if the campaign goes on.

    Raises
    ------
    PreconditionError
        If somebody is submitting it, or has since it was looked at; then nothing is done.
    ApcampaignError
        If something of it cannot be done; what was done by then stays, and can be looked at again.
    """
    health = plan.health
    acts: Mapping[Act, Callable[[CampaignHealth], None]] = {
        Act.RECORDS: _restore_records,
        Act.COPIES: _restore_copies,
        Act.JOBS: _remove_jobs,
        Act.PATHS: _write_paths,
        Act.LOGS: _fill_logs,
        Act.GRAPHS: _set_graphs_aside,
        Act.REGISTER: _register_outputs,
        Act.CHAINS: _restore_chains,
        Act.ROLLBACK: _roll_back,
    }
    # Else associations would be rolled back under jobs that somebody has submitted since, or these be strays.
    with hold_ledger(health.ledger, tuple(Step)):
        for act in plan.acts:
            if act in acts:
                acts[act](health)
    if Act.RESUME not in plan.acts:
        return None
    return plan_resume(health.workspace, ResumeRequest()).execute()


def _restore_records(health: CampaignHealth) -> None:
    for files in health.damaged:
        _log.info("making the record in %s again", files.folder)
        if isinstance(files, DagPaths):
            write_dag_record(files, restore_dag_record(files))
        else:
            write_run(files, restore_run(health.workspace.paths, files))
    for path in health.ledger.unread:
        _log.info("setting %s aside", path)
        path.replace(path.with_suffix(".damaged"))


def _restore_copies(health: CampaignHealth) -> None:
    for copy in health.copies:
        if copy.text:
            _log.info("making %s again from %s", copy.path, copy.source)
            write_atomically(copy.path, copy.text)


def _remove_jobs(health: CampaignHealth) -> None:
    jobs = (*health.strays, *health.orphans)
    _log.info("removing %s", " ".join(job.id for job in jobs))
    remove_jobs(health.workspace.paths.folder, jobs)


def _write_paths(health: CampaignHealth) -> None:
    for run in health.moved:
        write_run(health.workspace.paths.run(run), run)


def _fill_logs(health: CampaignHealth) -> None:
    for log in health.logs:
        _log.info("filling in %d events of %s.nodes.log", fill_log(log.dag, log.sources), log.dag)


def _set_graphs_aside(health: CampaignHealth) -> None:
    for graph in health.graphs:
        if graph.foreign:
            path = Path(graph.run.graph)
            path.replace(path.with_suffix(".foreign.qg"))


def _register_outputs(health: CampaignHealth) -> None:
    execute_repair(Repair(unregistered=health.unregistered))
    for chain in find_broken_chains(health.ledger):  # they lacked what was not there
        restore_chain(health.ledger, chain)


def _restore_chains(health: CampaignHealth) -> None:
    for chain in health.chains:
        restore_chain(health.ledger, chain)


def _roll_back(health: CampaignHealth) -> None:
    for files, _ in health.ledger.dags:
        # In rescue DAGs these associations are done: also whoever resumes later must not go on with them.
        write_atomically(files.rolled_back, "")
    for loss in health.losses:
        # What the repository does not know cannot be forgotten, and would count as done when it is registered.
        execute_repair(
            Repair(unregistered=find_unregistered(health.ledger, health.ledger.same_apdb(loss.apdb_config)))
        )
        # What fails from here on is found as lost again.
        roll_back(loss.rollback)
        removed = forget(health.ledger, loss.again, loss.reaches)
        _log.info("rolled back in %s; %d datasets of it are forgotten", loss.apdb_config, removed)
