"""What a submission looks at before it begins, and what it leaves behind."""

import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from apcampaign.apdb import check_ready
from apcampaign.bps import (
    CampaignConfig,
    Plan,
    PlannedRun,
    Stage,
    Step,
    build_config,
    load_site,
    plan_campaign,
)
from apcampaign.bps.shape import StepShape, VisitOnSky
from apcampaign.campaign import Campaign
from apcampaign.common.errors import (
    BpsError,
    BusyError,
    EmptyGraphError,
    LedgerError,
    PreconditionError,
    UnsupportedApdbError,
)
from apcampaign.common.files import write_atomically
from apcampaign.doctor import CampaignHealth, Condition, diagnose, read_health
from apcampaign.ledger import (
    RunPaths,
    RunRecord,
    Workspace,
    hash_config,
    read_holder,
    submission_lock,
    write_run,
)
from apcampaign.monitor import CampaignReader
from apcampaign.ordering import refuse_already_associated
from apcampaign.scripts.commands.apdb import command as apdb
from apcampaign.submit.cancel import plan_cancel
from apcampaign.submit.executors import ActiveRun, ForegroundExecutor, HTCondorExecutor, foreground
from apcampaign.submit.executors.campaign_dag import announce
from apcampaign.submit.outputs.repair import plan_repair
from apcampaign.submit.preconditions.apdb_hold import hold_apdb, read_fillers
from apcampaign.submit.resume import ResumeRequest, decide_resume
from apcampaign.submit.resume.state import read_state
from apcampaign.submit.submission import SubmissionPlan, decide_submission, execute_submission
from apcampaign.submit.submission import preview as previews
from apcampaign.submit.submission.preview import Preview, preview_submission
from apcampaign.submit.submission.state import SubmissionRequest, SubmissionState, read_submission_state
from apcampaign.submit.work import Work
from click.testing import CliRunner

TIMESTAMP = "20251012T010203Z"


@pytest.fixture
def campaign() -> CampaignConfig:
    return CampaignConfig.model_validate(
        {"name": "camp", "butler": "/repo/dc2", "tracts": [3828], "inCollection": "2.2i/defaults"}
    )


@pytest.fixture
def cassandra(tmp_path: Path) -> str:
    """The configuration of an APDB in Cassandra, as `apdb-cli create-cassandra` writes it."""
    path = tmp_path / "cassandra.yaml"
    content = {"implementation_type": "cassandra", "contact_points": ["127.0.0.1"], "keyspace": "apdb"}
    path.write_text(yaml.safe_dump(content))
    return str(path)


def record_run(workspace: Workspace, **changes: object) -> RunRecord:
    campaign = workspace.campaign
    (run,) = plan_campaign(campaign, timestamp=TIMESTAMP, steps=[Step.DIFFIM]).runs
    folder = workspace.paths.run(run)
    content = {
        "campaign": campaign.name,
        "step": run.step,
        "timestamp": run.timestamp,
        "butler": campaign.butler,
        "inputs": run.inputs,
        "output": run.output,
        "output_run": run.output_run,
        "config": str(folder.config),
        "submit_dir": str(folder.submit),
        "graph": str(folder.graph(run.output_run)),
        "wms_service": "lsst.ctrl.bps.htcondor.HTCondorService",
        "jobs": {},
        "quanta": {},
    }
    record = RunRecord.model_validate({**content, **changes})
    write_run(folder, record)
    folder.jobs.write_text("[]")
    return record


