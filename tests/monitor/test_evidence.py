"""What `failures` says of logs that are missing or damaged, on what real runs left behind (recorded/)."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from apcampaign.ledger import RunPaths
from apcampaign.monitor import Attempt, AttemptOutcome, Job, JobState, find_failures, read_jobs
from apcampaign.monitor.failures import Group
from made_jobs import make_job, recorded
from system_faults import damage

#: The log of a job that raised an exception, and HTCondor's own log of one that was killed for its memory.
LOG, OWN_LOG = "makeWarp_3828_24_731000.14.out", "makeWarp_3828_25_731000.12.log"


@pytest.fixture
def jobs(tmp_path: Path) -> list[Job]:
    shutil.copytree(recorded("troubled").folder, tmp_path / "run")
    return read_jobs(RunPaths(tmp_path / "run"))


def group_of(jobs: list[Job], file: str) -> Group:
    name = file.partition(".")[0]
    (group,) = (
        group for group in find_failures(jobs).groups for names in group.jobs.values() if name in names
    )
    return group


@pytest.mark.parametrize("file", [LOG, OWN_LOG])
def test_what_a_damaged_log_of_a_job_does_not_tell_is_said(jobs, tmp_path, file):
    (path,) = tmp_path.rglob(file)
    assert not [line for line in group_of(jobs, file).describe_gaps() if file in line]
    for kind in damage(path):
        group = group_of(jobs, file)
        gaps = [
            line
            for line in group.describe_gaps()
            if str(path) in line
            or f"there is no log of {path.name.partition('.')[0]} in {path.parent}" in line
        ]
        quoted = group.log == path and group.cause.lines and "KeyError" not in group.cause.message
        assert gaps or quoted, kind


def test_a_log_that_cannot_be_read_is_not_called_missing(jobs, tmp_path):
    (path,) = tmp_path.rglob(LOG)
    path.unlink()
    path.mkdir()
    (line,) = group_of(jobs, LOG).describe_gaps()
    assert line.startswith("not known: why, and which task failed; ")
    assert f"{path} cannot be read: Is a directory" in line


def test_logs_that_are_gone_are_put_together_by_what_they_would_tell(jobs, tmp_path):
    (group,) = find_failures(jobs).retried
    folder = next(job.folder for job in jobs if job.name == "makeWarp_3828_18_731100")
    assert group.describe_gaps() == [
        "not known: which task failed; the log of that attempt of makeWarp_3828_18_731100 is no longer in "
        f"{folder}",
        f"not known: how much memory was used; {folder}/makeWarp_3828_18_731100.24.log is not there",
    ]
    assert [set(gap) for gap in group.as_dict()["gaps"]] == [{"unknown", "reason"}] * 2
    (tmp_path / "run" / "submit" / "jobs").rename(tmp_path / "elsewhere")
    (both,) = (
        group for group in find_failures(jobs).groups if group.cause.message.endswith("no log says why")
    )
    (line,) = both.describe_gaps()
    assert line.count("there is no log of") == both.count == 2
    assert both.remedies == ("run them again with `apcampaign resume`, and see the logs of that",)


def test_nothing_is_missed_of_what_never_ran_or_keeps_no_such_log(jobs, tmp_path):
    assert not group_of(jobs, "selectAndAssemble_r_3828_32.27.log").gaps
    # With Parsl a job has no id in a queue.
    killed = Attempt(cluster=0, started=1.0, ended=2.0, outcome=AttemptOutcome.FAILED, signal=9)
    (tmp_path / "warp_1.stderr").write_text("INFO began\n")
    job = make_job("warp_1", JobState.FAILED)
    assert not group_of([replace(job, folder=tmp_path, attempts=(killed,))], "warp_1").gaps
