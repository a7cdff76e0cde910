"""Runs as they were submitted: their plan, settings and APDB, whatever the campaign file says today."""

__all__ = ["find_current_dag", "find_filled_apdb", "read_planned_run", "read_submitted_campaign"]

from collections.abc import Iterable

import yaml

from ..bps import CampaignConfig, PlannedRun
from ..common.errors import LedgerError
from ..common.reading import read_text
from ..ledger import DagPaths, DagRecord, Ledger, RunRecord, Workspace


def read_planned_run(workspace: Workspace, record: RunRecord) -> PlannedRun:
    """Read from its BPS config what a run was planned as.

    Raises
    ------
    LedgerError
        If the config cannot be read.
    """
    path = workspace.paths.run(record).config
    try:
        config = yaml.safe_load(read_text(path))
        return PlannedRun(
            step=record.step,
            part=record.part,
            stage=record.stage,
            division=record.division,
            timestamp=record.timestamp,
            pipeline=str(config["pipelineYaml"]),
            query=record.query or str(config["payload"]["dataQuery"]),
            inputs=record.inputs,
            output=record.output,
        )
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError) as error:
        raise LedgerError(f"the BPS config {path} cannot be read: {type(error).__name__}: {error}") from error


def read_submitted_campaign(workspace: Workspace, record: RunRecord) -> CampaignConfig:
    """Read the campaign as it was when a run was submitted.

    Raises
    ------
    SettingsError
        If the copy of the campaign cannot be read.
    """
    files = workspace.paths.run(record)
    # Early versions kept no copy.
    return (workspace.as_submitted(files) if files.campaign.exists() else workspace).campaign


def find_current_dag(ledger: Ledger) -> tuple[DagPaths, DagRecord] | None:
    """Find the newest campaign DAG; none if HTCondor has not taken it, or a run was submitted by itself since.

    Of one run that was asked for, it is the DAG that it is a part of, if that is the newest.
    """
    if (
        ledger.chosen is not None
        and (dag := ledger.newest_dag)
        and dag[1].timestamp != ledger.chosen.timestamp
    ):
        return None
    newest_run = max((run.timestamp for run in ledger.runs), default="")
    dag = ledger.newest_dag
    return dag if dag and (dag[1].cluster or dag[0].has_begun()) and dag[1].timestamp >= newest_run else None


def find_filled_apdb(records: Iterable[RunRecord]) -> str | None:
    """Find the configuration of the APDB that the newest of some runs fills; `None` if none of them fills one."""
    filling = [record for record in records if record.apdb_config]
    newest = max(filling, key=lambda record: record.timestamp, default=None)
    return newest.apdb_config if newest else None
