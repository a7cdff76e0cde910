"""What it saves that the reader and the writer of one (visit, detector) share a job.

``python benchmarks/association_job.py DEMO`` associates the images of a finished demo (its folder) once more,
into an APDB of its own, by the commands that jobs run: every other (visit, detector) in one job, and in two.
Prints the mean seconds of each; docs/benchmarks.md has them.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from apcampaign.apdb import ApdbTarget, init_apdb, plan_init
from apcampaign.bps import Step, load_campaign, make_timestamp, plan_campaign
from apcampaign.common.environment import environment_for_batch
from apcampaign.ledger import Workspace
from apcampaign.sandbox.create import create_sandbox
from apcampaign.submit.bps_process import prepare_run
from apcampaign.submit.work import Work

TASKS = ("getRegionTimeFromVisit", "loadDiaCatalogs", "associateApdb")


def main():
    folder = Path(sys.argv[1]).resolve()
    os.environ.update(create_sandbox(folder / "dc2").environment)
    done = load_campaign(folder / "campaign.yaml", environment={})
    work = folder / "association-job" / make_timestamp()
    apdb = work / "apdb.yaml"
    work.mkdir(parents=True)
    target = ApdbTarget.from_url(f"sqlite:///{work}/apdb.db")
    init_apdb(plan_init(target, instrument=done.instrument, config=apdb))
    diffim = done.diffim.model_copy(
        update={
            "pipeline": f"ApPipe-DC2.yaml#{','.join(TASKS)}",
            "input_collections": (f"{done.root_collection}/diffim", *done.input_collections),
        }
    )
    campaign = done.model_copy(update={"name": "association-job", "site": "local", "diffim": diffim})
    templates = f"{done.root_collection}/templates"
    plan = plan_campaign(campaign, steps=[Step.DIFFIM], templates=templates)
    asked = Work(workspace=Workspace(campaign, work), plan=plan, apdb_config=str(apdb))
    record = prepare_run(asked, plan.find("diffim"))
    quanta = read_quanta(record.graph)
    environment = environment_for_batch()

    def run(command, *names):
        arguments = [str(Path(sys.executable).with_name("pipetask")), command, campaign.butler, record.graph]
        arguments += [argument for name in names for argument in ("--qgraph-node-id", name)]
        begin, before = time.monotonic(), os.times()
        subprocess.run(arguments, env=environment, check=True, capture_output=True)
        after = os.times()
        spent = after.children_user + after.children_system - before.children_user - before.children_system
        return np.array([time.monotonic() - begin, spent])

    run("pre-exec-init-qbb")
    one, two = [], []
    for number, (region, reader, writer) in enumerate(quanta):
        run("run-qbb", region)
        if number % 2:
            one.append(run("run-qbb", reader, writer))
        else:
            two.append(run("run-qbb", reader) + run("run-qbb", writer))
    for name, times in (("one job", one), ("two jobs", two)):
        elapsed, spent = np.mean(times, axis=0)
        print(f"{name}: {elapsed:.1f} s, {spent:.1f} s of processor time, mean of {len(times)}")


def read_quanta(path):
    """Return the ids of the three quanta of each (visit, detector), in the order of time."""
    from lsst.pipe.base.quantum_graph import PredictedQuantumGraph

    with PredictedQuantumGraph.open(path) as reader:
        reader.read_execution_quanta()
        graph = reader.finish()
    found: dict[tuple[str, int], list[str]] = {}
    for task in TASKS:
        for data_id, name in graph.quanta_by_task[task].items():
            visit = str(data_id["group"] if "group" in data_id.dimensions else data_id["visit"])
            found.setdefault((visit, data_id["detector"]), []).append(str(name))
    return [found[key] for key in sorted(found)]


if __name__ == "__main__":
    main()
