"""The progress of a campaign, from what real runs left behind (recorded/) and from what is made up here."""

import json
import math
import re
import shutil
from collections import Counter
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from apcampaign.bps import Stage, Step
from apcampaign.common.condor import JobStatus, Slot
from apcampaign.common.errors import LedgerError
from apcampaign.ledger import (
    CampaignPaths,
    DagRecord,
    Ledger,
    RunPaths,
    read_run,
    submission_lock,
    write_dag_record,
    write_run,
)
from apcampaign.monitor import (
    Attempt,
    AttemptOutcome,
    CampaignReader,
    CampaignStatus,
    Job,
    JobState,
    find_damaged_rescue,
    find_failures,
    open_run,
    read_jobs,
)
from apcampaign.monitor.campaign_reader import _explain_unknown, _Run, _View
from apcampaign.monitor.event_log import EventLog
from apcampaign.monitor.idle_reasons import explain_waiting
from apcampaign.monitor.progress import count_labels, estimate_end
from apcampaign.monitor.queue import Queue, QueuedJob, ask_queue, eval_number
from apcampaign.monitor.status import RunState
from apcampaign.scripts.display.status import draw_status
from rich.console import Console

RECORDED = Path(__file__).parents[1] / "support" / "recorded"
NOW = 1_800_000_000.0


def recorded(name: str) -> RunPaths:
    (page,) = RECORDED.glob(f"{name}/*/*/run.yaml")
    return RunPaths(page.parent)


def make_job(name: str, state: JobState, *, seconds: float = 100, parents: tuple[str, ...] = ()) -> Job:
    """Make a job that, if it is done, took some seconds until now."""
    label = name.partition("_")[0]
    attempts: tuple[Attempt, ...] = ()
    if state is JobState.DONE:
        attempts = (
            Attempt(
                cluster=1, queued=NOW - seconds, started=NOW - seconds, ended=NOW, outcome=AttemptOutcome.DONE
            ),
        )
    elif state is JobState.HELD:
        attempts = (Attempt(cluster=7, queued=NOW - 9, ended=NOW, outcome=AttemptOutcome.HELD, reason="why"),)
    job = Job(name=name, label=label, step=Step.TEMPLATES, state=state, parents=parents, folder=Path("/"))
    return replace(job, attempts=attempts)


def states(jobs: list[Job]) -> dict[str, int]:
    return dict(Counter(str(job.state) for job in jobs))


def test_a_run_with_troubles_is_read_from_its_log_and_dag():
    jobs = {job.name: job for job in read_jobs(recorded("troubled"))}
    assert states(list(jobs.values())) == {"done": 25, "held": 1, "failed": 4, "pruned": 3, "unready": 2}
    again = jobs["makeWarp_3828_18_731100"]
    assert [attempt.outcome for attempt in again.attempts] == [AttemptOutcome.HELD, AttemptOutcome.DONE]
    assert [attempt.exit_code for attempt in again.attempts] == [None, 0]
    assert again.label == "makeWarp"
    assert again.last.host == "localhost"
    assert again.last.memory == 49
    assert jobs["singleFrame_731000_94"].last.cpu_seconds >= 1
    killed = jobs["makeWarp_3828_25_731000"]
    first, second = (attempt.memory_request for attempt in killed.attempts)
    assert second >= 1.5 * first >= 600  # BPS had it doubled, HTCondor rounds up
    assert {attempt.outcome for attempt in killed.attempts} == {AttemptOutcome.HELD}
    assert {(attempt.hold_code, attempt.hold_subcode) for attempt in killed.attempts} == {(3, 34)}
    assert jobs["makeWarp_3828_17_731000"].last.outcome is AttemptOutcome.REMOVED
    held = jobs["selectAndAssemble_r_3828_32"]
    # HTCondor calls it evicted, then held: that is one ending.
    assert [attempt.outcome for attempt in held.attempts] == [AttemptOutcome.HELD]
    assert "Failed to execute '/no/such/pipetask'" in held.hold_reason
    assert jobs["selectAndAssemble_r_3828_24"].state is JobState.PRUNED


