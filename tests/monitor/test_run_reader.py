"""The jobs of a run, from what real runs left behind (recorded/)."""

import json
import shutil
from io import StringIO

import pytest
from apcampaign.bps import Step
from apcampaign.ledger import (
    CampaignPaths,
    RunPaths,
    read_run,
    submission_lock,
)
from apcampaign.monitor import (
    AttemptOutcome,
    CampaignReader,
    JobState,
    find_damaged_rescue,
    find_failures,
    open_run,
    read_jobs,
)
from apcampaign.monitor.event_log import EventLog
from apcampaign.monitor.status import RunState
from apcampaign.scripts.display.status import draw_status
from apcampaign.submit.bps_process.worker import _note_failure
from made_jobs import recorded, states
from rich.console import Console


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


def test_the_file_of_a_runs_jobs_tells_more_than_its_dag(tmp_path, caplog):
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
    assert len(read_jobs(paths)) == len(page)
    assert "cannot be read: KeyError" in caplog.text


@pytest.mark.parametrize("left", [None, b"", b"[1, 2]\n"])
def test_a_log_of_a_dag_that_was_lost_is_warned_of_once(tmp_path, caplog, left):
    shutil.copytree(recorded("troubled").folder, tmp_path / "run")
    reader = open_run(RunPaths(tmp_path / "run"))
    reader.read()
    assert not caplog.text
    (log,) = tmp_path.rglob("*.nodes.log")
    log.unlink() if left is None else log.write_bytes(left)
    reader = open_run(RunPaths(tmp_path / "run"))
    reader.read()
    reader.read()
    assert caplog.text.count(f"{log} lacks events that makeWarp_3828_25_731000.12.log has") == 1


def test_a_log_of_a_dag_that_has_ended_lacks_no_job_without_a_word(tmp_path, caplog):
    shutil.copytree(recorded("troubled").folder, tmp_path / "run")
    (log,) = tmp_path.rglob("*.nodes.log")
    (output,) = tmp_path.rglob("*.dagman.out")
    whole = log.read_bytes()
    cut = whole[: whole.index(b"(012.000.000)")]
    log.write_bytes(cut[: cut.rindex(b"\n...\n") + 5])
    output.write_text("11/22/26 15:39:00 **** condor_dagman (condor_DAGMAN) EXITING WITH STATUS 1\n")
    open_run(RunPaths(tmp_path / "run")).read()
    assert f"{log} lacks events that makeWarp_3828_25_731000.12.log has" in caplog.text


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


@pytest.mark.parametrize("content", [b"\0" * 300, b"null, and more\n"])
def test_a_log_that_is_damaged_is_told_once(tmp_path, caplog, content):
    shutil.copytree(recorded("troubled").folder, tmp_path / "run")
    reader = open_run(RunPaths(tmp_path / "run"))
    reader.read()
    assert not caplog.messages
    (log,) = (tmp_path / "run").glob("submit/*.nodes.log")
    log.write_bytes(content)
    reader = open_run(RunPaths(tmp_path / "run"))
    for _ in range(2):
        reader.read()
    (message,) = caplog.messages
    assert "does not begin with an event of HTCondor" in message


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
    _note_failure(paths, read_run(paths))
    (last,) = [job for job in reader.read() if job.state is JobState.FAILED]
    assert (last.name, last.attempts[0].outcome) == ("finalJob", AttemptOutcome.FAILED)
    shutil.rmtree(paths.order)
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
    found = CampaignReader(paths).read_jobs()
    failures = find_failures(found.jobs, states=found.states)
    assert not failures.good
    assert [run.describe() for run in failures.stopped] == [
        "the diffim run was interrupted before 1 of its 1 job had ended: the process that ran it has gone"
    ]


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
