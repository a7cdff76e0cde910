"""States that a campaign does not get out of by itself: each is named, with its fix."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from apcampaign.apdb import RollbackPlan
from apcampaign.bps import GRAPH_OPTIONS, CampaignConfig, Plan, Stage, Step, dump_campaign, plan_campaign
from apcampaign.common.condor import PlacedJob
from apcampaign.common.errors import LedgerError, PipelineError, PreconditionError, SchedulerError
from apcampaign.common.files import write_atomically
from apcampaign.ledger import (
    CampaignPaths,
    DagPaths,
    DagRecord,
    Ledger,
    RunRecord,
    Workspace,
    read_ledger,
    write_dag_record,
    write_run,
)
from apcampaign.monitor import CampaignReader, read_jobs
from apcampaign.monitor.outcomes import QuantaCount
from apcampaign.pipelines import find_pipeline
from apcampaign.sandbox.create import PACKAGES
from apcampaign.submit.cancel import plan_cancel
from apcampaign.submit.doctor import Act, CampaignHealth, Condition, DoctorPlan, diagnose
from apcampaign.submit.doctor.copies import find_broken_copies
from apcampaign.submit.doctor.downstream import Reach, TaskShape, find_downstream, read_shapes
from apcampaign.submit.doctor.graphs import find_broken_graphs
from apcampaign.submit.doctor.logs import fill_log, is_cut
from apcampaign.submit.doctor.losses import forget
from apcampaign.submit.doctor.model import BrokenChain, BrokenGraph, CutLog, Loss
from apcampaign.submit.doctor.outputs import find_broken_chains, restore_chain
from apcampaign.submit.executors import ActiveRun, HTCondorExecutor
from apcampaign.submit.executors.campaign_dag import read_work, write_campaign_dag
from apcampaign.submit.preconditions import check_idle
from apcampaign.submit.remaining import Remaining
from apcampaign.submit.resume import ResumeRequest, decide_resume
from apcampaign.submit.state import CampaignState, SubmittedUnit, _list_units
from apcampaign.submit.work import Work
from older_runs import unpack_older_runs
from run_records import record_of

TIMESTAMP = "20261101T000000Z"
BAD = {"isr": QuantaCount(expected=4, successful=1, failed=1, blocked=1, unknown=1)}


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> CampaignPaths:
    folder = unpack_older_runs(tmp_path_factory.mktemp("older"), Path("/nowhere"))
    return CampaignPaths(folder / "complete" / "runs", "complete")


@pytest.fixture
def copied(tmp_path: Path, complete: CampaignPaths) -> CampaignPaths:
    shutil.copytree(complete.runs, tmp_path / "runs")
    return CampaignPaths(tmp_path / "runs", "complete")


@pytest.fixture
def run(copied: CampaignPaths) -> RunRecord:
    return next(run for run in read_ledger(copied).runs if run.step is Step.DIFFIM)


@pytest.fixture
def health(copied: CampaignPaths) -> CampaignHealth:
    content = {"name": "complete", "butler": "/repo/dc2", "tracts": [3828], "inCollection": "2.2i/defaults"}
    workspace = Workspace(CampaignConfig.model_validate(content), copied.runs)
    return CampaignHealth(workspace=workspace, ledger=read_ledger(copied))


def unit_of(health: CampaignHealth, **changes: Any) -> SubmittedUnit:
    record = DagRecord(campaign="complete", timestamp="20261125T205009Z", cluster="7", runs=("templates",))
    values = {
        "timestamp": record.timestamp,
        "steps": (Step.TEMPLATES,),
        "runs": health.ledger.current(Step.TEMPLATES),
        "dag": (health.workspace.paths.dag(record.timestamp), record),
        "workspace": health.workspace,
        "remaining": (Remaining(Step.TEMPLATES, begun=True, counts=BAD),),
    }
    return SubmittedUnit(**{**values, **changes})


def _with_record(unit: SubmittedUnit, **changes: object) -> SubmittedUnit:
    assert unit.dag is not None
    files, record = unit.dag
    return replace(unit, dag=(files, record.model_copy(update=changes)))


def test_nothing_is_wrong_with_a_healthy_campaign(health: CampaignHealth) -> None:
    assert diagnose(health) == ()
    plan = DoctorPlan(health=health, findings=())
    assert (plan.acts, plan.describe()) == ((), ["nothing is wrong with campaign complete"])
    assert plan.good


def _damaged(health: CampaignHealth) -> dict[str, Any]:
    return {"damaged": {DagPaths(Path("/runs/camp/dag/t")): LedgerError("dag.yaml is no record")}}


def _stray(health: CampaignHealth) -> dict[str, Any]:
    return {"strays": (PlacedJob(id="17", folder=health.workspace.paths.folder / "diffim" / "gone"),)}


def _orphan(health: CampaignHealth) -> dict[str, Any]:
    job = PlacedJob(id="18", folder=Path("/runs/camp/diffim/t/submit"), parent="3", is_dagman=True)
    active = ActiveRun(what="the diffim run r", state="it is in the queue as 18", id="18")
    return {"orphans": (job,), "active": (active,)}


def _elsewhere(health: CampaignHealth) -> dict[str, Any]:
    return {"active": (ActiveRun(what="the campaign DAG d", state="it is in the queue of host2"),)}


def _active(health: CampaignHealth) -> dict[str, Any]:
    return {"active": (ActiveRun(what="the campaign DAG d", state="it is in the queue as 4", id="4"),)}


def _foreign(health: CampaignHealth) -> dict[str, Any]:
    return {"graphs": (BrokenGraph(health.ledger.runs[0], "its jobs name other quanta", foreign=True),)}


def _chain(health: CampaignHealth) -> dict[str, Any]:
    return {"chains": (BrokenChain(Step.DIFFIM, "u/me/diffim", there=False, lacking=("u/me/diffim/t",)),)}


def _untaken(health: CampaignHealth) -> dict[str, Any]:
    return {"unit": _with_record(unit_of(health), cluster="")}


def _stands_still(health: CampaignHealth) -> dict[str, Any]:
    unit = unit_of(health)
    return {"unit": _with_record(unit, remaining=tuple(unit.remaining[0].describe()), resumed=1)}


@pytest.mark.parametrize(
    ("change", "condition", "acts", "said"),
    [
        (
            _damaged,
            Condition.RECORD,
            (Act.RECORDS,),
            "dag.yaml is no record; `apcampaign doctor --fix` makes",
        ),
        (_stray, Condition.STRAY_JOBS, (Act.JOBS,), "1 job in the queue of no run that is recorded"),
        (
            _orphan,
            Condition.OLD_DAGMAN,
            (Act.JOBS,),
            "goes on though the campaign DAG that began it is not in",
        ),
        (_elsewhere, Condition.ELSEWHERE, (), "it is in the queue of host2; see `apcampaign status` there"),
        (_active, Condition.ACTIVE, (), "look again when it has"),
        (
            lambda health: {"moved": health.ledger.runs},
            Condition.MOVED,
            (Act.PATHS,),
            "the records of 2 runs name another folder",
        ),
        (
            lambda _: {"logs": (CutLog(Path("/d/x.dag"), ()),)},
            Condition.LOG,
            (Act.LOGS,),
            "/d/x.dag.nodes.log lacks what became of some jobs",
        ),
        (_foreign, Condition.GRAPH, (Act.GRAPHS,), "templates: its jobs name other quanta"),
        (
            lambda _: {"rescues": (Path("/d/x.dag.rescue001"),)},
            Condition.RESCUE,
            (),
            "`apcampaign resume` builds new graphs",
        ),
        (
            lambda health: {"unregistered": health.ledger.current(Step.DIFFIM)},
            Condition.OUTPUTS,
            (Act.REGISTER,),
            "diffim: all is done, and the repository does not know of it, since the last job of",
        ),
        (_chain, Condition.CHAIN, (Act.CHAINS,), "u/me/diffim is gone, with u/me/diffim/t"),
        (_untaken, Condition.UNSUBMITTED, (Act.RESUME,), "HTCondor has never taken"),
        (
            lambda health: {"unit": unit_of(health, dag=None)},
            Condition.UNSUBMITTED,
            (Act.RESUME,),
            "was prepared, and nothing has ever run it",
        ),
        (
            lambda health: {"unit": unit_of(health, dag=None, runs=())},
            Condition.UNFINISHED,
            (),
            "then go on with `apcampaign resume`",
        ),
        (
            lambda health: {"unit": unit_of(health, broken="the rescue DAG r is cut off")},
            Condition.UNFINISHED,
            (Act.RESUME,),
            "the rescue DAG r is cut off: go on with `apcampaign resume`",
        ),
        (
            lambda health: {"unit": unit_of(health)},
            Condition.UNFINISHED,
            (),
            "3 of 4 quanta to rerun: 1 failed, 1 blocked by them, 1 never recorded: 3 of 4 isr; see `apcampaign",
        ),
        (
            _stands_still,
            Condition.UNFINISHED,
            (),
            "this ended just as the resume before it: the same quanta are not done",
        ),
        (
            lambda _: {"unknown": (SchedulerError("HTCondor does not answer", remedy="see condor_q"),)},
            Condition.UNKNOWN,
            (),
            "HTCondor does not answer; see condor_q",
        ),
    ],
)
def test_each_state_is_named_with_what_mends_it(
    health: CampaignHealth,
    change: Callable[[CampaignHealth], dict[str, Any]],
    condition: Condition,
    acts: tuple[Act, ...],
    said: str,
) -> None:
    ill = replace(health, **change(health))
    shutil.rmtree(ill.workspace.paths.folder / "chain")
    (finding,) = diagnose(ill)
    assert (finding.condition, finding.acts) == (condition, acts)
    assert said in finding.describe()
    plan = DoctorPlan(health=ill, findings=(finding,))
    # What runs is not ill, and what cannot be looked at may be.
    answers = {Condition.ACTIVE: True, Condition.ELSEWHERE: True, Condition.UNKNOWN: None}
    assert plan.good is answers.get(condition, False)
    assert bool(plan.good) == ("nothing is wrong with campaign complete so far" in plan.describe()[-1])
    assert json.loads(json.dumps(plan.as_dict()))["findings"][0]["condition"] == condition


def test_an_active_campaign_with_something_wrong_is_not_good(health: CampaignHealth) -> None:
    unreachable = {"unknown": (SchedulerError("HTCondor does not answer"),)}
    for change, good in ((_stray(health), False), (_orphan(health), False), (unreachable, None)):
        ill = replace(health, **{**_active(health), **change})
        assert DoctorPlan(health=ill, findings=diagnose(ill)).good is good


def test_acts_are_done_in_their_order(health: CampaignHealth) -> None:
    ill = replace(health, **_chain(health), **_untaken(health), moved=health.ledger.runs)
    assert DoctorPlan(health=ill, findings=diagnose(ill)).acts == (Act.PATHS, Act.CHAINS, Act.RESUME)


@pytest.mark.parametrize("kept", [0, 500, 3000, -900])
def test_a_log_that_is_cut_off_is_filled_in_from_those_of_the_jobs(
    copied: CampaignPaths, run: RunRecord, kept: int
) -> None:
    files = copied.run(run)
    dag = files.dag(run.output_run)
    assert not is_cut(dag)
    before = read_jobs(files)
    log = dag.with_name(f"{dag.name}.nodes.log")
    log.write_bytes(log.read_bytes()[:kept])
    assert is_cut(dag)
    assert read_jobs(files) != before
    assert fill_log(dag, files.submit.glob("jobs/**/*.log")) > 0
    assert not is_cut(dag)
    after = read_jobs(files)
    assert [(job.name, job.state, job.last and job.last.outcome) for job in after] == [
        (job.name, job.state, job.last and job.last.outcome) for job in before
    ]
    assert fill_log(dag, files.submit.glob("jobs/**/*.log")) == 0
    # Nothing but the script after the last job.
    log.write_bytes(log.read_bytes()[:-5])
    assert is_cut(dag)
    fill_log(dag, files.submit.glob("jobs/**/*.log"))
    assert not is_cut(dag)


def test_the_log_of_a_dag_that_is_active_is_not_cut(copied: CampaignPaths, run: RunRecord) -> None:
    dag = copied.run(run).dag(run.output_run)
    out = dag.with_name(f"{dag.name}.dagman.out")
    out.write_text(out.read_text().replace("EXITING WITH STATUS 0", "goes on"))
    dag.with_name(f"{dag.name}.dagman.log").unlink()  # which says how its job ended
    log = dag.with_name(f"{dag.name}.nodes.log")
    log.write_bytes(log.read_bytes()[:500])
    assert not is_cut(dag)


def test_a_graph_of_other_quanta_than_the_jobs_name_is_found(copied: CampaignPaths, run: RunRecord) -> None:
    ledger = read_ledger(copied)
    assert find_broken_graphs(ledger) == ()
    # What two processes that prepared one run at once have left.
    (other,) = (each for each in ledger.runs if each.step is Step.TEMPLATES)
    shutil.copy(other.graph, run.graph)
    (found,) = find_broken_graphs(Ledger(paths=copied, runs=(run,)))
    assert (found.run, found.foreign) == (run, True)


def test_nothing_is_done_if_the_campaign_was_submitted_since_it_was_looked_at(
    copied: CampaignPaths, run: RunRecord, health: CampaignHealth
) -> None:
    ill = replace(health, graphs=(BrokenGraph(run, "its jobs name other quanta", foreign=True),))
    plan = DoctorPlan(health=ill, findings=diagnose(ill))
    record = DagRecord(campaign="complete", timestamp="20261126T000000Z", cluster="8", runs=("diffim",))
    write_dag_record(copied.dag(record.timestamp), record)
    with pytest.raises(PreconditionError, match="has been submitted or resumed since"):
        plan.execute()
    assert Path(run.graph).exists()


def test_a_folder_that_was_moved_is_written_down(
    copied: CampaignPaths, run: RunRecord, health: CampaignHealth
) -> None:
    ill = replace(health, moved=(run,))
    record = copied.run(run).record
    assert str(copied.folder) not in record.read_text()
    DoctorPlan(health=ill, findings=diagnose(ill)).execute()
    assert str(copied.folder) in record.read_text()
    assert run in read_ledger(copied).runs


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> str:
    from lsst.daf.butler import Butler

    root = str(tmp_path_factory.mktemp("outputs") / "repo")
    Butler.makeRepo(root)
    return root


def test_an_output_collection_is_made_again_wherever_the_one_before_was_killed(
    repository: str, health: CampaignHealth
) -> None:
    """It holds runs, of which the older one does not count any more, and inputs, which may have grown since."""
    from lsst.daf.butler import Butler, CollectionType

    old, new = (
        health.ledger.current(Step.DIFFIM)[0].model_copy(
            update={
                "timestamp": timestamp,
                "butler": repository,
                "output": "u/me/diffim",
                "output_run": f"u/me/diffim/{timestamp}",
                "inputs": ("T", "raws", "absent", "u/me/diffim"),
            }
        )
        for timestamp in ("20260101T000000Z", "20260102T000000Z")
    )
    ledger = Ledger(paths=health.workspace.paths, runs=(old, new))
    whole = [new.output_run, old.output_run, "T/1", "raws"]
    with Butler.from_config(repository, writeable=True) as butler:
        for name in (*whole, "T/2"):
            butler.collections.register(name)
        butler.collections.register("T", CollectionType.CHAINED)
        butler.collections.redefine_chain("T", ["T/1"])
    for there in (None, [], whole[2:], whole[:2]):
        with Butler.from_config(repository, writeable=True) as butler:
            if "u/me/diffim" in butler.collections.query("*"):
                butler.collections.x_remove("u/me/diffim")
            if there is not None:
                butler.collections.register("u/me/diffim", CollectionType.CHAINED)
                butler.collections.redefine_chain("u/me/diffim", there)
        (broken,) = find_broken_chains(ledger)
        restore_chain(ledger, broken)
        with Butler.from_config(repository) as butler:
            assert list(butler.collections.get_info("u/me/diffim").children) == whole, there
        assert find_broken_chains(ledger) == ()
    with Butler.from_config(repository, writeable=True) as butler:
        butler.collections.prepend_chain("T", ["T/2"])
    assert find_broken_chains(ledger) == ()


def test_what_depends_on_associations_is_told_by_the_pipeline() -> None:
    image, group, no_group = {"visit", "detector"}, {"group", "detector"}, {"tract"}
    tasks = {
        label: TaskShape(frozenset(dimensions), frozenset(inputs), frozenset(outputs))
        for label, dimensions, inputs, outputs in (
            ("analyze", image, {"of_tract", "raw"}, {"late"}),  # not in the order of the pipeline
            ("isr", image, {"raw"}, {"image"}),
            ("loadDiaCatalogs", group, {"image"}, {"preloaded"}),
            ("associateApdb", image, {"preloaded", "image"}, {"associated"}),
            ("consolidate", {"visit"}, {"associated"}, {"of_visit"}),
            ("measure", image, {"of_visit"}, {"measured"}),
            ("collect", no_group, {"measured"}, {"of_tract"}),
        )
    }
    assert find_downstream(tasks) == {
        "preloaded": Reach.DETECTOR,
        "associated": Reach.DETECTOR,
        "of_visit": Reach.VISIT,
        "measured": Reach.VISIT,
        "of_tract": Reach.ALL,
        "late": Reach.ALL,
    }


def test_the_pipeline_of_a_run_whose_graph_is_gone_is_that_of_its_submit_file(
    run: RunRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, folder in PACKAGES.items():
        monkeypatch.setenv(name, folder)
    config = {
        "pipelineYaml": find_pipeline("ApPipe-DC2.yaml"),
        "extraQgraphOptions": "-c parameters:apdb_config=/an/apdb.yaml",
    }
    (tmp_path / "bps.yaml").write_text(json.dumps(config))
    paths = {"graph": str(tmp_path / "gone.qg"), "config": str(tmp_path / "bps.yaml")}
    gone = run.model_copy(update={**paths, "quanta": {"isr": 2, "associateApdb": 2}})
    reaches = find_downstream(read_shapes([gone]))
    assert reaches["dia_source_apdb"] is reaches["associateApdb_metadata"] is Reach.DETECTOR
    assert reaches["loadDiaCatalogs_log"] is Reach.DETECTOR
    assert not {"difference_image", "isr_log"} & reaches.keys()
    with pytest.raises(PipelineError, match=r"ApPipe-DC2\.yaml has no renamed any more"):
        read_shapes([gone.model_copy(update={"quanta": {"isr": 1, "renamed": 1}})])
    (tmp_path / "bps.yaml").unlink()
    with pytest.raises(LedgerError, match=r"has no graph .* any more, and .*bps\.yaml cannot be read"):
        read_shapes([gone])


def test_what_a_run_without_a_graph_has_made_in_associations_is_forgotten(
    repository: str, health: CampaignHealth, run: RunRecord
) -> None:
    from lsst.daf.butler import Butler, DatasetType

    types = {
        "associated": ("visit", "detector"),
        "preloaded": ("group", "detector"),
        "of_visit": ("visit",),
        "of_all": (),
        "difference": ("visit", "detector"),
    }
    output_run = "u/me/gone/diffim"
    with Butler.from_config(repository, writeable=True) as butler:
        insert, camera = butler.registry.insertDimensionData, {"instrument": "LSSTCam-imSim"}
        insert("instrument", {"name": "LSSTCam-imSim", "class_name": "X", "detector_max": 2, "visit_max": 9})
        insert("physical_filter", {**camera, "name": "r", "band": "r"})
        insert("day_obs", {**camera, "id": 20250101})
        for detector in (0, 1):
            insert("detector", {**camera, "id": detector, "full_name": str(detector)})
        for visit in (1, 2):
            known = {**camera, "id": visit, "physical_filter": "r", "day_obs": 20250101}
            insert("visit", {**known, "name": str(visit)})
            insert("group", {**camera, "name": f"g{visit}"})
            insert("exposure", {**known, "obs_id": str(visit), "group": f"g{visit}"})
            insert("visit_definition", {**camera, "exposure": visit, "visit": visit})
        butler.collections.register(output_run)
        for name, dimensions in types.items():
            group = butler.dimensions.conform(("instrument", *dimensions) if dimensions else ())
            butler.registry.registerDatasetType(DatasetType(name, group, "StructuredDataDict"))
            ids = [
                {**camera, "visit": visit, "group": f"g{visit}", "detector": detector}
                for visit in (1, 2)
                for detector in (0, 1)
            ]
            for each in {tuple((key, one[key]) for key in group.required): None for one in ids}:
                butler.put({}, name, dict(each), run=output_run)
    gone = run.model_copy(update={"butler": repository, "output_run": output_run, "graph": "/gone.qg"})
    reaches = {
        "associated": Reach.DETECTOR,
        "preloaded": Reach.DETECTOR,
        "of_visit": Reach.VISIT,
        "of_all": Reach.ALL,
    }
    ledger = Ledger(paths=health.workspace.paths, runs=(gone,))
    assert forget(ledger, {(1, 0)}, reaches) == 4
    with Butler.from_config(repository) as butler:
        left = {name: butler.query_datasets(name, output_run, explain=False) for name in types}
    assert {name: len(refs) for name, refs in left.items()} == {
        "associated": 3,
        "preloaded": 3,
        "of_visit": 1,
        "of_all": 0,
        "difference": 4,
    }
    assert {str(ref.dataId["group"]) for ref in left["preloaded"] if ref.dataId["detector"] == 0} == {"g2"}


def test_nothing_is_rolled_back_whose_outputs_cannot_be_found(health: CampaignHealth) -> None:
    """It would be rolled back for nothing, again and again, and later associations with it."""
    nowhere: Any = None
    rollback = RollbackPlan(nowhere, ((1, 0),), ((2, 0),), {}, {}, 0, nowhere)
    loss = Loss("apdb.yaml", ((1, 0),), ((2, 0),), rollback)
    unit = unit_of(health, broken="the graph of diffim is gone")
    for obstacle, acts in ((None, (Act.ROLLBACK, Act.RESUME)), (PipelineError("p.yaml is gone"), ())):
        ill = replace(health, losses=(replace(loss, obstacle=obstacle),), unit=unit)
        plan = DoctorPlan(health=ill, findings=diagnose(ill))
        assert plan.acts == acts
        assert ("is not known: p.yaml is gone; put the graph back" in " ".join(plan.describe())) is bool(
            obstacle
        )


def test_a_record_of_a_removal_that_cannot_be_read_keeps_from_nothing_but_going_on(
    copied: CampaignPaths, health: CampaignHealth
) -> None:
    path = copied.retirement("20261126T000000Z")
    path.parent.mkdir()
    path.write_text("campaign: complete\nruns:\n- campai")
    copied.pending.write_text("{}")
    ledger = read_ledger(copied)
    assert ledger == replace(health.ledger, unread=(path,))
    obstacle = check_idle([], ledger)
    assert obstacle is not None
    assert "apcampaign doctor --fix" in obstacle.remedy
    (note,) = CampaignReader(copied).read().unknown
    assert f"{path} cannot be read" in note
    ill = replace(health, ledger=ledger)
    (finding,) = diagnose(ill)
    assert (finding.condition, finding.acts) == (Condition.RECORD, (Act.RECORDS,))
    DoctorPlan(health=ill, findings=(finding,)).execute()
    assert read_ledger(copied) == health.ledger
    assert sorted(each.name for each in path.parent.iterdir()) == [f"{path.stem}.damaged", "pending.json"]


def test_damaged_records_do_not_keep_a_campaign_from_being_cancelled(
    copied: CampaignPaths, health: CampaignHealth, run: RunRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied.run(run).record.write_text("camp")
    queued = ActiveRun(what="the campaign DAG", state="jobs 1 are in the queue", id="1")
    found = [(queued,), ()]
    monkeypatch.setattr(HTCondorExecutor, "find_active", lambda self, ledger: found.pop(0))
    plan = plan_cancel(health.workspace)
    assert plan.describe() == ["the campaign DAG is cancelled: jobs 1 are in the queue"]
    (obstacle,) = plan_cancel(health.workspace).obstacles
    assert "apcampaign doctor --fix" in obstacle.remedy


def submit_parts(folder: Path) -> tuple[Workspace, Work]:
    """Leave what a campaign DAG of two parts leaves, which both were prepared."""
    content = {"name": "camp", "butler": "/repo/dc2", "tracts": [3828], "inCollection": "2.2i/defaults"}
    workspace = Workspace(CampaignConfig.model_validate(content), folder / "runs")
    (whole,) = plan_campaign(workspace.campaign, timestamp=TIMESTAMP, steps=[Step.DIFFIM], templates="t").runs
    stages = {"images": Stage.IMAGES, "assoc": Stage.ASSOCIATION}
    runs = tuple(
        replace(
            whole,
            part=part,
            stage=stage,
            division=TIMESTAMP,
            query=f"{part} and more",
            graph_query="",
            inputs=("t", whole.output, "2.2i/defaults"),
            skip_existing=("a", "b"),
        )
        for part, stage in stages.items()
    )
    plan = Plan(timestamp=TIMESTAMP, runs=runs, edges=frozenset({(runs[0].name, runs[1].name)}))
    work = Work(workspace=workspace, plan=plan, apdb_config="/apdb.yaml")
    files = write_campaign_dag(work)
    files.submit_file.touch()
    names = tuple(run.name for run in plan)
    write_dag_record(files, DagRecord(campaign="camp", timestamp=TIMESTAMP, cluster="7", runs=names))
    # When the first one was prepared, not all collections were there.
    for run in (replace(runs[0], inputs=("t", "2.2i/defaults"), skip_existing=("a",)), runs[1]):
        files_of_run = workspace.paths.run(run)
        record = record_of(workspace, run, service="lsst.ctrl.bps.htcondor.HTCondorService")
        changes = {"part": run.part, "stage": run.stage, "division": run.division, "query": run.query}
        write_run(files_of_run, record.model_copy(update={**changes, "apdb_config": "/apdb.yaml"}))
        config = {
            "pipelineYaml": run.pipeline,
            "payload": {"dataQuery": run.graph_query},
            GRAPH_OPTIONS: f"--skip-existing-in {','.join(run.skip_existing)}",
        }
        write_atomically(files_of_run.config, yaml.safe_dump(config))
        write_atomically(files_of_run.campaign, dump_campaign(workspace.campaign))
    return workspace, work


@pytest.mark.parametrize("damage", [0, 40, 200, None])
def test_copies_beside_the_records_are_made_again(tmp_path: Path, damage: int | None) -> None:
    workspace, work = submit_parts(tmp_path)
    files = workspace.paths.dag(TIMESTAMP)
    copies = [files.campaign, files.plan, workspace.paths.run(work.plan.runs[0]).campaign]
    assert find_broken_copies(workspace, workspace.read_ledger()) == ()
    for path in copies:
        path.unlink() if damage is None else path.write_bytes(path.read_bytes()[:damage])
    ledger = workspace.read_ledger()
    with pytest.raises(LedgerError, match=r"campaign\.yaml cannot be read: .*apcampaign doctor"):
        list(_list_units(workspace, ledger))
    health = CampaignHealth(workspace=workspace, ledger=ledger, copies=find_broken_copies(workspace, ledger))
    findings = diagnose(health)
    assert [(each.condition, each.acts) for each in findings] == [(Condition.RECORD, (Act.COPIES,))] * 3
    assert all("doctor --fix` makes it again from" in each.remedy for each in findings)
    DoctorPlan(health=health, findings=findings).execute()
    assert read_work(files, workspace.runs) == work
    assert copies[2].read_text() == files.campaign.read_text()
    # In the foreground there is no DAG, and one comes after the other.
    files.plan.unlink()
    files.dag.unlink()
    (copy,) = find_broken_copies(workspace, workspace.read_ledger())
    assert Plan.from_dict(yaml.safe_load(copy.text)) == work.plan


def test_a_campaign_is_written_again_from_its_file_only_if_that_selects_what_was_submitted(
    tmp_path: Path,
) -> None:
    content = {"name": "camp", "butler": "/repo/dc2", "tracts": [3828], "inCollection": "2.2i/defaults"}
    workspace = Workspace(CampaignConfig.model_validate(content), tmp_path / "runs")
    (run,) = plan_campaign(workspace.campaign, timestamp=TIMESTAMP, steps=[Step.TEMPLATES]).runs
    write_run(workspace.paths.run(run), record_of(workspace, run, service="a.ParslService"))
    config = {"pipelineYaml": find_pipeline(run.pipeline), "payload": {"dataQuery": run.query}}
    write_atomically(workspace.paths.run(run).config, yaml.safe_dump(config))
    (copy,) = find_broken_copies(workspace, workspace.read_ledger())
    assert copy.text == dump_campaign(workspace.campaign)
    edited = Workspace(workspace.campaign.model_copy(update={"tracts": (3829,)}), workspace.runs)
    (copy,) = find_broken_copies(edited, edited.read_ledger())
    assert copy.text == ""
    (finding,) = diagnose(CampaignHealth(workspace=edited, ledger=edited.read_ledger(), copies=(copy,)))
    assert finding.acts == ()
    assert "copy a campaign file there that says what was submitted" in finding.remedy


def test_a_plan_is_not_made_up_where_parts_were_not_prepared(tmp_path: Path) -> None:
    workspace, work = submit_parts(tmp_path)
    files = workspace.paths.dag(TIMESTAMP)
    files.plan.write_text("timestamp: ")
    workspace.paths.run(work.plan.runs[1]).record.unlink()
    ledger = workspace.read_ledger()
    (copy,) = find_broken_copies(workspace, ledger)
    assert copy.text == ""
    assert "what 1 run of it was to do is not known" in copy.why
    (unit,) = _list_units(workspace, ledger)
    unit = replace(unit, remaining=(Remaining(Step.DIFFIM, begun=True, counts=BAD),))
    state = CampaignState(workspace=workspace, ledger=ledger, active=(), units=(unit,), versions={})
    (obstacle,) = decide_resume(state, ResumeRequest()).obstacles
    assert "apcampaign resume --new-graph" in obstacle.remedy
    assert decide_resume(state, ResumeRequest(new_graph=True)).reason
    state = replace(state, units=(replace(unit, dag=None),))  # run in the foreground
    assert decide_resume(state, ResumeRequest()).obstacles