def test_the_file_of_a_runs_jobs_tells_more_than_its_dag(tmp_path):
    shutil.copytree(recorded("troubled").folder, tmp_path / "run")
    paths = RunPaths(tmp_path / "run")
    page = [
        {
            "name": job.name,
            "label": job.label,
            "tags": {"patch": 18},
            "quanta": {"makeDirectWarp": 1},
            "memory": 8192,
            "cpus": 2,
            "parents": [],
            "folder": str(job.folder.relative_to(paths.submit)),
        }
        for job in read_jobs(paths)
    ]
    paths.jobs.write_text(json.dumps(page))
    (job,) = [job for job in read_jobs(paths) if job.name == "makeWarp_3828_18_731100"]
    assert (job.tags, job.quanta) == ({"patch": 18}, {"makeDirectWarp": 1})
    assert (job.request_memory, job.request_cpus) == (8192, 2)
    paths.jobs.write_text(json.dumps(page).replace('"folder"', '"place"'))
    with pytest.raises(LedgerError, match="cannot be read: KeyError"):
        read_jobs(paths)


def test_a_log_that_is_read_in_pieces_tells_the_same(tmp_path):
    (log,) = recorded("troubled").submit.glob("*.nodes.log")
    text = log.read_bytes()
    whole = EventLog(log)
    whole.read()
    growing = tmp_path / "nodes.log"
    pieces = EventLog(growing)
    assert pieces.read() == set()  # it is not there yet
    for end in range(0, len(text), 997):
        growing.write_bytes(text[:end])
        pieces.read()
    growing.write_bytes(text)
    assert pieces.read()
    assert pieces.read() == set()
    assert pieces.histories == whole.histories


def test_what_was_done_before_a_dag_was_resumed_is_not_forgotten(tmp_path):
    jobs = {job.name: job for job in read_jobs(recorded("resumed"))}
    assert states(list(jobs.values())) == {"done": 22}
    # Its log began anew; the first attempt is told by the job's own.
    assert [attempt.outcome for attempt in jobs["association_731000_94"].attempts] == [
        AttemptOutcome.HELD,
        AttemptOutcome.DONE,
    ]
    assert jobs["diffim_731000_94"].last.outcome is AttemptOutcome.DONE
    # A reader that was there when it was resumed sees it too.
    shutil.copytree(recorded("resumed").folder, tmp_path / "run")
    (log,) = (tmp_path / "run" / "submit").glob("*.nodes.log")
    begun_anew = log.read_text()
    (before,) = (tmp_path / "run" / "submit" / "jobs").glob("association/*/*.215.log")
    log.write_text(before.read_text())
    (rescue,) = (tmp_path / "run" / "submit").glob("*.rescue001")
    rescue.rename(tmp_path / "rescue")
    reader = open_run(RunPaths(tmp_path / "run"))
    assert states(reader.read())["failed"] == 1
    shutil.move(tmp_path / "rescue", rescue)
    log.write_text(begun_anew)
    assert states(reader.read()) == {"done": 22}


def test_a_run_of_parsl_is_read_from_its_log(tmp_path):
    shutil.copytree(recorded("parsl").folder, tmp_path / "run")
    paths = RunPaths(tmp_path / "run")
    page = [
        {"name": name, "label": name.partition("_")[0], "tags": {}, "quanta": {}, "memory": 4096, "cpus": 1}
        | {"parents": [], "folder": ".", "final": name == "finalJob"}
        for name in ("pipetaskInit", "singleFrame_731001_94", "associationMetrics_731101_94", "finalJob")
    ]
    paths.jobs.write_text(json.dumps(page))
    for name in ("pipetaskInit", "finalJob"):
        (paths.submit / "logs" / name).mkdir(parents=True)
    (paths.submit / "logs" / "pipetaskInit" / "pipetaskInit.stderr").touch()
    reader = open_run(paths)
    assert [job.state for job in reader.read()] == [JobState.DONE] * 3 + [JobState.UNREADY]
    assert not reader.ended
    (paths.submit / "logs" / "finalJob" / "finalJob.stderr").touch()
    assert states(reader.read()) == {"done": 4}
    assert reader.ended
    log = paths.folder / "runinfo" / "000" / "parsl.log"
    lines = log.read_text().splitlines(keepends=True)
    log.write_text("".join(line for line in lines if "exec_done" not in line and "Unreg" not in line))
    assert reader.read()[1].state is JobState.IDLE
    log.write_text(log.read_text() + lines[0].replace("pending to launched", "launched to failed"))
    assert reader.read()[1].state is JobState.FAILED


