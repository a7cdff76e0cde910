"""How a campaign goes on, decided from how it stands: no repository, database or scheduler is asked."""

import zipfile
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from apcampaign.bps import CampaignConfig, Plan, Stage, Step, plan_campaign
from apcampaign.common.files import write_atomically
from apcampaign.doctor import Act, CampaignHealth, Condition, DoctorPlan, Finding
from apcampaign.ledger import (
    DagPaths,
    DagRecord,
    Ledger,
    RunRecord,
    Workspace,
    installed_versions,
    write_dag_record,
    write_run,
)
from apcampaign.monitor.outcomes import QuantaCount
from apcampaign.submit.executors import ActiveRun
from apcampaign.submit.executors.campaign_dag import announce, write_campaign_dag
from apcampaign.submit.outputs import remaining
from apcampaign.submit.outputs.remaining import Remaining, describe_remaining, read_remaining
from apcampaign.submit.outputs.repair import Repair
from apcampaign.submit.preflight.repository_checks import check_taken_over
from apcampaign.submit.resume import ResumeRequest, decide_resume
from apcampaign.submit.resume.rebuild import _find_unplanned, choose_parts, may_have_passed
from apcampaign.submit.resume.state import CampaignState, SubmittedUnit, _complete, _list_units
from apcampaign.submit.work import Work
from run_records import record_of

TIMESTAMP = "20251012T010203Z"
FAILED = {"isr": QuantaCount(expected=4, successful=1, failed=1, blocked=1, unknown=1)}
DONE = {"isr": QuantaCount(expected=4, successful=4, failed=0, blocked=0, unknown=0)}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    content = {"name": "camp", "butler": "/repo/dc2", "tracts": [3828], "inCollection": "2.2i/defaults"}
    return Workspace(CampaignConfig.model_validate(content), tmp_path / "runs")


def record(workspace: Workspace, step: Step, **changes: object) -> RunRecord:
    (run,) = plan_campaign(workspace.campaign, timestamp=TIMESTAMP, steps=[step])
    files = workspace.paths.run(run)
    content = {
        "campaign": workspace.campaign.name,
        "step": step,
        "timestamp": TIMESTAMP,
        "butler": "/repo/dc2",
        "inputs": run.inputs,
        "output": run.output,
        "output_run": run.output_run,
        "config": str(files.config),
        "submit_dir": str(files.submit),
        "graph": str(files.graph(run.output_run)),
        "wms_service": "lsst.ctrl.bps.htcondor.HTCondorService",
        "jobs": {},
        "quanta": {},
    }
    return RunRecord.model_validate({**content, **changes})


@pytest.fixture
def unit(workspace: Workspace) -> SubmittedUnit:
    """Both steps in one campaign DAG, of which the first failed."""
    dag = DagRecord(campaign="camp", timestamp=TIMESTAMP, cluster="7", runs=("templates", "diffim"))
    return SubmittedUnit(
        timestamp=TIMESTAMP,
        steps=tuple(Step),
        runs=(record(workspace, Step.TEMPLATES),),
        dag=(workspace.paths.dag(TIMESTAMP), dag),
        can_go_on=True,
        workspace=workspace,
        remaining=(
            Remaining(Step.TEMPLATES, begun=True, counts=FAILED),
            Remaining(Step.DIFFIM, begun=False),
        ),
    )


def state_of(workspace: Workspace, *units: SubmittedUnit, **changes: Any) -> CampaignState:
    ledger = Ledger(paths=workspace.paths, runs=tuple(run for unit in units for run in unit.runs))
    state = CampaignState(
        workspace=workspace, ledger=ledger, active=(), units=units, versions=installed_versions()
    )
    return replace(state, **changes)


def test_the_campaign_dag_goes_on_where_it_ended(workspace, unit):
    plan = decide_resume(state_of(workspace, unit), ResumeRequest())
    assert plan.restart == unit.dag
    assert not plan.reason
    assert plan.remaining_quanta == 3
    assert plan.describe()[0] == (
        "templates: 3 of 4 quanta to rerun: 1 failed, 1 blocked by them, 1 never recorded: 3 of 4 isr"
    )
    assert "diffim: not begun" in plan.describe()


