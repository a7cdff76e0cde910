"""States that a campaign does not get out of by itself: each is named, with its fix."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from apcampaign.apdb import RollbackPlan
from apcampaign.bps import Step
from apcampaign.common.condor import PlacedJob
from apcampaign.common.errors import LedgerError, PipelineError, PreconditionError, SchedulerError
from apcampaign.doctor import Act, CampaignHealth, Condition, DoctorPlan, diagnose
from apcampaign.doctor.graphs import find_broken_graphs
from apcampaign.doctor.logs import fill_log, is_cut
from apcampaign.doctor.model import BrokenChain, BrokenGraph, CutLog, Loss
from apcampaign.ledger import (
    CampaignPaths,
    DagPaths,
    DagRecord,
    Ledger,
    RunRecord,
    read_ledger,
    write_dag_record,
)
from apcampaign.monitor import CampaignReader, read_jobs
from apcampaign.monitor.outcomes import QuantaCount
from apcampaign.submit.cancel import plan_cancel
from apcampaign.submit.executors import ActiveRun, HTCondorExecutor
from apcampaign.submit.outputs.remaining import Remaining
from apcampaign.submit.preconditions.obstacles import check_idle
from apcampaign.submit.resume.state import SubmittedUnit

BAD = {"isr": QuantaCount(expected=4, successful=1, failed=1, blocked=1, unknown=1)}


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
