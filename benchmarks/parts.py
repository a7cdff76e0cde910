"""What it takes to build the graphs of a campaign in parts, beside building them whole with ``bps prepare``.

``python benchmarks/parts.py FOLDER [QUANTA…]`` makes a miniature DC2 of all 189 detectors in FOLDER, adds
visits to its registry (rows only) until the templates step has about so many quanta, and prepares it: whole by
``bps prepare``, whole by apcampaign, and in parts, each node of the campaign DAG as DAGMan would call it. What
the images of single visits would be is registered when their parts are prepared: coadds are built on it.
``WAYS=auto`` measures one way only.

Prints a table in Markdown. Times are CPU seconds of all processes: the machine may be shared. The time until all
is queued with two workers is what DAGMan would need with ``prepareSlots: 2`` if the jobs took no time.
"""

__all__: list[str] = []

import heapq
import json
import os
import re
import resource
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from apcampaign.bps import Plan, PlannedRun, Stage, Step, build_config, dump_config, plan_campaign
from apcampaign.bps.parts import divide_plan
from apcampaign.common.environment import environment_for_batch
from apcampaign.ledger import RunPaths, Workspace, read_run
from apcampaign.sandbox.create import create_sandbox
from apcampaign.sandbox.survey import SandboxSize
from apcampaign.submit.bps_process import prepare_run
from apcampaign.submit.executors.campaign_dag import write_campaign_dag
from apcampaign.submit.parts.shapes import read_large_steps
from apcampaign.submit.preflight import check_campaign
from apcampaign.submit.work import Work

_DETECTORS = tuple(range(189))
_QUANTA = (1_000, 10_000, 50_000)
#: Of a visit in the templates step: 45 of its detectors see the tract.
_OF_A_VISIT = 171
_WAYS = ("bps prepare", "1", "auto")
#: What the process that prepares a run says of its CPU time when it is done.
_CPU = re.compile(r"CPU time: graph ([\d.]+) s, BPS ([\d.]+) s, apcampaign ([\d.]+) s")
_HEAD = (
    "| quanta | jobs | way | runs | first jobs queued, s | all queued, one worker, s | two, s "
    "| CPU per quantum, ms | of it ours | largest process, MiB |\n|--:|--:|---|--:|--:|--:|--:|--:|--:|--:|\n"
)


@dataclass
class Spent:
    """What one way has taken, in CPU seconds."""

    planning: float = 0.0
    nodes: list[float] = field(default_factory=list)
    ours: float = 0.0
    quanta: int = 0
    jobs: int = 0
    memory: int = 0

    def row(self, way: str) -> str:
        """Write the row of the table."""
        total = self.planning + sum(self.nodes)
        numbers = (
            f"{self.planning + self.nodes[0]:.1f}",
            f"{total:.1f}",
            f"{self.planning + self.nodes[0] + _side_by_side(self.nodes[1:]):.1f}",
            f"{1000 * total / self.quanta:.2f}",
            f"{self.ours / total:.1%}" if self.ours else "–",
            f"{self.memory:,}",
        )
        head = f"| {self.quanta:,} | {self.jobs:,} | {way} | {len(self.nodes)} |"
        return f"{head} {' | '.join(numbers)} |\n"


def main(folder: Path, sizes: tuple[int, ...]) -> None:
    """Print the rows of each size."""
    folder = folder.resolve()
    sandbox = create_sandbox(folder / "dc2", SandboxSize(visits=1, detectors=_DETECTORS, pixels=32))
    os.environ.update(sandbox.environment)
    sys.stdout.write(_HEAD)
    for size in sizes:
        visits = max(2, round(size / _OF_A_VISIT))
        adding = [str(Path(__file__).with_name("check_large.py")), "add", str(sandbox.butler), str(visits)]
        subprocess.run([sys.executable, *adding], check=True, timeout=3600)
        for way in os.environ.get("WAYS", ",".join(_WAYS)).split(","):
            sys.stdout.flush()
            content: dict[str, Any] = {**sandbox.campaign(), "name": f"parts-{size}", "site": "local"}
            content["steps"] = ["templates"]
            content["templates"]["parts"] = way if way == "auto" else 1
            # In a process of its own, whose children's memory is counted.
            call = [sys.executable, __file__, "measure", str(folder / "runs"), way, json.dumps(content)]
            subprocess.run(call, check=True, timeout=7200)


def _measure(runs: Path, way: str, content: dict[str, Any]) -> None:
    """Prepare everything in one way, with a copy of the repository."""
    shutil.rmtree(runs, ignore_errors=True)
    runs.mkdir()
    content["butler"] = shutil.copytree(content["butler"], runs / "repo")
    (runs / "campaign.yaml").write_text(yaml.safe_dump(content | {"butler": str(content["butler"])}))
    workspace = Workspace.open(runs / "campaign.yaml", runs, environment={})
    whole = plan_campaign(workspace.campaign, steps=[Step.TEMPLATES])
    spent = _prepare_plainly(workspace, whole) if way == "bps prepare" else _prepare(workspace, whole)
    spent.memory = max(resource.getrusage(who).ru_maxrss for who in _ALL) // 1024
    sys.stdout.write(spent.row(way if way == "bps prepare" else f"`parts: {way}`"))
    shutil.rmtree(runs)