def test_a_campaign_dag_that_htcondor_did_not_take_is_submitted_as_it_was_prepared(workspace, unit):
    assert unit.dag is not None
    files, dag = unit.dag
    untaken = (files, dag.model_copy(update={"cluster": ""}))
    plan = decide_resume(state_of(workspace, replace(unit, dag=untaken)), ResumeRequest())
    assert plan.restart == untaken
    assert plan.describe()[-1] == f"HTCondor gets {files.dag}, which it has not taken yet"


def test_what_was_edited_since_is_named_and_what_was_submitted_goes_on(workspace, unit):
    content = workspace.campaign.model_dump(mode="json", by_alias=True, exclude_none=True)
    content["templates"]["bps"] = {"requestMemory": 9000}
    edited = Workspace(CampaignConfig.model_validate({**content, "site": "s3df"}), workspace.runs)
    plan = decide_resume(state_of(edited, unit), ResumeRequest())
    (note,) = plan.notes
    assert "(site, templates.bps.requestMemory)" in note
    assert plan.workspace == workspace
    assert note in plan.describe()
    assert not decide_resume(state_of(workspace, unit), ResumeRequest()).notes


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (ResumeRequest(changes=["templates.requestMemory=1"]), "settings have changed"),
        (ResumeRequest(new_graph=True), "as asked for"),
        (ResumeRequest(skip_failed=True), "as asked for"),
    ],
)
def test_new_graphs_are_built_when_they_are_asked_for(workspace, unit, request_, reason):
    plan = decide_resume(state_of(workspace, unit), request_)
    assert (plan.reason, plan.restart) == (reason, None)


def test_new_graphs_are_built_for_other_software(workspace, unit):
    versions = {**installed_versions(), "lsst-pipe-base": "31.0", "apcampaign": "9"}
    plan = decide_resume(state_of(workspace, unit, versions=versions), ResumeRequest())
    assert plan.reason.startswith("software has changed (lsst-pipe-base ")
    assert "apcampaign" not in plan.reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"can_go_on": False}, "there is no rescue DAG"),
        ({"broken": "the rescue DAG r is cut off"}, "the rescue DAG r is cut off"),
        ({"has_passed": True}, "later visits went past failed associations, whose jobs count as done"),
        ({"dag": None}, "HTCondorService cannot continue a run that is in no campaign DAG"),
        ({"remaining": (Remaining(Step.DIFFIM, begun=False),)}, "not all steps of the campaign DAG go on"),
    ],
)
def test_new_graphs_are_built_where_dagman_cannot_go_on(workspace, unit, changes, reason):
    plan = decide_resume(state_of(workspace, replace(unit, **changes)), ResumeRequest())
    assert (plan.reason, plan.restart) == (reason, None)


@pytest.mark.parametrize(
    ("resumed", "said"),
    [
        (1, "`apcampaign resume --new-graph` builds new graphs"),
        (0, "with new graphs too: what `apcampaign failures`"),
    ],
)
def test_a_resume_that_ended_just_as_the_one_before_says_so_and_names_the_next_way(
    workspace, unit, resumed, said
):
    files, record = unit.dag
    assert decide_resume(state_of(workspace, unit), ResumeRequest()).notes == ()
    left = describe_remaining(unit.remaining)
    same = (files, record.model_copy(update={"remaining": left, "resumed": resumed}))
    (note,) = decide_resume(state_of(workspace, replace(unit, dag=same)), ResumeRequest()).notes
    assert "this ended just as the resume before it" in note
    assert said in note
    better = (Remaining(Step.TEMPLATES, begun=True, counts=DONE), Remaining(Step.DIFFIM, begun=False))
    changed = replace(unit, dag=same, remaining=better)
    assert decide_resume(state_of(workspace, changed), ResumeRequest()).notes == ()


