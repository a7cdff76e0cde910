"""How long a campaign takes on a real pool: its steps one after the other, and in parts.

``python benchmarks/makespan.py FOLDER [PARTS…]`` makes a miniature of DC2 in FOLDER, starts a private
HTCondor pool with more slots than this machine has cores, and runs one campaign undivided (``parts: 1``) and
then with each of PARTS, each in a repository of its own; ``1,2`` are undivided templates, and difference imaging
in two parts. All is real but for the weight of the work: before its quanta a job sleeps some seconds for each of
them, so that the slots, and not the cores of this machine, are what jobs wait for.

The lower bound is the larger of two: the seconds of all jobs on all slots, and the longest chain of jobs that
wait for each other, of the undivided campaign, where difference imaging waits for the last template. Prints a
table in Markdown. Nothing else should use the machine meanwhile.
"""

__all__: list[str] = []

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import networkx as nx
import yaml
from apcampaign.ledger import Workspace
from apcampaign.monitor import CampaignReader, Job
from apcampaign.sandbox.create import Sandbox, create_sandbox
from apcampaign.sandbox.servers import CondorPool
from apcampaign.sandbox.survey import SandboxSize

SIZE = SandboxSize(visits=8, template_visits=4, detectors=(93, 94))
SLOTS = int(os.environ.get("SLOTS", "16"))
#: Of each slot, MiB, declared to HTCondor: so much that no job waits for memory, of which none uses as much.
MEMORY = 16384
#: Of each quantum, s: a job's own start takes two or three, on cores that all slots share.
SLEEP = float(os.environ.get("SLEEP", "20"))
_DEADLINE = 3600.0
#: On the jobs' PYTHONPATH: BPS names the quanta of a job by their ids, with commas between.
_SLEEPER = """
import sys
import time

words = sys.orig_argv
if "run-qbb" in words and "--qgraph-node-id" in words:
    time.sleep({seconds} * len(words[words.index("--qgraph-node-id") + 1].split(",")))
"""


def main(folder: Path, ways: list[str]) -> None:
    """Print the row of each way."""
    shutil.rmtree(folder / "runs", ignore_errors=True)
    sandbox = create_sandbox(folder / "dc2", SIZE)
    sleeper = folder / "sleeper"
    sleeper.mkdir(parents=True, exist_ok=True)
    (sleeper / "sitecustomize.py").write_text(_SLEEPER.format(seconds=SLEEP))
    print(
        "| way | runs | jobs | quanta | work ÷ slots, s | critical path, s | makespan, s "
        "| ÷ sequence | ÷ lower bound |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|"
    )
    bound = first = 0.0
    with CondorPool(folder / "condor", cpus=SLOTS, memory=SLOTS * MEMORY, time_to_live=120) as pool:
        environment = {**os.environ, **sandbox.environment, **pool.environ(), "PYTHONPATH": str(sleeper)}
        for way in ["1", *ways]:
            campaign = write_campaign(folder / "runs" / f"parts-{way.replace(',', '-')}", sandbox, way)
            seconds = run(campaign, environment)
            os.environ |= sandbox.environment
            jobs = CampaignReader(
                Workspace.open(campaign, campaign.parent / "runs", environment={}).paths
            ).read_jobs()
            work = sum(map(duration, jobs.jobs)) / SLOTS
            path = critical_path(jobs.jobs) if way == "1" else 0.0
            quanta = sum(sum(job.quanta.values()) for job in jobs.jobs)
            bound, first = bound or max(work, path), first or seconds
            chain = f"{path:.0f}" if path else ""
            print(
                f"| `parts: {way}` | {len(jobs.records)} | {len(jobs.jobs)} | {quanta} | {work:.0f} | {chain} "
                f"| {seconds:.0f} | {seconds / first:.2f} | {seconds / bound:.2f} |",
                flush=True,
            )


def write_campaign(folder: Path, sandbox: Sandbox, way: str) -> Path:
    """Write the campaign of a way, with a copy of the repository."""
    folder.mkdir(parents=True)
    content: dict[str, Any] = {**sandbox.campaign(), "name": folder.name, "site": "local", "prepareSlots": 2}
    content["allowMissingTemplates"] = 50  # visits are dithered: some see patches that no template visit does
    content["butler"] = str(shutil.copytree(content["butler"], folder / "repo"))
    templates, _, diffim = way.partition(",")
    for step, parts in (("templates", templates), ("diffim", diffim or templates)):
        content[step]["parts"] = parts if parts == "auto" else int(parts)
    (folder / "campaign.yaml").write_text(yaml.safe_dump(content))
    return folder / "campaign.yaml"


def run(campaign: Path, environment: dict[str, str]) -> float:
    """Run it, and give the seconds from the command that submits it until its campaign DAG has ended."""
    folder = campaign.parent

    def call(*words: str) -> None:
        command = [str(Path(sys.executable).with_name("apcampaign")), *words]
        subprocess.run(
            command, cwd=folder, env=environment, check=True, timeout=_DEADLINE, stdout=subprocess.DEVNULL
        )

    call("apdb", "init", "--db", f"sqlite:///{folder}/apdb.db")
    began = time.monotonic()
    call("submit", "--no-check")
    (dag,) = folder.glob("runs/*/dag/*")
    metrics = dag / "campaign.dag.metrics"
    while not metrics.exists():
        if time.monotonic() - began > _DEADLINE:
            raise SystemExit(f"{dag} has not ended")
        time.sleep(0.5)
    if code := json.loads(metrics.read_text())["exitcode"]:
        raise SystemExit(f"{dag} ended with exit code {code}")
    return time.monotonic() - began


def duration(job: Job) -> float:
    """How long a job took, s."""
    return sum(attempt.wall_seconds or 0.0 for attempt in job.attempts)


def critical_path(jobs: tuple[Job, ...]) -> float:
    """Add up the seconds of the jobs on the longest chain through two undivided steps."""
    graph = nx.DiGraph()
    for job in jobs:
        # An edge takes as long as the job that it leads to.
        graph.add_edges_from(
            ((job.run, parent), job.key, {"weight": duration(job)}) for parent in job.parents
        )
        if not job.parents:
            graph.add_edge("begin", job.key, weight=duration(job))
        if job.run == "templates" and not job.final:
            graph.add_edge(job.key, "templates", weight=0.0)
        if "buildTemplate" in job.quanta:
            graph.add_edge("templates", job.key, weight=duration(job))
    length: float = nx.dag_longest_path_length(graph)
    return length


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), sys.argv[2:] or ["2"])