def test_a_run_of_parsl_whose_process_is_gone_was_interrupted(tmp_path):
    paths = CampaignPaths(tmp_path, "recorded")
    run = paths.step(Step.DIFFIM) / recorded("parsl").folder.name
    shutil.copytree(recorded("parsl").folder, run)
    page = [
        {"name": "singleFrame_731001_94", "label": "singleFrame", "tags": {}, "quanta": {}, "memory": 4096}
    ]
    (run / "jobs.json").write_text(json.dumps([{**page[0], "cpus": 1, "parents": [], "folder": "."}]))
    log = run / "runinfo" / "000" / "parsl.log"
    lines = log.read_text().splitlines(keepends=True)
    log.write_text("".join(line for line in lines if "exec_done" not in line and "Unreg" not in line))
    with submission_lock(paths.step(Step.DIFFIM)):
        status = CampaignReader(paths).read()
        assert (status.active, status.steps[0].state) == (True, RunState.IDLE)
    status = CampaignReader(paths).read()
    assert (status.active, status.steps[0].state) == (False, RunState.INTERRUPTED)
    assert status.steps[0].count(JobState.IDLE) == 0
    console = Console(file=StringIO(), width=120)
    console.print(draw_status(status))
    assert "continue with `apcampaign resume`" in console.file.getvalue()


def test_what_htcondor_did_not_take_has_failed(tmp_path):
    shutil.copytree(recorded("troubled").folder, tmp_path / "run")
    paths = RunPaths(tmp_path / "run")
    (dag,) = paths.submit.glob("*.dag")
    dag.with_suffix(".node_status").write_text(
        '[\n  Type = "NodeStatus";\n  Node = "finalJob";\n  NodeStatus = 6; /* "STATUS_ERROR" */\n'
        '  StatusDetails = "Job submit failed";\n]\n'
    )
    out = dag.with_name(f"{dag.name}.dagman.out")
    out.write_text("11/22/26 15:38:53 **** condor_dagman (condor_DAGMAN) pid 1 EXITING WITH STATUS 1\n")
    (final,) = [job for job in read_jobs(paths) if job.name == "finalJob"]
    assert final.state is JobState.FAILED
    assert final.last.reason == "Job submit failed"


@pytest.mark.parametrize("kept", [0, 300, 460, 700, -2])
def test_a_rescue_dag_that_is_cut_off_is_told_from_a_whole_one(tmp_path, kept):
    shutil.copytree(recorded("resumed").submit, tmp_path / "submit")
    (dag,) = (tmp_path / "submit").glob("*.dag")
    assert find_damaged_rescue(dag) is None
    (rescue,) = (tmp_path / "submit").glob("*.rescue001")
    rescue.write_text(rescue.read_text()[:kept])
    assert find_damaged_rescue(dag) == rescue
    # DAGMan would take the newest one.
    shutil.copy(next(recorded("resumed").submit.glob("*.rescue001")), rescue.with_suffix(".rescue002"))
    assert find_damaged_rescue(dag) is None


def test_the_end_is_expected_from_work_and_slots():
    done = [make_job(f"warp_{n}", JobState.DONE, seconds=100) for n in range(20)]
    left = [make_job(f"warp_{n}", JobState.UNREADY) for n in range(20, 60)]
    estimate = estimate_end([*done, *left], NOW)
    assert estimate is not None
    assert math.isclose(estimate.concurrency, 20)
    assert math.isclose(estimate.seconds, 40 * 100 / 20)
    assert 0 < estimate.uncertainty < estimate.seconds / 2


def test_the_end_waits_for_the_critical_path():
    done = [make_job(f"warp_{n}", JobState.DONE, seconds=100) for n in range(20)]
    path = [
        make_job(f"warp_c{n}", JobState.UNREADY, parents=(f"warp_c{n - 1}",) if n else ()) for n in range(10)
    ]
    estimate = estimate_end([*done, *path], NOW)
    assert estimate is not None
    assert math.isclose(estimate.seconds, 10 * 100)


