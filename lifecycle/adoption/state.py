"""State before an adoption: the submit directories, and what the campaign has and would run itself."""

__all__ = ["plan_adoption", "read_adoption_state"]

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from ...bps import Plan, PlannedRun, Step, build_config, plan_campaign
from ...common.errors import ApcampaignError, LedgerError
from ...common.files import find_files
from ...common.progress import show_progress
from ...common.reading import read_text
from ...ledger import Ledger, Workspace
from .as_run import Expected
from .decide import AdoptionState, decide_adoption
from .plan import AdoptionPlan
from .submit_directory import SubmitDirectory, read_submit_directory


def plan_adoption(workspace: Workspace, folders: Sequence[Path]) -> AdoptionPlan:
    """Look at submit directories, and decide what they become. Changes nothing.

    Parameters
    ----------
    workspace
        The campaign.
    folders
        The submit directories.

    Returns
    -------
    plan
        What would be done. Why it cannot be done is in its `obstacles`.

    Raises
    ------
    ApcampaignError
        If the campaign's records, its site or its pipelines cannot be read.
    """
    return decide_adoption(read_adoption_state(workspace, folders))


def read_adoption_state(workspace: Workspace, folders: Sequence[Path]) -> AdoptionState:
    """Read all that is to be known; parameters and errors as `plan_adoption`."""
    ledger = workspace.read_ledger()
    directories: dict[Path, SubmitDirectory | ApcampaignError] = {}
    with show_progress("reading submit directories"):
        for folder in folders:
            try:
                directories[folder.resolve()] = read_submit_directory(folder)
            except ApcampaignError as error:
                directories[folder.resolve()] = error
    prepared = (path for step in Step for path in find_files(workspace.paths.step(step), "*/submit"))
    return AdoptionState(
        workspace=workspace,
        ledger=ledger,
        directories=directories,
        expected={step: _expect(workspace, step) for step in workspace.campaign.steps},
        parts={run.output_run: run for run in _list_planned(ledger) if run.part},
        occupied=frozenset(path.parent for path in prepared if not path.is_symlink()),
        lost=frozenset(
            run.output_run
            for run in ledger.runs
            if run.adopted_from and not workspace.paths.run(run).submit.exists()
        ),
    )


def _expect(workspace: Workspace, step: Step) -> Expected:
    """Plan a run of a step, and its BPS config as `apcampaign generate` writes it."""
    (run,) = plan_campaign(workspace.campaign, steps=[step]).runs
    config = build_config(
        workspace.campaign,
        run,
        workspace.site,
        submit_path=workspace.paths.run(run).submit,
        apdb_config=workspace.planned_apdb_config,
        environment=os.environ,
    )
    return Expected(run=run, config=config)


def _list_planned(ledger: Ledger) -> Iterator[PlannedRun]:
    """List the runs of all plans that the campaign has executed."""
    for files, _ in (*ledger.dags, *ledger.without_dag):
        if files.plan.exists():
            try:
                yield from Plan.from_dict(yaml.safe_load(read_text(files.plan)))
            except (OSError, UnicodeDecodeError, yaml.YAMLError, ValueError) as error:
                raise LedgerError(f"{files.plan} cannot be read: {' '.join(str(error).split())}") from error