def test_the_second_submission_is_told_whose_the_first_is_and_a_dead_one_is_no_obstacle(tmp_path):
    folder = tmp_path / "camp" / "templates"
    program = (
        "import sys, time; from pathlib import Path; from apcampaign.ledger import submission_lock\n"
        "with submission_lock(Path(sys.argv[1])): print('mine', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(folder)], stdout=subprocess.PIPE) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == b"mine\n"
        with (
            pytest.raises(
                PreconditionError, match=rf"is being submitted by .*process {first.pid}\) since \d"
            ),
            submission_lock(folder),
        ):
            pass
        assert read_holder(folder).endswith("UTC")
        first.kill()
    assert not read_holder(folder)
    with submission_lock(folder):
        pass


def test_what_is_being_submitted_is_told_before_it_has_runs(tmp_path: Path, campaign: CampaignConfig) -> None:
    workspace = Workspace(campaign, tmp_path / "runs")
    with submission_lock(workspace.paths.step(Step.DIFFIM)):
        state = read_state(workspace)
        (refused,) = decide_resume(state, ResumeRequest()).obstacles
        assert isinstance(refused, BusyError)
        assert "diffim step of campaign camp has not ended: it is being submitted by" in str(refused)
        remarks = read_submission_state(workspace, SubmissionRequest(steps=(Step.TEMPLATES,))).remarks
        assert [str(each) for each in remarks if isinstance(each, BusyError)] == [str(refused)]
        (finding,) = diagnose(read_health(workspace))
        assert finding.condition is Condition.ACTIVE
        with pytest.raises(LedgerError, match="has no runs yet: its diffim step is being submitted by"):
            CampaignReader(workspace.paths).read()
    assert not read_state(workspace).active


def test_the_process_of_bps_holds_the_lock_of_the_submission_too(
    tmp_path: Path, campaign: CampaignConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace(campaign, tmp_path / "runs")
    ledger, plan = workspace.read_ledger(), plan_campaign(campaign)
    process = tmp_path / "process"
    process.write_text(f"#!/bin/sh\ncat > /dev/null\nreadlink /proc/self/fd/* > {tmp_path}/open\nexit 1\n")
    process.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(process))
    for executor in (HTCondorExecutor(), ForegroundExecutor()):
        submission = SubmissionPlan(workspace=workspace, ledger=ledger, plan=plan, executor=executor)
        with pytest.raises(BpsError, match="left no reason"):
            execute_submission(submission)
        handles = (tmp_path / "open").read_text().splitlines()
        for step in Step:
            assert str(workspace.paths.step(step) / "submission.lock") in handles
        shutil.rmtree(workspace.runs)


def test_a_preview_tells_a_part_without_anything_to_do_and_keeps_the_log_of_a_failure(
    tmp_path: Path, campaign: CampaignConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace(campaign, tmp_path / "runs")
    (run,) = plan_campaign(campaign, timestamp=TIMESTAMP, steps=[Step.DIFFIM])
    part = replace(run, part="visits-1", stage=Stage.VISITS, skip_existing=("u/me/diffim/before",))
    logs: list[Path] = []

    def prepare(_: Work, __: PlannedRun, *, files: RunPaths) -> None:
        write_atomically(files.prepare_log, "what BPS has said")
        logs.append(files.prepare_log)
        raise EmptyGraphError("no quanta")

    def preview(run: PlannedRun) -> Preview:
        new = Plan(timestamp=TIMESTAMP, runs=(run,))
        plan = SubmissionPlan(workspace=workspace, ledger=workspace.read_ledger(), plan=new, executor=None)
        (found,) = preview_submission(plan)
        return found

    monkeypatch.setattr(previews, "prepare_run", prepare)
    monkeypatch.setattr(previews, "choose_inputs", lambda _, run: run)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert preview(part).empty
    with pytest.raises(EmptyGraphError):
        preview(run)
    assert [log.exists() for log in logs] == [False, True]


def test_an_apdb_in_cassandra_is_taken_as_ready_and_what_was_not_checked_is_told(
    tmp_path, campaign, cassandra, monkeypatch
):
    index = tmp_path / "index.yaml"
    index.write_text(f"prod: {cassandra}\n")
    monkeypatch.setenv("DAX_APDB_INDEX_URI", str(index))
    for reference in (cassandra, "label:prod"):
        unchecked = check_ready(reference, instrument="LSSTCam-imSim")
        assert unchecked is not None
        assert "Cassandra" in str(unchecked)
        assert "empty" in str(unchecked)
        assert "LSSTCam-imSim" in str(unchecked)
    # What comes after a run cannot look into it either, and says so.
    workspace = Workspace(campaign, tmp_path / "runs")
    record = record_run(workspace, apdb_config=cassandra)
    (note,) = plan_repair(workspace.read_ledger(), [record]).notes
    assert "are not rolled back" in note
    refuse_already_associated(record)


def test_other_mistakes_in_an_apdb_configuration_are_still_refused(tmp_path):
    path = tmp_path / "apdb.yaml"
    path.write_text("implementation_type: sql\nnamespace: x\n")
    with pytest.raises(Exception, match="wrong or missing: db_url") as caught:
        check_ready(str(path), instrument="LSSTCam-imSim")
    assert not isinstance(caught.value, UnsupportedApdbError)


def test_a_queue_that_is_not_there_is_told(tmp_path, campaign):
    workspace = Workspace(campaign, tmp_path / "runs")
    record_run(workspace, wms_service="lsst.ctrl.bps.parsl.ParslService")
    plan = plan_cancel(workspace)
    assert "are not in a queue: " in plan.describe()[0]
    with pytest.raises(PreconditionError, match=r"ParslService .*Ctrl-C"):
        plan.execute()


@pytest.mark.parametrize(
    ("service", "end"),
    [
        ("lsst.ctrl.bps.parsl.ParslService", r"end the process that submitted it \(Ctrl-C\)"),
        ("lsst.ctrl.bps.panda.PanDAService", r"`bps cancel --wms-service-class lsst\S+ --id 17`"),
    ],
)
def test_an_active_run_that_is_in_no_queue_of_htcondor_is_told_with_how_to_end_it(
    tmp_path, campaign, monkeypatch, service, end
):
    workspace = Workspace(campaign, tmp_path / "runs")
    record_run(workspace, wms_service=service, wms_id="17")
    monkeypatch.setattr(foreground, "is_active", lambda run: True)
    monkeypatch.setattr(foreground, "run_state", lambda run: "running")
    (active,) = ForegroundExecutor().find_active(workspace.read_ledger())
    assert re.search(end, active.end)
    # It is not in the queue of another host.
    health = CampaignHealth(workspace=workspace, ledger=workspace.read_ledger(), active=(active,))
    (finding,) = diagnose(health)
    assert (finding.condition, finding.remedy) == (Condition.ACTIVE, active.end)


def test_runs_of_htcondor_beside_others_are_asked_of_htcondor_only(tmp_path, campaign, monkeypatch):
    workspace = Workspace(campaign, tmp_path / "runs")
    record_run(workspace, wms_service="lsst.ctrl.bps.htcondor.HTCondorService", wms_id="17")
    monkeypatch.setattr(foreground, "is_active", lambda run: True)
    monkeypatch.setattr(foreground, "run_state", lambda run: "running")
    # Here it would have no id, and `cancel` would say that it cannot be cancelled here.
    assert not ForegroundExecutor().find_active(workspace.read_ledger())


def test_the_ledger_tells_runs_with_the_same_configuration(tmp_path, campaign):
    def hash_of(campaign: CampaignConfig, timestamp: str) -> str:
        (run,) = plan_campaign(campaign, timestamp=timestamp, steps=[Step.TEMPLATES]).runs
        config = build_config(
            campaign, run, load_site("local"), submit_path=tmp_path / timestamp, environment={}
        )
        return hash_config(config)

    same = hash_of(campaign, TIMESTAMP), hash_of(campaign, "20251013T010203Z")
    assert same[0] == same[1]
    assert hash_of(campaign.model_copy(update={"tracts": (3829,)}), TIMESTAMP) != same[0]


def test_what_a_submission_does_is_decided_from_what_was_seen_alone(tmp_path):
    content = {"name": "camp", "butler": "/repo/nowhere", "tracts": [3828], "inCollection": "2.2i/defaults"}
    campaign = CampaignConfig.model_validate({**content, "diffim": {"parts": 2}})
    workspace = Workspace(campaign, tmp_path / "runs")
    visits = tuple(
        VisitOnSky(id=number, begin=number, detectors=1, patches=frozenset({(3828, number)}))
        for number in range(4)
    )
    shape = StepShape(
        instrument="LSSTCam-imSim",
        skymap="DC2",
        stages={Stage.VISITS: ("isr",), Stage.IMAGES: ("subtractImages",)},
        quanta={Stage.VISITS: 4, Stage.IMAGES: 12},
        visits=visits,
    )
    obstacle = PreconditionError("the APDB is not there")
    state = SubmissionState(
        workspace=workspace,
        ledger=workspace.read_ledger(),
        plan=plan_campaign(campaign),
        remarks=("preflight: no errors", obstacle),
        shapes={Step.DIFFIM: shape},
    )
    plan = decide_submission(state, SubmissionRequest())
    names = ["templates", "diffim-visits-1", "diffim-visits-2", "diffim-images-1", "diffim-images-2"]
    assert sorted(run.name for run in plan.plan) == sorted(names)
    assert plan.obstacles == (obstacle,)
    assert plan.notes == (
        "preflight: no errors",
        "diffim: 4 parts, each with a graph of its own: 2 of each stage, as the campaign says (parts)",
        "  diffim-visits-1: about 2 quanta, 2 visits, 2 patches of tract 3828; after templates",
        "  diffim-visits-2: about 2 quanta, 2 visits, 2 patches of tract 3828; after templates",
        "  diffim-images-1: about 6 quanta, 2 visits, 2 patches of tract 3828; after diffim-visits-1, templates",
        "  diffim-images-2: about 6 quanta, 2 visits, 2 patches of tract 3828; after diffim-visits-2, templates",
    )
    assert plan.executor.detached


def test_an_apdb_is_not_changed_by_hand_while_a_campaign_fills_it(tmp_path: Path) -> None:
    file, runs = tmp_path / "campaign.yaml", tmp_path / "runs"
    file.write_text(
        f"name: camp\nbutler: /repo/dc2\ntracts: [3828]\ninCollection: 2.2i/defaults\n"
        f"apdb: {{url: 'sqlite:///{tmp_path}/apdb.db'}}\n"
    )
    campaign = Campaign.open(file, runs=runs)
    target = campaign.create_apdb().target
    other = Workspace(campaign.settings.model_copy(update={"name": "other"}), runs)
    record = record_run(other, apdb_config=str(campaign.workspace.paths.apdb_config))
    changes = (["rollback", "--visit", "2", "--detector", "0"], ["init", "--reset"])
    where = ["--campaign", str(file), "--runs", str(runs)]
    # It is the other campaign that is being submitted, into the APDB of this one.
    with submission_lock(other.paths.step(Step.DIFFIM)):
        for words in changes:
            done = CliRunner().invoke(apdb, [*words, *where, "--yes"])
            assert isinstance(done.exception, BusyError), words
            assert "campaign other fills the APDB in" in str(done.exception)
        shown = CliRunner().invoke(apdb, ["init", "--reset", *where, "--dry-run"])
        assert shown.exit_code == 1
        assert "it would be refused: campaign other" in shown.output
        with pytest.raises(BusyError):
            campaign.create_apdb(reset=True)
    queued = ActiveRun(what="the campaign DAG", state="jobs 1 are in the queue")
    busy = read_fillers(runs, target, lambda ledger: (queued,) if ledger.runs else ())
    with pytest.raises(BusyError, match=r"campaign other fills .*the campaign DAG has not ended"):
        hold_apdb(busy)
    idle = read_fillers(runs, target, lambda ledger: ())
    with hold_apdb(idle), pytest.raises(PreconditionError), submission_lock(other.paths.step(Step.DIFFIM)):
        pass
    write_run(other.paths.run(record), record.model_copy(update={"schedd": "submitted again"}))
    with pytest.raises(BusyError, match="campaign other has been submitted or resumed"):
        hold_apdb(idle)
    # Of a campaign that has only made templates, difference imaging would be next.
    idle = read_fillers(runs, target, lambda ledger: ())
    with hold_apdb(idle), pytest.raises(BusyError), submission_lock(other.paths.step(Step.TEMPLATES)):
        pass
    # A plan that is executed in the foreground tells which it will fill before any run of it does.
    fourth = Workspace(campaign.settings.model_copy(update={"name": "fourth"}), runs)
    plan = plan_campaign(fourth.campaign, timestamp=record.timestamp)
    work = Work(workspace=fourth, plan=plan, apdb_config=str(campaign.workspace.paths.apdb_config))
    with announce(work, fourth.paths.foreground(plan.timestamp)):
        record_run(fourth)
    names = {ledger.paths.campaign for ledger in read_fillers(runs, target, lambda ledger: ()).ledgers}
    assert names == {"other", "camp", "fourth"}
    # Which APDB a campaign fills is not known while it is submitted for the first time.
    third = Workspace(campaign.settings.model_copy(update={"name": "third"}), runs)
    with submission_lock(third.paths.step(Step.DIFFIM)):
        first = read_fillers(runs, target, lambda ledger: ())
        with pytest.raises(BusyError, match=r"campaign third is being submitted, and it is not known yet"):
            hold_apdb(first)
    # A campaign that was never submitted gets no folders by that.
    assert not campaign.workspace.paths.step(Step.DIFFIM).exists()