def test_little_known_is_less_certain():
    few = [make_job("warp_0", JobState.DONE), make_job("coadd_1", JobState.UNREADY)]
    many = [make_job(f"coadd_{n}", JobState.DONE) for n in range(30)]
    unsure, sure = estimate_end(few, NOW), estimate_end([*many, few[1]], NOW)
    assert unsure is not None
    assert sure is not None
    assert unsure.uncertainty / unsure.seconds >= 1
    assert sure.uncertainty / sure.seconds < 0.8


def test_no_end_is_expected_of_what_waits_for_a_held_job():
    jobs = [
        make_job("warp_0", JobState.DONE),
        make_job("warp_1", JobState.HELD),
        make_job("coadd_1", JobState.UNREADY, parents=("warp_1",)),
        make_job("final", JobState.UNREADY),
    ]
    assert estimate_end(jobs, NOW) is None
    assert estimate_end([*jobs, make_job("warp_2", JobState.IDLE, parents=("warp_0",))], NOW) is not None


def test_jobs_are_counted_by_label():
    jobs = [
        make_job("warp_0", JobState.DONE),
        make_job("warp_1", JobState.HELD),
        make_job("coadd_0", JobState.IDLE),
    ]
    warp, coadd = count_labels(jobs)
    assert (warp.label, dict(warp.counts)) == ("warp", {JobState.DONE: 1, JobState.HELD: 1})
    assert warp.seconds == 100
    assert coadd.seconds is None


def queued(name: str, *, memory: float = 1000, cpus: int = 1) -> QueuedJob:
    cluster = 100 + int(name.rpartition("_")[2])
    return QueuedJob(cluster=cluster, name=name, status=JobStatus.IDLE, memory=memory, cpus=cpus)


def test_it_is_told_when_no_slot_fits_and_who_is_held():
    jobs = [
        replace(make_job(f"warp_{n}", JobState.IDLE), attempts=(Attempt(cluster=100 + n),)) for n in range(3)
    ]
    jobs.append(make_job("coadd_0", JobState.HELD))
    slots = (Slot(memory=4096, cpus=4, free_memory=0, free_cpus=0),)
    idle = (queued("warp_0", memory=8192), queued("warp_1", memory=8192), queued("warp_2"))
    held, big, busy = explain_waiting(jobs, Queue(jobs=idle, slots=slots))
    assert held == "1 job of templates coadd held: why"
    assert big.startswith("2 jobs of templates warp idle: no slot fits, they request 8192 MiB and 1 core,")
    assert "has 4096 MiB" in big
    assert busy == "1 job idle: they wait for a free slot (4 of 4 cores in use)"
    (_, none) = explain_waiting(jobs, Queue(jobs=idle, slots=()))
    assert none == "3 jobs idle: the pool has no machine"


def test_what_a_job_requests_is_evaluated_as_htcondor_does():
    import classad2

    killed = "LastJobStatus =?= 5 && LastHoldReasonCode =?= 3"
    request = f"({killed}) ? int(400 * pow(2, NumJobStarts)) : max({{400, MemoryUsage ?: 0}})"
    ad = classad2.ClassAd({"Nothing": classad2.ExprTree("Missing + 1")})
    ad["RequestMemory"] = classad2.ExprTree(request)
    assert eval_number(ad, "RequestMemory") == 400
    ad.update({"LastJobStatus": 5, "LastHoldReasonCode": 3, "NumJobStarts": 2})
    assert eval_number(ad, "RequestMemory") == 1600
    assert eval_number(ad, "Nothing") is None
    assert eval_number(ad, "RequestCpus") is None


@pytest.mark.parametrize("setting", ["/nowhere/condor_config", None])
def test_a_queue_that_does_not_answer_is_no_error(setting, monkeypatch):
    monkeypatch.delenv("CONDOR_CONFIG", raising=False)
    if setting:
        monkeypatch.setenv("CONDOR_CONFIG", setting)
    queue = ask_queue([Path("/nowhere/a.dag")], [1])
    assert queue.problem