def test_what_dagman_needs_and_has_no_more_is_named(workspace, tmp_path):
    plan = plan_campaign(workspace.campaign, timestamp=TIMESTAMP)
    files = write_campaign_dag(Work(workspace=workspace, plan=plan))
    write_dag_record(
        files, DagRecord(campaign="camp", timestamp=TIMESTAMP, cluster="7", runs=("templates", "diffim"))
    )

    def look(runs: Path) -> tuple[bool, str]:
        (unit,) = _list_units(moved := Workspace(workspace.campaign, runs), moved.read_ledger())
        return unit.can_go_on, unit.broken

    assert look(workspace.runs) == (True, "")
    run = record(workspace, Step.TEMPLATES, jobs={"isr": 2})
    write_run(of_run := workspace.paths.run(run), run)
    of_run.submit.mkdir()
    with zipfile.ZipFile(run.graph, "w") as graph:
        graph.writestr("header", "{}")
    lines = [f'JOB isr_{number} "isr_{number}.sub" DIR "jobs/isr"\n' for number in range(2)]
    for written, broken in ((lines, ""), (lines[:1], "the DAG of templates is gone or cut off")):
        of_run.dag(run.output_run).write_text("".join(written))
        assert look(workspace.runs)[1] == broken
    of_run.record.unlink()
    out, rescue = (files.dag.with_name(f"campaign.dag.{name}") for name in ("dagman.out", "rescue001"))
    out.write_text("pid 1 EXITING WITH STATUS 1\n")
    assert look(workspace.runs) == (False, "")
    rescue.write_text("# Nodes premarked DONE: 1\nDONE templates\n")
    assert look(workspace.runs) == (True, "")
    rescue.write_text("# Nodes premarked DONE: 2\nDONE templates\n")
    assert look(workspace.runs) == (True, f"the rescue DAG {rescue} is cut off")
    rescue.write_text("# Nodes premarked DONE: 2\nDONE templates\nDONE diffim\n")
    assert look(workspace.runs) == (True, "all of its runs count as done")
    # Killed after that, or resumed by somebody else, it holds too.
    lost = Finding(condition=Condition.LOST, what="rows are gone", acts=(Act.ROLLBACK,))
    health = CampaignHealth(workspace=workspace, ledger=workspace.read_ledger())
    DoctorPlan(health=health, findings=(lost,)).execute()
    assert look(workspace.runs) == (True, "associations were rolled back that may count as done in it")
    # What an earlier attempt has left is of no use when a later one has succeeded.
    out.write_text("pid 1 EXITING WITH STATUS 0\n")
    assert look(workspace.runs)[0] is False
    workspace.runs.rename(tmp_path / "moved")
    assert look(tmp_path / "moved")[1] == "the folder of its files was moved"


def test_a_dag_of_an_older_version_gets_new_graphs(workspace, unit, tmp_path):
    old = (
        DagPaths(tmp_path / "chain" / TIMESTAMP),
        DagRecord(campaign="camp", timestamp=TIMESTAMP, cluster="7"),
    )
    plan = decide_resume(state_of(workspace, replace(unit, dag=old)), ResumeRequest())
    assert plan.reason.startswith("an older version")


def test_what_was_submitted_last_and_is_not_done_goes_on(workspace, unit):
    done = replace(
        unit, timestamp="20251013T010203Z", remaining=(Remaining(Step.DIFFIM, begun=True, counts=DONE),)
    )
    plan = decide_resume(state_of(workspace, done, unit), ResumeRequest())
    assert plan.restart == unit.dag


def test_what_must_be_put_right_is_a_part_of_the_plan(workspace, unit):
    repair = Repair(apdb_config="/apdb.yaml", rollbacks=((731000, 94),))
    plan = decide_resume(state_of(workspace, replace(unit, repair=repair)), ResumeRequest())
    assert plan.repair == repair
    assert plan.as_dict()["rolls_back"] == [[731000, 94]]
    assert any("rolled back" in line for line in plan.describe())


