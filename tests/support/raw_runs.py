"""Submit directories as ``bps submit`` leaves them: those of two recorded runs, without their records."""

__all__ = ["RawRuns", "change_settings", "leave_raw_runs", "make_parsl"]

import json
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from apcampaign.lifecycle.adoption.jobs import read_prepared_jobs
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


def make_parsl(submit: Path, place: Path, *, failing: str = "", ended: bool = True) -> None:
    """Make one of the runs as if Parsl had run it.

    Parameters
    ----------
    submit
        The submit directory.
    place
        The folder in which BPS was started, where Parsl leaves its logs.
    failing
        A job that has failed.
    ended
        Whether Parsl has come to its end.
    """
    from lsst.ctrl.bps import BpsConfig, GenericWorkflowExec, GenericWorkflowJob
    from lsst.ctrl.bps.parsl.job import ParslJob
    from lsst.ctrl.bps.parsl.workflow import ParslWorkflow

    (graph,) = submit.glob("*.qg")
    (dag,) = submit.glob("*.dag")
    nodes = read_prepared_jobs(dag, graph).workflow.nodes
    service = "lsst.ctrl.bps.parsl.ParslService"
    change_settings(
        submit,
        lambda config: config.update(
            wmsServiceClass=service, submitPath=str(submit), computeSite="local", site={"local": {}}
        ),
    )
    config = BpsConfig(str(next(submit.glob("*_config.yaml"))))
    jobs, log = {}, ["1795673839.5 2026-11-26 06:17:19 MainProcess-1 MainThread-1 dflow: Starting\n"]
    for number, node in enumerate(nodes.values()):
        job = GenericWorkflowJob(
            name=node.name,
            label=node.label,
            executable=GenericWorkflowExec("pipetask"),
            quanta_counts=Counter(node.quanta),
            tags={**node.tags, "label": node.label},
            request_memory=node.request_memory,
            request_cpus=node.request_cpus,
        )
        jobs[node.name] = ParslJob(job, config, {})
        output = submit / "logs" / node.label / node.name
        if node.name in ("pipetaskInit", "finalJob"):
            output = submit / "logs" / node.name / node.name
        output.parent.mkdir(parents=True, exist_ok=True)
        output.with_name(f"{node.name}.stderr").touch()
        if node.name not in ("pipetaskInit", "finalJob"):
            end = "failed" if node.name == failing else "exec_done"
            time, task = 1795673840 + number, f"Task {number}"
            log += [
                f"{time}.0 x: {task} changing state from pending to launched\n",
                f"{time}.1 x: Standard out for {task.lower()} will be redirected to {output}.stdout\n",
                f"{time}.9 x: {task} changing state from running to {end}\n",
            ]
    final = jobs.pop("finalJob")
    workflow = ParslWorkflow.__new__(ParslWorkflow)
    workflow.name, workflow.bps_config, workflow.path = dag.stem, config, str(submit)
    workflow.parents = {name: set(nodes[name].parents) for name in jobs}
    workflow.jobs, workflow.endpoints, workflow.final = jobs, [], final
    workflow.write(str(submit))
    if ended:
        log.append("1795673999.0 x: Unregistered default DFK\n")
    for path in (dag, *submit.glob("*.dag.*"), *submit.glob("*.info.json")):
        path.unlink()
    (place / "runinfo" / "004").mkdir(parents=True)
    (place / "runinfo" / "004" / "parsl.log").write_text("".join(log))
    (place / "runinfo" / "003").mkdir()
    (place / "runinfo" / "003" / "parsl.log").write_text("of another run\n")


def change_settings(submit: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change what BPS was told."""
    (path,) = submit.glob("*_config.yaml")
    content = yaml.safe_load(path.read_text())
    change(content)
    path.write_text(yaml.safe_dump(content))
