"""The ledger: which run is which. One file a run, written whole or not at all."""

__all__ = [
    "ChainRecord",
    "RunRecord",
    "hash_config",
    "installed_versions",
    "list_chains",
    "list_runs",
    "read_chain_record",
    "read_run",
    "write_chain_record",
    "write_run",
]

import hashlib
import json
import platform
import subprocess
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..bps import Step
from ..common.errors import SubmissionError
from ..common.files import write_atomically
from .paths import CampaignPaths, ChainPaths, RunPaths

# Module and distribution: in lsst_distrib the modules know their version, from PyPI the distributions do.
_PACKAGES = {
    "apcampaign": "apcampaign",
    "lsst.ctrl.bps": "lsst-ctrl-bps",
    "lsst.ctrl.bps.htcondor": "lsst-ctrl-bps-htcondor",
    "lsst.ctrl.bps.parsl": "lsst-ctrl-bps-parsl",
    "lsst.daf.butler": "lsst-daf-butler",
    "lsst.dax.apdb": "lsst-dax-apdb",
    "lsst.pipe.base": "lsst-pipe-base",
    "htcondor2": "htcondor",
}


def installed_versions() -> dict[str, str]:
    """Read the versions of what makes and runs the jobs, and our git revision where there is one."""
    versions = {"python": platform.python_version()}
    for module, distribution in _PACKAGES.items():
        try:
            versions[distribution] = metadata.version(distribution)
        except metadata.PackageNotFoundError:
            if version := getattr(sys.modules.get(module), "__version__", None):
                versions[distribution] = str(version)
    root = Path(__file__).resolve().parents[1]
    # An installed package may lie inside of somebody else's clone.
    if _git(root, "rev-parse", "--show-toplevel") == str(root):
        versions["git"] = _git(root, "describe", "--always", "--dirty")
    return versions


def _git(folder: Path, *words: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, text=True, check=False, timeout=10
        )
    except FileNotFoundError:
        return ""
    return done.stdout.strip()


class RunRecord(BaseModel):
    """What the ledger remembers of one run: what cannot be asked of Butler, APDB or the workload manager.

    Parameters
    ----------
    campaign, step, timestamp
        Which run it is.
    butler
        The repository.
    inputs, output, output_run
        Its collections.
    config, submit_dir, graph
        Its files.
    wms_service, wms_id
        The BPS plugin that runs it, and the id it gave; none until it is submitted, or when it was
        submitted as a part of a chain.
    apdb_config
        The APDB that it fills, if it does.
    jobs, quanta
        Their number by label.
    config_hash
        SHA-256 of the BPS config without what names the run: the same for runs with the same configuration.
    versions
        Of the software that prepared it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    campaign: str
    step: Step
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
    jobs: dict[str, int]
    quanta: dict[str, int]
    config_hash: str | None = None
    versions: dict[str, str] = Field(default_factory=installed_versions)


class ChainRecord(BaseModel):
    """What the ledger remembers of a chain.

    Parameters
    ----------
    campaign, timestamp
        Which chain it is.
    cluster
        The id of its DAGMan job; the newest one after it was resumed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    campaign: str
    timestamp: str
    cluster: str


def hash_config(config: Mapping[str, Any]) -> str:
    """Hash a BPS config without what names the run: its RUN collection and its folder."""
    rest = {key: value for key, value in config.items() if key != "submitPath"}
    rest["payload"] = {key: value for key, value in config["payload"].items() if key != "outputRun"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def write_run(paths: RunPaths, record: RunRecord) -> None:
    """Write a run's page, whole or not at all."""
    _write(paths.record, record)


def read_run(paths: RunPaths) -> RunRecord:
    """Read a run's page.

    Raises
    ------
    SubmissionError
        If there is none, or it is not one.
    """
    return _read(paths.record, RunRecord)


def write_chain_record(paths: ChainPaths, record: ChainRecord) -> None:
    """Write a chain's page, whole or not at all."""
    _write(paths.record, record)


def read_chain_record(paths: ChainPaths) -> ChainRecord:
    """Read a chain's page.

    Raises
    ------
    SubmissionError
        If there is none, or it is not one.
    """
    return _read(paths.record, ChainRecord)


def list_chains(paths: CampaignPaths) -> list[ChainPaths]:
    """List a campaign's submitted chains, the oldest first."""
    return [ChainPaths(page.parent) for page in sorted(paths.chains.glob("*/chain.yaml"))]


def list_runs(paths: CampaignPaths, step: Step) -> list[RunRecord]:
    """List a step's prepared runs, the oldest first."""
    return [read_run(RunPaths(page.parent)) for page in sorted(paths.step(step).glob("*/run.yaml"))]


def _write(path: Path, record: BaseModel) -> None:
    content: dict[str, Any] = record.model_dump(mode="json")
    write_atomically(path, yaml.safe_dump(content, sort_keys=False))


def _read[Record: BaseModel](path: Path, kind: type[Record]) -> Record:
    try:
        return kind.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise SubmissionError(
            f"{path.parent} holds nothing that was submitted: there is no {path.name}"
        ) from None
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise SubmissionError(f"{path} cannot be read as a page of the ledger: {error}") from error