def test_nothing_is_resumed_that_is_active_done_or_was_never_submitted(workspace, unit):
    active = (ActiveRun(what="the campaign DAG", state="it is in the queue as 7", id="7"),)
    (obstacle,) = decide_resume(state_of(workspace, active=active), ResumeRequest()).obstacles
    assert str(obstacle).startswith("the campaign DAG has not ended: it is in the queue as 7; wait for it")
    done = replace(unit, remaining=(Remaining(Step.TEMPLATES, begun=True, counts=DONE),))
    (obstacle,) = decide_resume(state_of(workspace, done), ResumeRequest()).obstacles
    assert "nothing to resume" in obstacle.what
    (obstacle,) = decide_resume(state_of(workspace), ResumeRequest()).obstacles
    assert obstacle.remedy == "submit one first"


@pytest.mark.parametrize("folder", ["dag", "foreground"])
def test_parts_without_a_campaign_dag_are_one_unit_with_its_plan(workspace, folder):
    (run,) = plan_campaign(workspace.campaign, timestamp=TIMESTAMP, steps=[Step.TEMPLATES])
    parts = (replace(run, part=f"visits-{n}", stage=Stage.VISITS, division=TIMESTAMP) for n in range(1, 4))
    plan = Plan(timestamp=TIMESTAMP, runs=tuple(parts))
    files = getattr(workspace.paths, folder)(TIMESTAMP)
    with announce(Work(workspace=workspace, plan=plan), files):
        # Where nothing has been prepared, the campaign can be submitted anew.
        assert not any(_list_units(workspace, workspace.read_ledger()))
        first = record(workspace, Step.TEMPLATES, part="visits-1", stage=Stage.VISITS, division=TIMESTAMP)
        write_run(workspace.paths.run(first), first)
    write_atomically(files.empty("templates-visits-2"), "")
    ledger = workspace.read_ledger()
    assert ledger.absent_parts(Step.TEMPLATES) == ("templates-visits-3",)
    (unit,) = _list_units(workspace, ledger)
    assert (unit.dag, unit.plan, unit.steps) == (None, plan, (Step.TEMPLATES,))
    left = replace(unit, remaining=(Remaining(Step.TEMPLATES, begun=True, absent=("templates-visits-3",)),))
    decided = decide_resume(state_of(workspace, left), ResumeRequest())
    assert decided.reason == "HTCondorService cannot continue a run that is in no campaign DAG"


def divide(workspace: Workspace, timestamp: str = TIMESTAMP, division: str = TIMESTAMP) -> Plan:
    """Divide difference imaging into images, and two parts of association one after the other."""
    (run,) = plan_campaign(workspace.campaign, timestamp=timestamp, steps=[Step.DIFFIM], templates="T")
    names = {
        "images-1": Stage.IMAGES,
        "association-1": Stage.ASSOCIATION,
        "association-2": Stage.ASSOCIATION,
    }
    runs = tuple(
        replace(run, part=name, stage=stage, division=division, skip_existing=("done",))
        for name, stage in names.items()
    )
    order = [run.name for run in runs]
    return Plan(timestamp=timestamp, runs=runs, edges=frozenset(pairwise(order)))


def narrow(plan: Plan, *names: str) -> Plan:
    runs = tuple(run for run in plan.runs if run.part in names)
    known = {run.name for run in runs}
    return replace(plan, runs=runs, edges=frozenset(edge for edge in plan.edges if {*edge} <= known))


def announce_all(workspace: Workspace, *plans: Plan) -> Ledger:
    for plan in plans:
        with announce(Work(workspace=workspace, plan=plan), workspace.paths.foreground(plan.timestamp)):
            for run in plan:
                written = record_of(workspace, run, service="lsst.ctrl.bps.parsl.ParslService")
                parts = {"part": run.part, "stage": run.stage, "division": run.division}
                write_run(workspace.paths.run(run), written.model_copy(update=parts))
    return workspace.read_ledger()


AGAIN = "20251013T010203Z"


