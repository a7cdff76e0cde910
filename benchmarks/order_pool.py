"""How long association takes on a real pool, one (visit, detector) after another and in the order of the sky.

``python benchmarks/order_pool.py FOLDER [overlap] [total]`` starts a private HTCondor pool of 16 slots in FOLDER,
makes a campaign of 8 visits of 8 detectors each (four visits on each of two tracts), has BPS build the graph and
workflow of its association as `apcampaign submit diffim` does, but lets every job sleep instead. The images are
known to the repository and not there: nothing reads them. Prints a table in Markdown; docs/benchmarks.md has it.
"""

import shutil
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import networkx as nx
from apcampaign.apdb import ApdbTarget, init_apdb, plan_init
from apcampaign.bps import CampaignConfig, Ordering, Step, plan_campaign
from apcampaign.ledger import Workspace
from apcampaign.monitor import is_active, run_state
from apcampaign.pipelines import find_pipeline
from apcampaign.sandbox.create import create_sandbox
from apcampaign.sandbox.servers import CondorPool
from apcampaign.sandbox.survey import SandboxSize
from apcampaign.submit.bps_process import prepare_run
from apcampaign.submit.work import Work

SIZE = SandboxSize(tracts=(3828, 3829), visits=4, detectors=(85, 88, 90, 91, 92, 93, 94, 97), pixels=32)
TASKS = "getRegionTimeFromVisit,loadDiaCatalogs,associateApdb"
SLEEP = 30  # seconds
SLOTS = 16


def register_inputs(sandbox, apdb):
    """Register in the repository all that the association reads."""
    from lsst.daf.butler import Butler
    from lsst.pipe.base import Pipeline

    pipeline = Pipeline.from_uri(f"{find_pipeline('ApPipe-DC2.yaml')}#{TASKS}")
    pipeline.addConfigOverride("parameters", "apdb_config", apdb)
    with Butler.from_config(str(sandbox.butler), writeable=True) as butler:
        graph = pipeline.to_graph(butler.registry)
        graph.register_dataset_types(butler)
        raws = butler.query_datasets("raw", collections="2.2i/defaults/test-med-1", limit=None)
        visits = butler.query_data_ids(
            ["visit", "detector"], where="instrument='LSSTCam-imSim'", limit=None, explain=False
        )
        wanted = {(ref.dataId["exposure"], ref.dataId["detector"]) for ref in raws}
        ids = [each for each in visits if (each["visit"], each["detector"]) in wanted]
        butler.collections.register("fake")
        for name, node in graph.iter_overall_inputs():
            if node.dataset_type.dimensions.names == ids[0].dimensions.names:
                butler.registry.insertDatasets(node.dataset_type, ids, run="fake")
                print(f"{len(ids)} {name}")


def run(sandbox, folder, apdb, ordering):
    """Let the jobs of one order sleep; return the makespan, the critical path and the number of edges."""
    pipetask = {"pipetaskInit": {"runQuantumCommand": "/bin/sleep 0"}}
    pipetask["getRegionTimeFromVisit"] = {"runQuantumCommand": "/bin/sleep 0"}
    bps = {
        "runQuantumCommand": f"/bin/sleep {SLEEP}",
        "pipetask": pipetask,
        "finalJob": {"whenRun": "NEVER"},
        "cluster": {"preload": {"pipetasks": "mpSkyEphemerisQuery"}},
    }
    campaign = CampaignConfig.model_validate(
        {
            **sandbox.campaign(),
            "name": f"order-{ordering}",
            "site": "local",
            "apdb": {"config": apdb},
            "diffim": {
                "pipeline": f"ApPipe-DC2.yaml#{TASKS}",
                "inCollection": ["fake", "2.2i/defaults/test-med-1"],
                "ordering": ordering,
                "bps": bps,
            },
        }
    )
    plan = plan_campaign(campaign, steps=[Step.DIFFIM], templates="fake")
    planned = plan.find("diffim")
    workspace = Workspace(campaign, folder / "runs")
    files = workspace.paths.run(planned)
    record = prepare_run(Work(workspace=workspace, plan=plan, apdb_config=apdb), planned, submit=True)
    while is_active(record):
        time.sleep(2)
    if (state := run_state(record)) != "SUCCEEDED":
        raise RuntimeError(f"{record.submit_dir} is {state}")
    graph = nx.DiGraph()
    for line in files.dag(record.output_run).read_text().splitlines():
        words = line.split()
        if words[:1] == ["PARENT"]:
            middle = words.index("CHILD")
            pairs = [(a, b) for a in words[1:middle] for b in words[middle + 1 :]]
            graph.add_edges_from(pair for pair in pairs if all("association" in name for name in pair))
    return makespan(files.submit), nx.dag_longest_path_length(graph) + 1, graph.number_of_edges()


def makespan(submit):
    """Return the seconds from the first start of an association to the last end, from DAGMan's log."""
    import htcondor2

    names, starts, ends = {}, [], []
    (log,) = submit.glob("*.nodes.log")
    for event in htcondor2.JobEventLog(str(log)).events(stop_after=0):
        when = datetime.fromtimestamp(event.timestamp, UTC).timestamp()
        if event.type == htcondor2.JobEventType.SUBMIT:
            names[event.cluster] = str(event.get("LogNotes", "")) + str(event.get("DAGNodeName", ""))
        elif "association" in names.get(event.cluster, ""):
            if event.type == htcondor2.JobEventType.EXECUTE:
                starts.append(when)
            elif event.type == htcondor2.JobEventType.JOB_TERMINATED:
                ends.append(when)
    if len(ends) != 64:
        raise RuntimeError(f"{log} has {len(ends)} associations")
    return max(ends) - min(starts)


def main():
    import os

    folder = Path(sys.argv[1]).resolve()
    orders = [Ordering(word) for word in sys.argv[2:]] or [Ordering.OVERLAP, Ordering.TOTAL]
    shutil.rmtree(folder / "runs", ignore_errors=True)
    sandbox = create_sandbox(folder / "dc2", SIZE)
    os.environ.update(sandbox.environment)
    apdb = folder / "apdb.yaml"
    if not apdb.exists():
        init_apdb(
            plan_init(
                ApdbTarget.from_url(f"sqlite:///{folder}/apdb.db"), instrument="LSSTCam-imSim", config=apdb
            )
        )
        register_inputs(sandbox, str(apdb))
    print(f"8 visits of 8 detectors on two tracts, {SLOTS} slots, each job sleeps {SLEEP} s")
    print("| order | edges | jobs of the critical path | their sleep, s | makespan, s | makespan ÷ that |")
    print("|---|---|---|---|---|---|")
    with CondorPool(folder / "condor", cpus=SLOTS, memory=SLOTS * 4608, time_to_live=60) as pool:
        os.environ.update(pool.environ())
        for order in orders:
            seconds, critical, edges = run(sandbox, folder, str(apdb), order)
            bound = critical * SLEEP
            print(
                f"| {order} | {edges} | {critical} | {bound} | {seconds:.0f} | {seconds / bound:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