@pytest.fixture
def campaign(tmp_path) -> CampaignPaths:
    """A campaign whose templates step has two parts: the recorded run with troubles, and one that is done."""
    paths = CampaignPaths(tmp_path, "recorded")
    for part in ("a", "b"):
        plant_run(paths, part)
    done = paths.folder / "templates" / "20261122T153637Z-b" / "submit"
    (log,) = done.glob("*.nodes.log")
    log.unlink()
    (dag,) = done.glob("*.dag")
    nodes = [line.split()[1] for line in dag.read_text().splitlines() if line.startswith(("JOB ", "FINAL "))]
    (done / f"{dag.name}.rescue001").write_text("".join(f"DONE {name}\n" for name in nodes))
    (done / f"{dag.name}.dagman.out").write_text("condor_dagman pid 1 EXITING WITH STATUS 0\n")
    return paths


def plant_run(paths: CampaignPaths, part: str) -> RunPaths:
    source = recorded("troubled")
    record = read_run(source).model_copy(update={"part": part})
    target = paths.run(record)
    shutil.copytree(source.folder, target.folder)
    write_run(target, record)
    return target


def look(paths: CampaignPaths, monkeypatch: pytest.MonkeyPatch) -> CampaignStatus:
    monkeypatch.setenv("CONDOR_CONFIG", "/nowhere/condor_config")
    return CampaignReader(paths).read()


def test_a_campaign_in_the_queue_of_another_host_is_said_to_be_there(tmp_path):
    paths = CampaignPaths(tmp_path, "camp")
    record = DagRecord(campaign="camp", timestamp="t", cluster="7", runs=("templates",), schedd="host1")
    view = _View(Ledger(paths=paths, runs=()), (paths.dag("t"), record), None, (), ())
    dags = [paths.dag("t").dag]
    (said,) = _explain_unknown(Queue(schedd="host2"), view, dags, NOW)
    assert "the campaign DAG is in the queue of host1, and this host has that of host2" in said
    (said,) = _explain_unknown(Queue(schedd="host1"), view, dags, NOW)
    assert "`apcampaign doctor` looks for what is wrong" in said
    # A run that was adopted is in no campaign DAG.
    adopted = read_run(recorded("troubled")).model_copy(update={"schedd": "host1"})
    run = _Run(adopted, paths.run(adopted).folder, open_run(recorded("troubled")), (), submitted=True)
    view = _View(Ledger(paths=paths, runs=()), None, None, (), (run,))
    (said,) = _explain_unknown(Queue(schedd="host2"), view, dags, NOW)
    assert "the run is in the queue of host1, and this host has that of host2" in said


def test_a_step_is_put_together_over_its_runs(campaign, monkeypatch):
    status = look(campaign, monkeypatch)
    (step,) = status.steps
    assert [run.state for run in step.runs] == [RunState.HELD, RunState.DONE]
    assert (step.state, step.earlier_runs) == (RunState.HELD, 0)
    content = json.loads(json.dumps(status.as_dict()))["steps"][0]
    assert content["jobs"]["done"] == 25 + 35
    assert content["labels"]["makeWarp"]["done"] + content["labels"]["makeWarp"]["pruned"] > 18
    assert [run["folder"].rpartition("-")[2] for run in content["runs"]] == ["a", "b"]
    assert {job.run for job in status.jobs} == {"templates-a", "templates-b"}
    found = CampaignReader(campaign).read_jobs()
    assert [record.name for record in found.records] == ["templates-a", "templates-b"]
    assert find_failures(found.jobs).pruned == {Step.TEMPLATES: 3}


def test_a_newer_run_of_a_part_takes_the_place_of_the_older_one(campaign, monkeypatch):
    run = plant_run(campaign, "c")
    record = read_run(run).model_copy(update={"part": "b", "timestamp": "20261123T000000Z"})
    run.folder.rename(campaign.run(record).folder)
    write_run(campaign.run(record), record)
    (step,) = look(campaign, monkeypatch).steps
    assert [run.folder.name for run in step.runs] == ["20261122T153637Z-a", "20261123T000000Z-b"]
    assert step.earlier_runs == 1


