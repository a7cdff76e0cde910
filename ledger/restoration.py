"""Records that were damaged, made again from the other files of their run or campaign DAG."""

__all__ = ["restore_dag_record", "restore_run"]

import json
import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from ..bps import Plan, PlannedRun, Step, read_option
from ..common.errors import LedgerError
from ..common.reading import read_bytes, read_text
from .paths import CampaignPaths, DagPaths, RunPaths
from .records import DagRecord, RunRecord

_APDB = re.compile(r"parameters:apdb_config=(\S+)")
_SCHEDD = re.compile(r"^schedd: (\S+)\n", re.MULTILINE)
_CLUSTER = re.compile(r"^000 \((\d+)\.", re.MULTILINE)
_UNREADABLE = (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, ValueError, ValidationError)


def restore_run(campaign: CampaignPaths, paths: RunPaths) -> RunRecord:
    """Make the record of a run again, from its BPS config, its jobs, and the plan that it is part of.

    What is in none of them is left out: the versions of the software, the hash of its configuration, and the id
    that a WMS other than HTCondor has given it.

    Parameters
    ----------
    campaign
        The campaign's files.
    paths
        The run's files.

    Raises
    ------
    LedgerError
        If one of these files cannot be read either.
    """
    timestamp, _, part = paths.folder.name.partition("-")
    try:
        config = yaml.safe_load(read_text(paths.config))
        payload = config["payload"]
        output_run = str(payload["outputRun"])
        planned = _find_planned(campaign, timestamp, output_run)
        jobs, quanta = _count_jobs(paths)
        return RunRecord(
            campaign=campaign.campaign,
            step=Step(paths.folder.parent.name),
            part=part,
            stage=planned.stage if planned else None,
            division=planned.division if planned else "",
            timestamp=timestamp,
            butler=payload["butlerConfig"],
            inputs=tuple(payload["inCollection"].split(",")),
            output=payload["output"],
            output_run=output_run,
            config=str(paths.config),
            submit_dir=str(paths.submit),
            graph=str(paths.graph(output_run)),
            wms_service=config["wmsServiceClass"],
            apdb_config=_find_apdb(config, campaign),
            query=planned.query if planned else "",  # then its config has it
            jobs=jobs,
            quanta=quanta,
            versions={},
            adopted_from=str(paths.submit.readlink()) if paths.submit.is_symlink() else "",
        )
    except _UNREADABLE as error:
        raise _lost(paths.record, error) from error


def restore_dag_record(paths: DagPaths) -> DagRecord:
    """Make the record of a campaign DAG again, from its plan, DAGMan's log, and what can be read of it.

    Raises
    ------
    LedgerError
        If its plan cannot be read either.
    """
    log = paths.dag.with_name(f"{paths.dag.name}.dagman.log")
    try:
        plan = Plan.from_dict(yaml.safe_load(read_text(paths.plan)))
        clusters = _CLUSTER.findall(read_text(log, errors="replace")) if log.exists() else []
        return DagRecord(
            campaign=paths.folder.parent.parent.name,
            timestamp=paths.folder.name,
            cluster=str(int(clusters[-1])) if clusters else "",
            runs=tuple(run.name for run in plan),
            schedd=_find_schedd(paths.record),
        )
    except _UNREADABLE as error:
        raise _lost(paths.record, error) from error


def _find_schedd(record: Path) -> str:
    """Find who has a campaign DAG in what is left of its record; empty if that is gone."""
    try:
        found = _SCHEDD.search(read_text(record, errors="replace"))
    except OSError:
        return ""
    return found[1].strip("'\"") if found else ""


def _find_planned(campaign: CampaignPaths, timestamp: str, output_run: str) -> PlannedRun | None:
    """Find a run in the plan that it is part of; `None` where there is no plan."""
    for files in (campaign.dag(timestamp), campaign.foreground(timestamp)):
        if files.plan.exists():
            plan = Plan.from_dict(yaml.safe_load(read_text(files.plan)))
            return next((run for run in plan if run.output_run == output_run), None)
    return None


def _find_apdb(config: dict[str, Any], campaign: CampaignPaths) -> str | None:
    """Find the APDB that a run fills, where it is now: one made for the campaign is in its folder."""
    found = _APDB.search(" ".join(read_option(str(config.get("extraQgraphOptions") or ""), "-c")))
    if found is None:
        return None
    own = Path(found[1]).name == campaign.apdb_config.name and campaign.apdb_config.exists()
    return str(campaign.apdb_config) if own else found[1]


def _count_jobs(paths: RunPaths) -> tuple[dict[str, int], dict[str, int]]:
    jobs: dict[str, int] = {}
    quanta: dict[str, int] = {}
    for job in json.loads(read_bytes(paths.jobs)):
        jobs[job["label"]] = jobs.get(job["label"], 0) + 1
        for label, number in job["quanta"].items():
            quanta[label] = quanta.get(label, 0) + number
    return jobs, quanta


def _lost(path: Path, error: Exception) -> LedgerError:
    return LedgerError(
        f"{path} cannot be made again from the files beside it: {' '.join(str(error).split())}",
        remedy=f"restore it from a backup, or move {path.parent} away, which gives that run up",
    )
