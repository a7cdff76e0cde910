"""Run records and campaign DAG records: one YAML file each, written atomically."""

__all__ = [
    "DagRecord",
    "RunRecord",
    "hash_config",
    "newest_of",
    "read_dag_record",
    "read_record",
    "read_run",
    "write_dag_record",
    "write_run",
]

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..bps import Stage, Step, Wms, wms_kind
from ..common.errors import LedgerError
from ..common.files import write_atomically
from ..common.reading import read_text
from .paths import DagPaths, RunPaths, name_bps_run
from .versions import installed_versions


class RunRecord(BaseModel):
    """What is remembered of one run.

    Parameters
    ----------
    campaign, step, part, stage, division, timestamp
        Which run it is (`apcampaign.bps.PlannedRun`).
    butler
        The repository.
    inputs, output, output_run
        Its collections.
    config, submit_dir, graph
        Its files.
    wms_service, wms_id
        The BPS plugin that runs it, and the id it gave; none until it is submitted, or when it was
        submitted as a part of a campaign DAG.
    apdb_config
        The APDB that it fills, if it does.
    query
        The data query that selects its raw images; empty if its config has it.
    jobs, quanta
        Their number by label.
    config_hash
        SHA-256 of the BPS config without what names the run: the same for runs with the same configuration.
    versions
        Of the software that prepared it.
    adopted_from
        The submit directory of a run that was adopted: ``submit_dir`` leads there. Empty if the campaign has
        submitted it itself.
    schedd
        The name of the scheduler that got it, of a run that was adopted; empty where that is not known.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    campaign: str
    step: Step
    part: str = ""
    stage: Stage | None = None
    division: str = ""
    timestamp: str
    butler: str
    inputs: tuple[str, ...]
    output: str
    output_run: str
    config: str
    submit_dir: str
    graph: str
    wms_service: str
    wms_id: str | None = None
    apdb_config: str | None = None
    query: str = ""
    jobs: dict[str, int]
    quanta: dict[str, int]
    config_hash: str | None = None
    versions: dict[str, str] = Field(default_factory=installed_versions)
    adopted_from: str = ""
    schedd: str = ""

    @property
    def wms(self) -> Wms:
        """The WMS that runs its jobs."""
        return wms_kind(self.wms_service)

    @property
    def name(self) -> str:
        """Its name in the plan, and that of its node in the campaign DAG."""
        return f"{self.step}-{self.part}" if self.part else str(self.step)

    @property
    def bps_run(self) -> str:
        """The name that BPS gives it, which all of its jobs have as an attribute."""
        return name_bps_run(self.output_run)

    @property
    def folder(self) -> str:
        """Its name among the runs of its step."""
        return f"{self.timestamp}-{self.part}" if self.part else self.timestamp


class DagRecord(BaseModel):
    """What is remembered of a campaign DAG.

    Parameters
    ----------
    campaign, timestamp
        Which it is.
    cluster
        The id of its DAGMan job; the newest one after it was resumed. Empty if its runs are parts that a process
        in the foreground executes, without a DAG; and until HTCondor has taken it.
    runs
        The names of the runs that it executes; empty where an older version did not say.
    schedd
        The name of the scheduler that its DAGMan job is given to, also before that has taken it; empty where it
        is not known.
    resumed
        How often it was resumed.
    remaining
        What was not done when it was submitted or resumed last, in sentences.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    campaign: str
    timestamp: str
    cluster: str
    runs: tuple[str, ...] = ()
    schedd: str = ""
    resumed: int = 0
    remaining: tuple[str, ...] = ()

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps that it executes; both where an older version did not say."""
        found = {name.partition("-")[0] for name in self.runs}
        return tuple(step for step in Step if step in found or not found)


def hash_config(config: Mapping[str, Any]) -> str:
    """Hash a BPS config without what names the run: its RUN collection and its folder, wherever it is named."""
    rest = {key: value for key, value in config.items() if key != "submitPath"}
    rest["payload"] = {key: value for key, value in config["payload"].items() if key != "outputRun"}
    text = json.dumps(rest, sort_keys=True).replace(str(Path(config["submitPath"]).parent), "")
    return hashlib.sha256(text.encode()).hexdigest()


def newest_of(records: Iterable[RunRecord]) -> RunRecord:
    """Find the run that was prepared last.

    Parameters
    ----------
    records
        At least one.
    """
    return max(records, key=lambda record: record.timestamp)


def write_run(paths: RunPaths, record: RunRecord) -> None:
    """Write a run's record, whole or not at all."""
    _write(paths.record, record)


def read_run(paths: RunPaths) -> RunRecord:
    """Read a run's record.

    Raises
    ------
    LedgerError
        If there is none, or it is not one.
    """
    return read_record(paths.record, RunRecord)


def write_dag_record(paths: DagPaths, record: DagRecord) -> None:
    """Write the record of a campaign DAG, whole or not at all."""
    _write(paths.record, record)


def read_dag_record(paths: DagPaths) -> DagRecord:
    """Read the record of a campaign DAG; raises as `read_run`."""
    return read_record(paths.record, DagRecord)


def _write(path: Path, record: BaseModel) -> None:
    content: dict[str, Any] = record.model_dump(mode="json")
    write_atomically(path, yaml.safe_dump(content, sort_keys=False))


def read_record[Record: BaseModel](path: Path, kind: type[Record]) -> Record:
    """Read a record of some kind; raises as `read_run`."""
    try:
        return kind.model_validate(yaml.safe_load(read_text(path)))
    except FileNotFoundError:
        raise LedgerError(
            f"{path.parent} holds nothing that was submitted: there is no {path.name}"
        ) from None
    except ValidationError as error:
        wrong = [
            f"{'.'.join(map(str, each['loc'])) or 'the whole'}: {each['msg']}"
            for each in error.errors(include_url=False)
        ]
        raise _damaged(path, "; ".join(wrong[:3])) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise _damaged(path, " ".join(str(error).split())) from error


def _damaged(path: Path, why: str) -> LedgerError:
    return LedgerError(
        f"{path} cannot be read as the record of a run: {why}",
        remedy=f"restore it from a backup, or move {path.parent} away, which gives that run up",
    )