def test_a_run_that_nothing_ever_ran_is_called_so_and_is_not_waited_for(tmp_path, monkeypatch):
    paths = CampaignPaths(tmp_path, "recorded")
    run = plant_run(paths, "")
    record = read_run(run).model_copy(update={"wms_id": None})
    write_run(run, record)
    for name in ("*.dagman.out", "*.nodes.log"):
        next(run.submit.glob(name)).unlink()
    status = look(paths, monkeypatch)
    assert not status.active
    assert status.steps[0].state == "never submitted"
    assert not status.unknown
    # Nor is it waited for in a campaign DAG that HTCondor has not taken.
    dag = paths.dag(record.timestamp)
    dag.folder.mkdir(parents=True)
    dag.dag.write_text(f"SUBDAG EXTERNAL templates {paths.run(record).dag(record.output_run)}\n")
    write_dag_record(
        dag, DagRecord(campaign="recorded", timestamp=record.timestamp, cluster="", runs=("templates",))
    )
    status = look(paths, monkeypatch)
    assert (status.active, status.dag, status.steps[0].state) == (False, (), RunState.UNSUBMITTED)
    # In a campaign DAG that is active, its turn is still to come.
    write_dag_record(
        dag, DagRecord(campaign="recorded", timestamp=record.timestamp, cluster="7", runs=("templates",))
    )
    status = look(paths, monkeypatch)
    assert status.active
    assert [node.name for node in status.dag] == ["templates"]
    assert status.steps[0].state is RunState.UNREADY
    # One that has ended without it will never run it.
    dag.dag.with_name("campaign.dag.dagman.out").write_text("pid 1 EXITING WITH STATUS 1\n")
    status = look(paths, monkeypatch)
    assert not status.active
    assert status.steps[0].state is RunState.UNSUBMITTED
    # A DAG that is older than the run is not its.
    write_dag_record(
        dag, DagRecord(campaign="recorded", timestamp="20200101T000000Z", cluster="7", runs=("templates",))
    )
    assert look(paths, monkeypatch).dag == ()


def test_parts_that_were_not_begun_are_shown_and_are_a_failure_once_nothing_will_begin_them(
    tmp_path, monkeypatch
):
    paths = CampaignPaths(tmp_path, "recorded")
    old = read_run(recorded("resumed"))
    record = old.model_copy(update={"part": "visits-1", "stage": Stage.VISITS, "division": old.timestamp})
    shutil.copytree(recorded("resumed").folder, paths.run(record).folder)
    write_run(paths.run(record), record)
    dag = paths.dag(old.timestamp)
    dag.folder.mkdir(parents=True)
    dag.dag.write_text("JOB prepare-diffim-visits-2 x.sub\n")
    names = ("diffim-visits-1", "diffim-visits-2")
    write_dag_record(dag, DagRecord(campaign="recorded", timestamp=old.timestamp, cluster="7", runs=names))
    status = look(paths, monkeypatch)
    (step,) = status.steps
    assert (step.to_come, step.state) == (("diffim-visits-2",), RunState.UNREADY)
    assert step.runs[0].jobs == {JobState.DONE: len(status.jobs)}
    with StringIO() as stream:
        Console(file=stream, width=120).print(draw_status(status, parts=True))
        said = stream.getvalue()
    assert re.search(r"diffim-visits-1 .*done", said)
    assert re.search(r"diffim-visits-2 .*unready", said)
    assert "1 to come" in said
    dag.dag.with_name("campaign.dag.dagman.out").write_text("pid 1 EXITING WITH STATUS 1\n")
    (step,) = look(paths, monkeypatch).steps
    assert step.state is RunState.FAILED


def test_a_campaign_without_runs_says_so(tmp_path, monkeypatch):
    with pytest.raises(LedgerError, match="no runs"):
        look(CampaignPaths(tmp_path, "nothing"), monkeypatch)


def test_parts_of_a_step_share_their_run_times_for_the_estimate():
    done = [replace(make_job(f"warp_{n}", JobState.DONE), run="templates-a") for n in range(20)]
    to_come = [
        replace(make_job(f"warp_{n}", JobState.UNREADY, parents=(f"warp_{n - 1}",)), run=run)
        for run in ("templates-a", "templates-b")
        for n in range(20, 25)
    ]
    held = replace(make_job("warp_19", JobState.HELD), run="templates-b")
    estimate = estimate_end([*done, *to_come], NOW)
    assert estimate is not None
    assert math.isclose(estimate.seconds, 5 * 100)  # side by side, not one after the other
    stuck = estimate_end([*done, *to_come, held], NOW)
    assert stuck is not None
    assert math.isclose(stuck.seconds, 5 * 100)  # only the other part goes on
    assert estimate_end([*done, *to_come[5:], held], NOW) is None