def test_all_parts_that_are_not_done_go_on_also_those_that_only_an_earlier_submission_has_had(workspace):
    whole = divide(workspace)
    last = narrow(divide(workspace, AGAIN), "association-2")
    ledger = announce_all(workspace, whole, last)
    (unit,) = _list_units(workspace, ledger)
    assert unit.plan == last
    unit = _complete(ledger, unit)
    assert {run.name: run.timestamp for run in unit.plan} == {
        "diffim-images-1": TIMESTAMP,
        "diffim-association-1": TIMESTAMP,
        "diffim-association-2": AGAIN,
    }
    assert unit.plan.edges == whole.edges
    undone = Remaining(Step.DIFFIM, begun=True, counts=FAILED, undone=("diffim-association-1",))
    assert choose_parts(unit.plan, [undone]) == {"diffim-association-1", "diffim-association-2"}
    # Nor does DAGMan go on with the one that it has alone.
    dag = DagRecord(campaign="camp", timestamp=AGAIN, cluster="7", runs=("diffim-association-2",))
    in_queue = replace(
        unit, dag=(workspace.paths.dag(AGAIN), dag), can_go_on=True, broken="", remaining=(undone,)
    )
    plan = decide_resume(state_of(workspace, in_queue), ResumeRequest())
    assert plan.reason == "not done, and of earlier submissions: diffim-association-1"
    same = replace(in_queue, remaining=(replace(undone, undone=("diffim-association-2",)),))
    assert decide_resume(state_of(workspace, same), ResumeRequest()).restart == same.dag


def test_parts_are_not_done_for_their_own_quanta_or_for_those_of_an_earlier_run(workspace, monkeypatch):
    ledger = announce_all(workspace, divide(workspace))
    of_run = {run.output_run: DONE if run.part == "images-1" else FAILED for run in ledger.runs}
    monkeypatch.setattr(remaining, "find_unregistered", lambda *_: ())
    monkeypatch.setattr(
        remaining,
        "count_quanta_by_run",
        lambda runs: {run.output_run: of_run[run.output_run] for run in runs},
    )
    monkeypatch.setattr(remaining, "_find_left_parts", lambda *_: {"diffim-images-1"})
    found = read_remaining(workspace, ledger, Step.DIFFIM, divide(workspace), tolerate=True)
    assert (
        found.undone
        == found.parts
        == (
            "diffim-association-1",
            "diffim-association-2",
            "diffim-images-1",
        )
    )
    of_run = dict.fromkeys(of_run, DONE)
    assert read_remaining(workspace, ledger, Step.DIFFIM, divide(workspace), tolerate=True).parts == ()


def test_parts_of_which_nothing_is_known_any_more_are_no_reason_to_go_on_without_them(workspace):
    unit = SubmittedUnit(
        timestamp=AGAIN,
        steps=(Step.DIFFIM,),
        runs=(),
        workspace=workspace,
        plan=narrow(divide(workspace, AGAIN), "association-2"),
        remaining=(Remaining(Step.DIFFIM, begun=True, counts=FAILED, undone=("diffim-association-1",)),),
    )
    refused = _find_unplanned(unit, unit.plan)
    assert str(refused) == (
        "diffim-association-1: not done, and in no plan of the campaign that is still there; "
        "`apcampaign submit diffim` makes all of the step anew"
    )
    nothing = replace(unit, remaining=(Remaining(Step.DIFFIM, begun=True, counts=FAILED),))
    assert _find_unplanned(nothing, Plan(timestamp=AGAIN, runs=())).what.startswith("diffim: not done")
    assert _find_unplanned(unit, divide(workspace)) is None
    assert check_taken_over([], {}) == []


def test_templates_that_may_be_missing_are_not_made_again_with_difference_images_in_parts(workspace):
    plan = divide(workspace)
    left = Remaining(Step.DIFFIM, begun=True, counts=FAILED, undone=("diffim-images-1",), tolerated=True)
    assert choose_parts(plan, [left]) == frozenset()


def test_a_step_that_was_to_be_divided_anew_and_was_not_begun_is_made_with_its_new_parts(workspace):
    ledger = announce_all(workspace, divide(workspace))
    anew = divide(workspace, AGAIN, AGAIN)
    left = read_remaining(workspace, ledger, Step.DIFFIM, anew, tolerate=True)
    assert left == Remaining(Step.DIFFIM, begun=False)
    assert choose_parts(anew, [left]) == {run.name for run in anew}


