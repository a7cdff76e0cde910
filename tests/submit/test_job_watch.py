"""The progress of a run in the foreground, from what Parsl left of one."""

import json
import shutil
from pathlib import Path

import pytest
from apcampaign.ledger import RunPaths
from apcampaign.submit.executors import job_watch
from apcampaign.submit.executors.job_watch import JobWatch

RECORDED = Path(__file__).parents[1] / "support" / "recorded" / "parsl"


def test_the_jobs_of_a_run_are_counted_once_it_is_prepared(tmp_path, monkeypatch):
    monkeypatch.setattr(job_watch, "_PAUSE", 0.0)
    monkeypatch.setattr(job_watch, "_REST", 0)
    paths, told = RunPaths(tmp_path / "run"), []
    watch = JobWatch(paths, "diffim (run 2 of 2)")
    watch(lambda *so_far: told.append(so_far))
    assert told == []  # there is nothing to be read yet, and that is no error
    (record,) = RECORDED.glob("*/*/run.yaml")
    shutil.copytree(record.parent, paths.folder)
    jobs = [
        {"name": name, "label": name.partition("_")[0], "tags": {}, "quanta": {}, "memory": 4096, "cpus": 1}
        | {"parents": [], "folder": ".", "final": name == "finalJob"}
        for name in ("pipetaskInit", "singleFrame_731001_94", "associationMetrics_731101_94", "finalJob")
    ]
    paths.jobs.write_text(json.dumps(jobs))
    watch(lambda *so_far: told.append(so_far))
    assert told == [("diffim (run 2 of 2)", 2, 4, 0)]
    log = paths.folder / "runinfo" / "000" / "parsl.log"
    lines = log.read_text()
    assert "changing state from launched to exec_done" in lines
    log.write_text(lines.replace("to exec_done", "to failed"))
    watch(lambda *so_far: told.append(so_far))
    assert told[-1][1:] == (0, 4, 2)


def test_looking_costs_little_of_the_time(tmp_path, monkeypatch):
    monkeypatch.setattr(job_watch, "_PAUSE", 60.0)
    (record,) = RECORDED.glob("*/*/run.yaml")
    watch, told = JobWatch(RunPaths(record.parent), "diffim"), []
    for _ in range(3):
        watch(lambda *so_far: told.append(so_far))
    assert len(told) <= 1


@pytest.mark.parametrize("content", ["", "["])
def test_what_cannot_be_read_stops_nothing(tmp_path, content):
    (record,) = RECORDED.glob("*/*/run.yaml")
    shutil.copytree(record.parent, tmp_path / "run")
    paths, told = RunPaths(tmp_path / "run"), []
    paths.jobs.write_text(content)
    JobWatch(paths, "diffim")(lambda *so_far: told.append(so_far))
    assert told == []
