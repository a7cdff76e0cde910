"""Submit directories as ``bps submit`` leaves them: those of two recorded runs, without their records."""

__all__ = ["RawRuns", "change_settings", "leave_raw_runs"]

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from older_runs import unpack_older_runs

#: The scheduler that they were submitted to.
SCHEDD = "me@submit.example.org"


@dataclass(frozen=True)
class RawRuns:
    """Two runs that somebody has submitted by hand, and the campaign that they belong to.

    Parameters
    ----------
    folder
        Where all of it is.
    campaign
        The campaign file.
    templates, diffim
        The submit directories: one whose jobs are done, and one whose jobs were removed.
    """

    folder: Path
    campaign: Path
    templates: Path
    diffim: Path

    @property
    def recorded(self) -> Path:
        """The records of version 0.1, without its submit directories."""
        return self.folder / "steps" / "runs" / "steps"


def leave_raw_runs(folder: Path) -> RawRuns:
    """Make them in an empty folder."""
    folder = unpack_older_runs(folder, Path("/nowhere"))
    found = {}
    for submit in sorted((folder / "steps" / "runs" / "steps").glob("*/*/submit")):
        step, timestamp = submit.parts[-3:-1]
        found[step] = folder / "configs" / "submit" / step / timestamp
        found[step].parent.mkdir(parents=True)
        record = yaml.safe_load((submit.parent / "run.yaml").read_text())
        shutil.move(submit, found[step])
        # What the archive has not kept.
        name = record["output_run"].replace("/", "_")
        config = yaml.safe_load((found[step] / "bps.yaml").read_text())
        config["payload"]["outputRun"] = "{output}/{timestamp}"
        config["environment"] = {"PGPASSWORD": "hunter2-must-not-appear"}
        config["bps_defined"] = {"timestamp": timestamp, "uniqProcName": name}
        (found[step] / f"{name}_config.yaml").write_text(yaml.safe_dump(config))
        info = {SCHEDD: {record["wms_id"]: {"ClusterId": int(float(record["wms_id"]))}}}
        (found[step] / f"{name}.info.json").write_text(json.dumps(info))
        versions = "!<lsst.utils.packages.Packages>\ndaf_butler: 30.2026.4300\npython: 3.13.0 (main)\n"
        (found[step] / f"{name}.pkg.info.yaml").write_text(versions)
    campaign = folder / "campaign.yaml"
    content = yaml.safe_load((folder / "steps" / "campaign.yaml").read_text())
    content["apdb"] = {"config": str(folder / "steps" / "runs" / "steps" / "apdb_config.yaml")}
    campaign.write_text(yaml.safe_dump(content))
    return RawRuns(folder, campaign, found["templates"], found["diffim"])


def change_settings(submit: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change what BPS was told."""
    (path,) = submit.glob("*_config.yaml")
    content = yaml.safe_load(path.read_text())
    change(content)
    path.write_text(yaml.safe_dump(content))
