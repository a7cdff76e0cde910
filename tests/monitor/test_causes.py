"""The root cause of a failure, out of what HTCondor and the job said."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from apcampaign.bps import Step
from apcampaign.monitor import Attempt, AttemptOutcome, Job, JobState, find_failures
from apcampaign.monitor.failures import Cause, FailureKind, Failures
from apcampaign.monitor.failures.advice import advise
from apcampaign.monitor.failures.causes import find_cause
from apcampaign.monitor.failures.tracebacks import find_exception, find_quantum
from apcampaign.monitor.outcomes import QuantaTrouble

HEAD = "Traceback (most recent call last):\n"
FRAME = '  File "/sw/task.py", line 7, in run\n    self.measure()\n    ~~~~~~~~~~~~^^\n'
WRAPPED = (
    "ERROR 2026-11-22T15:37:50+00:00 lsst.daf.butler.cli.utils ()(utils.py:218) - Caught an exception:\n"
    f"{HEAD}{FRAME}lsst.pipe.base.mp_graph_executor.MPGraphExecutorError: One or more tasks failed.\n"
)
CAUSED = "\nThe above exception was the direct cause of the following exception:\n\n"
DURING = "\nDuring handling of the above exception, another exception occurred:\n\n"
DATA_ID = "{instrument: 'LSSTCam-imSim', detector: 94, visit: 731000, band: 'r'}"
FAILED = (
    "ERROR 2026-11-22T15:37:50+00:00 lsst.pipe.base.single_quantum_executor "
    f"(isr:{DATA_ID})(single_quantum_executor.py:320) - Execution of task 'isr' on quantum {DATA_ID} failed. "
    "Exception ValueError: bad bias\n"
)


def raised(what: str) -> str:
    return f"{HEAD}{FRAME}{what}\n"


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (FAILED + raised("ValueError: bad bias") + WRAPPED, "ValueError: bad bias"),
        # The innermost, if it says something.
        (
            raised("OSError: disk full") + CAUSED + raised("ValueError: cannot write") + WRAPPED,
            "OSError: disk full",
        ),
        (raised("KeyError: 'psf'") + CAUSED + raised("ValueError: no PSF") + WRAPPED, "ValueError: no PSF"),
        (raised("KeyError: 'psf'") + WRAPPED, "KeyError: 'psf'"),
        # One that was being handled is not what ended the job.
        (raised("KeyError: 'cached'") + DURING + raised("OSError: disk full"), "OSError: disk full"),
        # But a mistake of the handler is not the cause.
        (
            raised("OSError: disk full")
            + DURING
            + raised("UnboundLocalError: cannot access local variable 'x'"),
            "OSError: disk full",
        ),
        (
            raised("KeyError: 'psf'") + DURING + raised("NameError: name 'log' is not defined") + WRAPPED,
            "KeyError: 'psf'",
        ),
        # Nor is one that was only warned of.
        (
            f"WARNING 2026 lsst.x ()(x.py:1) - went on without:\n{raised('ValueError: no colour')}"
            f"INFO 2026 lsst.x ()(x.py:2) - next\n{FAILED}{raised('ValueError: bad bias')}{WRAPPED}",
            "ValueError: bad bias",
        ),
        (raised("lsst.pex.exceptions.wrappers.LengthError: too short"), "LengthError: too short"),
        (FAILED, "ValueError: bad bias"),
        (WRAPPED, "MPGraphExecutorError: One or more tasks failed."),
    ],
)
def test_the_innermost_meaningful_exception_is_found(text, cause):
    found = find_exception(text)
    assert found is not None
    assert f"{found.type}: {found.message}" == cause
    assert found.lines


def test_no_exception_is_made_up():
    assert find_exception("INFO 2026 lsst.x ()(x.py:2) - all is well\n") is None


def test_task_and_data_id_of_the_quantum_are_found():
    expected = ("isr", {"instrument": "LSSTCam-imSim", "detector": 94, "visit": 731000, "band": "r"})
    assert find_quantum(FAILED) == expected
    begun = f"INFO 2026 x ()(x.py:1) - Preparing execution of quantum for label=isr dataId={DATA_ID}.\n"
    assert find_quantum(begun) == expected
    assert find_quantum("") is None


def outcome(kind: AttemptOutcome, **facts: object) -> Attempt:
    return Attempt(cluster=5, queued=0.0, started=10.0, ended=70.0, host="node1", outcome=kind, **facts)


def job(attempt: Attempt, **facts: object) -> Job:
    values = {"name": "warp_1", "label": "warp", "step": Step.TEMPLATES, "state": JobState.FAILED}
    return Job(**{**values, "folder": Path("/"), "request_memory": 4000, "attempts": (attempt,), **facts})


CGROUP = "Error from slot1@node1: Job has gone over cgroup memory limit of 4000 megabytes."
SIGNAL = "Job raised a signal {}. Handling job as if it has gone over memory limit."
EXPRESSION = "The job attribute PeriodicRemove expression '{}' evaluated to TRUE"


@pytest.mark.parametrize(
    ("attempt", "text", "kind", "what"),
    [
        (
            outcome(AttemptOutcome.HELD, hold_code=34, hold_subcode=102, reason=CGROUP),
            "",
            FailureKind.OUT_OF_MEMORY,
            "4000 MiB",
        ),
        (
            outcome(
                AttemptOutcome.HELD, hold_code=3, hold_subcode=34, reason=SIGNAL.format(9), memory=3900.0
            ),
            "",
            FailureKind.OUT_OF_MEMORY,
            "3900 MiB of the 4000 MiB",
        ),
        (
            outcome(AttemptOutcome.HELD, hold_code=3, hold_subcode=34, reason=SIGNAL.format(9), memory=100.0),
            "",
            FailureKind.OUT_OF_MEMORY,
            "probably out of memory: it used 100 MiB",
        ),
        (
            outcome(
                AttemptOutcome.HELD, hold_code=3, hold_subcode=34, reason=SIGNAL.format(11), memory=100.0
            ),
            "Fatal Python error: Segmentation fault\n",
            FailureKind.SIGNAL,
            "Fatal Python error: Segmentation fault",
        ),
        (
            outcome(AttemptOutcome.FAILED, exit_code=1),
            raised("MemoryError"),
            FailureKind.OUT_OF_MEMORY,
            "MemoryError",
        ),
        (
            outcome(AttemptOutcome.FAILED, exit_code=1),
            "terminate called: std::bad_alloc\n",
            FailureKind.OUT_OF_MEMORY,
            "bad_alloc",
        ),
        (
            outcome(
                AttemptOutcome.HELD,
                hold_code=46,
                reason="The job exceeded allowed job duration of 0+01:00:00",
            ),
            "",
            FailureKind.WALLTIME,
            "held after 1 min 00 s: The job exceeded",
        ),
        (
            outcome(AttemptOutcome.REMOVED, reason=EXPRESSION.format("time() - JobCurrentStartDate > 60")),
            "",
            FailureKind.WALLTIME,
            "removed after 1 min 00 s",
        ),
        (
            outcome(AttemptOutcome.REMOVED, reason="via condor_rm (by user me)"),
            "",
            FailureKind.REMOVED,
            "by user me",
        ),
        (
            outcome(
                AttemptOutcome.HELD,
                hold_code=6,
                hold_subcode=2,
                reason="Failed to execute '/a/b': (errno=2: 'No such')",
            ),
            "",
            FailureKind.MISSING_EXECUTABLE,
            "/a/b: No such",
        ),
        (
            outcome(AttemptOutcome.FAILED, exit_code=127),
            "/bin/bash: line 1: pipetask: command not found\n",
            FailureKind.MISSING_EXECUTABLE,
            "pipetask: command not found",
        ),
        (
            outcome(AttemptOutcome.FAILED, exit_code=1),
            raised("FileNotFoundError: Not enough datasets (0) found for input 'bias'"),
            FailureKind.MISSING_INPUT,
            "input 'bias'",
        ),
        (
            outcome(AttemptOutcome.FAILED, exit_code=1),
            raised(
                "RuntimeError: Duplicate DiaObjects created after association. This is likely due to re-running "
                "data with an already populated Apdb."
            ),
            FailureKind.ALREADY_WRITTEN,
            "Duplicate DiaObjects created",
        ),
        (outcome(AttemptOutcome.EVICTED, reason="preempted"), "", FailureKind.EVICTED, "preempted"),
        (
            outcome(AttemptOutcome.FAILED, exit_code=3),
            "",
            FailureKind.EXIT,
            "exit code 3, and no log says why",
        ),
        (
            outcome(AttemptOutcome.FAILED, reason="Job submit failed"),
            "",
            FailureKind.SUBMISSION,
            "Job submit failed",
        ),
    ],
)
def test_each_kind_of_end_is_told_apart(attempt, text, kind, what):
    cause = find_cause(job(attempt), attempt, text)
    assert cause.kind is kind
    assert what in cause.message


def test_a_slot_that_is_larger_than_what_a_job_requested_is_not_what_it_requested():
    killed = {"hold_code": 3, "hold_subcode": 34, "reason": SIGNAL.format(9), "memory": 100.0}
    first = outcome(AttemptOutcome.HELD, **killed, memory_request=16384.0)
    second = outcome(AttemptOutcome.HELD, **killed, memory_request=8000.0)
    it = replace(job(first), attempts=(first, second))
    assert "100 MiB of the 4000 MiB" in find_cause(it, first, "").message
    assert "100 MiB of the 8000 MiB" in find_cause(it, second, "").message  # BPS lets requests grow
    (group,) = find_failures([replace(it, attempts=(first,))]).groups
    assert group.memory_request == 4000


def test_causes_that_differ_in_numbers_and_names_of_files_are_the_same():
    def cause(what: str) -> tuple[str, str]:
        return Cause(kind=FailureKind.EXCEPTION, message=what).signature

    assert cause("ValueError: only 3 stars in /a/b/c.fits") == cause("ValueError: only 41 stars in /d/e.fits")
    assert cause(f"ValueError: no PSF for {DATA_ID}") == cause("ValueError: no PSF for {visit: 7}")
    assert cause("ValueError: only 3 stars") != cause("ValueError: only 3 galaxies")


def test_failures_are_grouped_and_name_what_they_keep_from_running(tmp_path):
    jobs = []
    for number in range(5):
        attempt = Attempt(
            cluster=number,
            queued=0.0,
            started=0.0,
            ended=1.0,
            host=f"node{number % 2}",
            outcome=AttemptOutcome.FAILED,
            exit_code=1,
        )
        (tmp_path / f"warp_{number}.{number}.out").write_text(
            FAILED.replace("731000", f"73100{number}") + raised(f"ValueError: only {number} stars")
        )
        jobs.append(job(attempt, name=f"warp_{number}", folder=tmp_path))
    child = {"label": "coadd", "parents": ("warp_1", "warp_2"), "attempts": ()}
    jobs.append(job(attempt, name="coadd_1", state=JobState.PRUNED, **child))
    (group,) = find_failures(jobs).groups
    assert group.count == 5
    assert group.hosts == {"node0": 3, "node1": 2}
    assert group.pruned == {"coadd": 1}
    assert [data_id["visit"] for data_id in group.data_ids] == [731000 + number for number in range(5)]
    assert "NOT (visit = 731000 AND detector = 94)" in group.remedies[-1]
    assert "(2 more)" in group.remedies[-1]
    assert group.log is not None


def test_jobs_of_two_runs_of_a_step_are_grouped_together_and_not_mixed_up(tmp_path):
    failed = outcome(AttemptOutcome.FAILED, exit_code=1)
    jobs = [
        job(failed, run=run, name=name, label=name.rstrip("1"), state=state, parents=parents, folder=tmp_path)
        for run in ("templates-a", "templates-b")
        for name, state, parents in (
            ("warp1", JobState.FAILED if run == "templates-a" else JobState.DONE, ()),
            ("coadd1", JobState.PRUNED if run == "templates-a" else JobState.UNREADY, ("warp1",)),
        )
    ]
    failures = find_failures(jobs)
    (group,) = failures.groups
    assert (group.count, group.pruned, group.waiting) == (1, {"coadd": 1}, 0)
    both = [replace(one, state=JobState.FAILED) for one in jobs if one.label == "warp"]
    (group,) = find_failures(both).groups
    assert group.jobs == {JobState.FAILED: ["warp1", "warp1"]}


def test_no_remedy_excludes_a_whole_detector_or_tract():
    def remedies(**tags: int) -> tuple[str, ...]:
        attempt = outcome(AttemptOutcome.FAILED, exit_code=1, reason=None)
        failed = job(attempt, tags=tags, folder=Path("/nowhere"))
        (group,) = find_failures([failed]).groups
        return advise(replace(group, cause=replace(group.cause, kind=FailureKind.EXCEPTION)))

    assert not any("NOT" in line for line in remedies(detector=94))
    assert "NOT (visit = 7 AND detector = 94)" in remedies(exposure=7, detector=94)[-1]


def test_a_node_of_the_campaign_dag_that_failed_is_told_and_what_follows_from_it_is_not(tmp_path):
    (tmp_path / "gate.err").write_text("apcampaign: templates: 3 of 9 are missing\napcampaign: more\n")
    nodes = [
        job(
            outcome(AttemptOutcome.FAILED, exit_code=1),
            name=name,
            label=name,
            step=None,
            state=JobState.FAILED,
            folder=tmp_path,
            subdag=name == "diffim",
            final=name == "summary",
        )
        for name in ("gate", "diffim", "summary")
    ]
    of_run = job(outcome(AttemptOutcome.FAILED, exit_code=1), step=Step.DIFFIM, run="diffim", folder=tmp_path)
    other, group = find_failures([of_run], nodes=nodes).groups
    assert other.step is Step.DIFFIM
    assert (group.place, group.label) == ("campaign DAG", "gate")
    assert group.as_dict()["step"] == "dag"
    assert group.cause.message == "exit code 1: templates: 3 of 9 are missing"


def test_a_run_that_failed_although_none_of_its_jobs_did_is_told(tmp_path):
    node = job(
        outcome(AttemptOutcome.REMOVED, reason="via condor_rm"),
        name="diffim-images-1",
        label="diffim-images-1",
        step=None,
        state=JobState.FAILED,
        folder=tmp_path,
        subdag=True,
    )
    (group,) = find_failures([], nodes=[node]).groups
    assert (group.label, group.cause.kind) == ("diffim-images-1", FailureKind.REMOVED)


def test_troubles_of_quanta_become_json():
    trouble = QuantaTrouble(label="isr", failed=[{"visit": 1}], exceptions={"ValueError: no": 1})
    failures = Failures(groups=(), retried=(), pruned={}, quanta={Step.TEMPLATES: (trouble,)})
    assert not failures.good
    content = json.loads(json.dumps(failures.as_dict()))["quanta"]["templates"]["isr"]
    assert content["failed"] == [{"visit": 1}]
    assert content["exceptions"] == {"ValueError: no": 1}


def test_a_node_of_the_campaign_dag_that_was_killed_was_not_out_of_memory():
    attempt = outcome(AttemptOutcome.FAILED, signal=9, memory=180.0, memory_request=180.0)
    node = job(attempt, name="prepare-diffim", label="prepare-diffim", step=None, request_memory=None)
    cause = find_cause(node, attempt, "INFO preparing u/me/diffim\n")
    assert (cause.kind, cause.signal) == (FailureKind.SIGNAL, 9)
    assert "signal 9 (SIGKILL), from outside" in cause.message
    (group,) = find_failures([], nodes=[node]).groups
    assert "go on with `apcampaign resume`" in group.remedies[0]
    # Unless it says so itself.
    assert find_cause(node, attempt, "Cannot allocate memory\n").kind is FailureKind.OUT_OF_MEMORY