def test_a_part_that_was_to_be_made_anew_counts_when_it_is_whatever_it_was_before(workspace):
    again, last = "20251013T010203Z", "20251014T010203Z"

    def part(timestamp: str, name: str, stage: Stage) -> RunRecord:
        return record(workspace, Step.DIFFIM, part=name, stage=stage, division=TIMESTAMP, timestamp=timestamp)

    def submitted(timestamp: str, *names: str) -> tuple[DagPaths, DagRecord]:
        dag = DagRecord(campaign="camp", timestamp=timestamp, cluster="7", runs=names)
        return workspace.paths.dag(timestamp), dag

    images, first, second = "diffim-images-1", "diffim-association-1", "diffim-association-2"
    runs = (part(TIMESTAMP, "images-1", Stage.IMAGES), part(TIMESTAMP, "association-2", Stage.ASSOCIATION))
    ledger = Ledger(
        paths=workspace.paths,
        runs=runs,
        dags=(submitted(TIMESTAMP, images, first, second),),
        empty=frozenset({(TIMESTAMP, first)}),
    )
    assert ledger.absent_parts(Step.DIFFIM) == ()
    # The first association had nothing to do since no image was made; the second went on without it.
    resumed = replace(
        ledger,
        runs=(*runs, part(again, "images-1", Stage.IMAGES)),
        dags=(*ledger.dags, submitted(again, images, first, second)),
    )
    assert resumed.absent_parts(Step.DIFFIM) == (first, second)
    assert Remaining(Step.DIFFIM, begun=True, absent=resumed.absent_parts(Step.DIFFIM), counts=DONE).any
    third = replace(
        resumed,
        runs=(*resumed.runs, part(last, "association-1", Stage.ASSOCIATION)),
        without_dag=(submitted(last, first, second),),
    )
    assert third.absent_parts(Step.DIFFIM) == (second,)
    assert replace(third, empty=third.empty | {(last, second)}).absent_parts(Step.DIFFIM) == ()


def test_later_visits_may_have_gone_past_failed_ones_in_parts_without_a_mark_of_it(workspace, unit):
    whole = record(workspace, Step.DIFFIM)
    part = whole.model_copy(update={"part": "images-1", "stage": Stage.IMAGES, "division": TIMESTAMP})
    for run, may in ((whole, False), (part, True)):
        assert may_have_passed(Ledger(paths=workspace.paths, runs=(run,)), unit) is may
    write_atomically(workspace.paths.run(whole).order / "failed" / "association_1", "")
    assert may_have_passed(Ledger(paths=workspace.paths, runs=(whole,)), unit)


@pytest.mark.parametrize("folder", ["dag", "foreground"])
def test_a_submission_that_was_killed_after_its_first_run_is_known_with_all_of_its_steps(workspace, folder):
    plan = plan_campaign(workspace.campaign, timestamp=TIMESTAMP)
    announced = announce(Work(workspace=workspace, plan=plan), getattr(workspace.paths, folder)(TIMESTAMP))
    announced.__enter__()  # and it is not left, as where the process is killed
    first = record(workspace, Step.TEMPLATES)
    write_run(workspace.paths.run(first), first)
    (unit,) = _list_units(workspace, workspace.read_ledger())
    assert (unit.dag, unit.plan, unit.steps) == (None, None, tuple(Step))


def test_of_a_submission_that_fails_before_its_first_run_nothing_is_left(workspace):
    plan = plan_campaign(workspace.campaign, timestamp=TIMESTAMP)
    files = workspace.paths.dag(TIMESTAMP)

    def interrupt() -> None:
        with announce(Work(workspace=workspace, plan=plan), files):
            assert files.record.exists()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupt()
    assert not files.folder.exists()


def test_templates_that_may_be_missing_are_left_alone(workspace, unit):
    remaining = (
        Remaining(Step.TEMPLATES, begun=True, counts=FAILED, tolerated=True),
        Remaining(Step.DIFFIM, begun=True, counts=DONE),
    )
    plan = decide_resume(state_of(workspace, replace(unit, remaining=remaining)), ResumeRequest())
    assert "nothing to resume" in plan.obstacles[0].what
    assert any("are within allowMissingTemplates" in line for line in plan.describe())
