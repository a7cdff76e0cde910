"""The expected end of a step, its jobs by label, and what they wait for in the queue."""

import math
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from apcampaign.common.condor import JobStatus, Slot
from apcampaign.monitor import (
    Attempt,
    JobState,
)
from apcampaign.monitor.idle_reasons import explain_waiting
from apcampaign.monitor.progress import count_labels, estimate_end
from apcampaign.monitor.queue import Queue, QueuedJob, _read_lost, ask_queue, eval_number
from made_jobs import NOW, make_job


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


@pytest.mark.parametrize("pause", [0.0, 3 * 86400.0])
def test_a_pause_does_not_make_the_end_later(pause):
    before = [make_job(f"warp_{n}", JobState.DONE, seconds=100) for n in range(4)]
    moved = [
        replace(each, started=NOW - 2000 - pause, ended=NOW - 100 - pause)
        for job in before
        for each in job.attempts
    ]
    before = [replace(job, attempts=(attempt,)) for job, attempt in zip(before, moved, strict=True)]
    after = [make_job(f"warp_r{n}", JobState.DONE, seconds=100) for n in range(4)]
    left = [make_job(f"warp_{n}", JobState.UNREADY) for n in range(10, 50)]
    estimate = estimate_end([*before, *after, *left], NOW)
    assert estimate is not None
    assert 3 < estimate.concurrency < 5
    assert estimate.jobs_per_hour > 6


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


def test_a_job_whose_slot_is_lost_is_told_though_htcondor_takes_it_for_running():
    since = datetime(2026, 11, 26, 15, 21, 39, tzinfo=UTC).timestamp()
    running = replace(queued("final_0"), status=JobStatus.RUNNING)
    (lost,) = explain_waiting([], Queue(jobs=(running, replace(running, name="final_1", lost=(since, 2400)))))
    assert lost.startswith(
        "1 job without contact to the slot, such as final_1: HTCondor looks for it until 16:01 UTC"
    )
    assert "`apcampaign cancel`" in lost


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


def test_a_slot_that_was_lost_before_the_job_began_anew_is_forgotten():
    import classad2

    ad = classad2.ClassAd({"JobDisconnectedDate": 100, "JobCurrentStartDate": 90, "JobLeaseDuration": 2400})
    assert _read_lost(ad) == (100, 2400)
    ad["JobCurrentStartDate"] = 200
    assert _read_lost(ad) is None
    ad["JobDisconnectedDate"] = classad2.ExprTree("Undefined")
    assert _read_lost(ad) is None


@pytest.mark.parametrize("setting", ["/nowhere/condor_config", None])
def test_a_queue_that_does_not_answer_is_no_error(setting, monkeypatch):
    monkeypatch.delenv("CONDOR_CONFIG", raising=False)
    if setting:
        monkeypatch.setenv("CONDOR_CONFIG", setting)
    queue = ask_queue([Path("/nowhere/a.dag")], [1])
    assert queue.problem


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
