"""What it takes to build the graphs of a step in parts, beside building it whole as plain ``bps prepare`` does.

``python benchmarks/parts.py FOLDER [VISITS…]`` makes a miniature DC2 of all 189 detectors in FOLDER, adds visits
to its registry (rows only), and builds the graphs of the single-visit tasks of the templates step: whole by
``bps prepare``, whole by apcampaign, and in parts. Times are CPU seconds of the processes that build, since parts
may be built side by side; memory is that of the largest process.
"""

__all__: list[str] = []

import json
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml
from apcampaign.bps import PlannedRun, Step, build_config, dump_config, plan_campaign
from apcampaign.bps.parts import divide_plan
from apcampaign.common.environment import environment_for_batch
from apcampaign.ledger import Workspace
from apcampaign.sandbox.create import create_sandbox
from apcampaign.sandbox.survey import SandboxSize
from apcampaign.submit.bps_process import prepare_run
from apcampaign.submit.division import read_shapes

_DETECTORS = tuple(range(189))
_VISITS = (100, 400)
_LABELS = "isr,calibrateImage,consolidateVisitSummary"


def main(folder: Path, visits: tuple[int, ...]) -> None:
    """Print a table for each number of visits."""
    sandbox = create_sandbox(folder / "dc2", SandboxSize(visits=1, detectors=_DETECTORS, pixels=32))
    os.environ.update(sandbox.environment)
    for count in visits:
        adding = [str(Path(__file__).with_name("check_large.py")), "add", str(sandbox.butler), str(count)]
        subprocess.run([sys.executable, *adding], check=True, timeout=3600)
        for way in ("bps prepare", "1", "auto"):
            content: dict[str, Any] = {**sandbox.campaign(), "name": f"parts-{count}", "site": "local"}
            content["templates"] = {"pipeline": f"ApTemplate-DC2.yaml#{_LABELS}"}
            content["templates"]["parts"] = way if way == "auto" else 1
            # In a process of its own, whose children's memory is counted.
            call = [sys.executable, __file__, "measure", str(folder / "runs"), way, json.dumps(content)]
            subprocess.run(call, check=True, timeout=7200)


def _measure(runs: Path, way: str, content: dict[str, Any]) -> None:
    shutil.rmtree(runs, ignore_errors=True)
    runs.mkdir()
    file = runs / "campaign.yaml"
    file.write_text(yaml.safe_dump(content))
    workspace = Workspace.open(file, runs, environment={})
    begin, wall = _cpu(resource.RUSAGE_SELF), time.monotonic()
    plan = plan_campaign(workspace.campaign, steps=[Step.TEMPLATES])
    if content["templates"]["parts"] != 1:
        shapes = read_shapes(workspace, plan, [Step.TEMPLATES])
        plan = divide_plan(plan, shapes, workspace.campaign)
    own = _cpu(resource.RUSAGE_SELF) - begin
    first, quanta, jobs = None, 0, 0
    children = _cpu(resource.RUSAGE_CHILDREN)
    for run in plan:
        if way == "bps prepare":
            _prepare_plainly(workspace, run)
        else:
            record = prepare_run(workspace, run)
            quanta, jobs = quanta + sum(record.quanta.values()), jobs + sum(record.jobs.values())
        if first is None:
            first = own + _cpu(resource.RUSAGE_CHILDREN) - children
    row = {
        "way": way,
        "parts": len(plan.runs),
        "quanta": quanta,
        "jobs": jobs,
        "planning": round(own, 1),
        "first ready": round(first or 0.0, 1),
        "all ready": round(own + _cpu(resource.RUSAGE_CHILDREN) - children, 1),
        "wall": round(time.monotonic() - wall, 1),
        "MiB": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024,
    }
    sys.stdout.write(json.dumps(row) + "\n")


def _prepare_plainly(workspace: Workspace, run: PlannedRun) -> None:
    config = build_config(
        workspace.campaign,
        run,
        workspace.site,
        submit_path=workspace.runs / "plain",
        environment=os.environ,
    )
    file = workspace.runs / "bps.yaml"
    file.write_text(dump_config(config))
    done = subprocess.run(
        ["bps", "prepare", str(file)],
        env=environment_for_batch(),
        capture_output=True,
        text=True,
        check=False,
        timeout=7200,
    )
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])


def _cpu(who: int) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    if sys.argv[1] == "measure":
        _measure(Path(sys.argv[2]), sys.argv[3], json.loads(sys.argv[4]))
    else:
        main(Path(sys.argv[1]), tuple(map(int, sys.argv[2:])) or _VISITS)