def _prepare(workspace: Workspace, whole: Plan) -> Spent:
    begin, spent = _cpu(), Spent()
    preflight = check_campaign(workspace, steps=[Step.TEMPLATES])
    plan = divide_plan(whole, read_large_steps(workspace, whole, preflight.estimates), workspace.campaign)
    work = Work(workspace=workspace, plan=plan)
    spent.planning = spent.ours = _cpu() - begin
    for place, run in enumerate(plan):
        begin = _cpu()
        if not place:
            prepare_run(work, run)
            files = write_campaign_dag(work)
        else:
            _call_node(files.folder, workspace, "prepare", run.name)
        spent.nodes.append(_cpu() - begin)
        paths = workspace.paths.run(run)
        record = read_run(paths)
        spent.quanta += sum(record.quanta.values())
        spent.jobs += sum(record.jobs.values())
        found = _CPU.search(paths.prepare_log.read_text())
        spent.ours += spent.nodes[-1] - (float(found[1]) + float(found[2]) if found else 0.0)
        if os.environ.get("DETAIL"):
            print(
                run.name,
                sum(record.quanta.values()),
                spent.planning,
                spent.nodes[-1],
                found and found[0],
                file=sys.stderr,
            )
        if run.stage is Stage.VISITS:
            _register(workspace, run, paths)
            begin = _cpu()
            _call_node(files.folder, workspace, "close", run.name, "0")
            spent.nodes[-1] += _cpu() - begin
            spent.ours += _cpu() - begin
    return spent


def _call_node(folder: Path, workspace: Workspace, *arguments: str) -> None:
    command, *rest = arguments
    call = [
        "-m",
        "apcampaign.scripts.cli",
        "node",
        command,
        str(folder),
        "--runs",
        str(workspace.runs),
        *rest,
    ]
    done = subprocess.run([sys.executable, *call], capture_output=True, text=True, check=False, timeout=3600)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])


def _register(workspace: Workspace, run: PlannedRun, files: RunPaths) -> None:
    """Register what the jobs of a part would have made for coadds, in a process of its own."""
    call = [sys.executable, __file__, "register", workspace.campaign.butler, run.output_run]
    process = subprocess.Popen([*call, str(files.graph(run.output_run))])
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit("what visits make cannot be registered")
    _NOT_COUNTED.append(used.ru_utime + used.ru_stime)


def _insert(repository: str, output_run: str, graph: str) -> None:
    from lsst.daf.butler import Butler
    from lsst.pipe.base.pipeline_graph import TaskImportMode
    from lsst.pipe.base.quantum_graph import PredictedQuantumGraph

    with PredictedQuantumGraph.open(graph, import_mode=TaskImportMode.DO_NOT_IMPORT) as reader:
        reader.read_thin_graph()
        found = reader.finish()
    made = [
        (found.pipeline_graph.dataset_types[edge.parent_dataset_type_name], quanta)
        for label, quanta in found.quanta_by_task.items()
        for task in [found.pipeline_graph.tasks[label]]
        for edge in task.iter_all_outputs()
        if found.pipeline_graph.dataset_types[edge.parent_dataset_type_name].dimensions == task.dimensions
    ]
    with Butler.from_config(repository, writeable=True) as butler:
        butler.collections.register(output_run)
        for node, _ in made:
            butler.registry.registerDatasetType(node.dataset_type)
        with butler.transaction():
            for node, quanta in made:
                butler.registry.insertDatasets(node.dataset_type, list(quanta), run=output_run)


def _prepare_plainly(workspace: Workspace, whole: Plan) -> Spent:
    (run,) = whole.runs
    submit = workspace.runs / "plain"
    config = build_config(
        workspace.campaign, run, workspace.site, submit_path=submit, environment=os.environ, edges_added=True
    )
    file = workspace.runs / "bps.yaml"
    file.write_text(dump_config(config))
    begin = _cpu()
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
    spent = Spent(nodes=[_cpu() - begin])
    (expanded,) = re.findall(r"QuantumGraph contains (\d+) quanta", done.stderr + done.stdout)[-1:]
    spent.quanta = int(expanded)
    (dag,) = submit.glob("*.dag")
    spent.jobs = sum(line.startswith("JOB ") for line in dag.read_text().splitlines())
    return spent


def _side_by_side(nodes: list[float], workers: int = 2) -> float:
    """Tell when the last of some nodes ends, each of which is begun by whoever is free first."""
    free = [0.0] * workers
    for seconds in nodes:
        heapq.heappush(free, heapq.heappop(free) + seconds)
    return max(free)


_ALL = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
_NOT_COUNTED: list[float] = []


def _cpu() -> float:
    used = [resource.getrusage(who) for who in _ALL]
    return sum(each.ru_utime + each.ru_stime for each in used) - sum(_NOT_COUNTED)


if __name__ == "__main__":
    if sys.argv[1] == "measure":
        _measure(Path(sys.argv[2]), sys.argv[3], json.loads(sys.argv[4]))
    elif sys.argv[1] == "register":
        _insert(*sys.argv[2:])
    else:
        main(Path(sys.argv[1]), tuple(map(int, sys.argv[2:])) or _QUANTA)
