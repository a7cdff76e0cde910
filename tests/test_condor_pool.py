"""The private HTCondor pool: runs jobs and DAGs, and goes without a trace."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from apcampaign.common.errors import SandboxError
from apcampaign.sandbox.servers import CondorPool
from apcampaign.sandbox.servers.processes import ProcessRecord, wait_until

pytestmark = pytest.mark.htcondor

# A local-universe job that does what a chain does: it looks at the queue, and makes and submits more work.
_PREPARE = """
import subprocess, sys
from pathlib import Path
import apcampaign.sandbox
def run(*words):
    subprocess.run(words, check=True, timeout=60)
run("condor_q")
Path("inner.dag").write_text("JOB one job.sub\\nJOB two job.sub\\n")
run("condor_submit_dag", "-no_submit", "-f", "inner.dag")
run("condor_submit", "job.sub")
Path("prepared").write_text(sys.executable)
"""

_JOB = """
executable = /bin/sh
arguments = "-c 'echo ran; pwd'"
output = $(Cluster).out
error = $(Cluster).err
log = job.log
queue
"""

_LOCAL = f"""
universe = local
executable = {sys.executable}
arguments = prepare.py
getenv = true
output = local.out
error = local.err
log = local.log
queue
"""

_OUTER = """
JOB prepare local.sub
SUBDAG EXTERNAL inner inner.dag
JOB last job.sub
PARENT prepare CHILD inner
PARENT inner CHILD last
"""


def _submit_and_wait(
    pool: CondorPool, folder: Path, command: list[str], log: str, seconds: int = 120
) -> None:
    environ = {**os.environ, **pool.environ()}
    for words in (pool.command(command), ["condor_wait", "-wait", str(seconds), log]):
        done = subprocess.run(
            words, env=environ, cwd=folder, capture_output=True, text=True, check=False, timeout=seconds + 30
        )
        assert done.returncode == 0, (words, done.stdout, done.stderr)


def _write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)


def test_a_job_runs_and_returns_its_output(condor_pool: CondorPool, tmp_path: Path) -> None:
    _write(tmp_path, job_sub=_JOB)
    _submit_and_wait(condor_pool, tmp_path, ["condor_submit", "job.sub"], "job.log")
    (output,) = tmp_path.glob("*.out")
    assert output.read_text().startswith("ran\n")


def test_a_dag_with_a_subdag_that_a_local_job_writes_runs_to_its_end(
    condor_pool: CondorPool, tmp_path: Path
) -> None:
    _write(tmp_path, job_sub=_JOB, local_sub=_LOCAL, prepare_py=_PREPARE, outer_dag=_OUTER)
    _submit_and_wait(condor_pool, tmp_path, ["condor_submit_dag", "outer.dag"], "outer.dag.dagman.log")
    assert (tmp_path / "prepared").read_text() == sys.executable, (tmp_path / "local.err").read_text()
    assert "EXITING WITH STATUS 0" in (tmp_path / "outer.dag.dagman.out").read_text()
    # Two of the inner DAG, the last of the outer one, and the one submitted by hand, which may be late.
    assert wait_until(lambda: len(list(tmp_path.glob("[0-9]*.out"))) == 4, seconds=30)


def test_it_advertises_what_was_asked_for(condor_pool: CondorPool) -> None:
    question = [
        "condor_status",
        "-af",
        "TotalSlotCpus",
        "TotalSlotMemory",
        "-constraint",
        "PartitionableSlot",
    ]
    assert condor_pool.run(question, seconds=30).split() == ["16", "65536"]


def test_the_python_bindings_see_the_same_queue(condor_pool: CondorPool, tmp_path: Path) -> None:
    # In a process of its own: the bindings read their configuration once.
    _write(tmp_path, job_sub=_JOB)
    held = ["-append", "hold = true", "-append", f"initialdir = {tmp_path}"]
    condor_pool.run(["condor_submit", *held, str(tmp_path / "job.sub")], seconds=30)
    code = "import htcondor2; print([ad['Cmd'] for ad in htcondor2.Schedd().query('JobStatus == 5')])"
    assert "/bin/sh" in condor_pool.run([sys.executable, "-c", code], seconds=60)
    condor_pool.run(["condor_rm", "-constraint", "JobStatus == 5"], seconds=30)


def test_starting_a_running_pool_does_nothing(condor_pool: CondorPool) -> None:
    record = ProcessRecord.load(condor_pool.state / "master.json")
    CondorPool(condor_pool.state, cpus=1).start()
    assert ProcessRecord.load(condor_pool.state / "master.json") == record
    assert "HTCondor" in condor_pool.status()


def test_two_pools_at_once_keep_apart_and_a_stopped_one_leaves_no_process(
    condor_pool: CondorPool, tmp_path: Path
) -> None:
    other = CondorPool(tmp_path / "other", cpus=2, memory=1000, tuned=False, time_to_live=5)
    with other:
        environ = other.environ()
        assert environ["CONDOR_CONFIG"] != condor_pool.environ()["CONDOR_CONFIG"]
        sleeper = "executable = /bin/sleep\narguments = 600\nuniverse = local\nqueue\n"
        _write(tmp_path, sleep_sub=sleeper)
        other.run(["condor_submit", str(tmp_path / "sleep.sub")], seconds=30)
        assert "sleep" in other.run(["condor_q", "-nobatch"], seconds=30)
        assert "sleep" not in condor_pool.run(["condor_q", "-nobatch"], seconds=30)
        record = ProcessRecord.load(other.state / "master.json")
        assert record is not None
        family = record.tree()
        assert len(family) >= 6
    assert not other.is_running()
    assert not any(member.is_alive() for member in family)
    assert condor_pool.is_ready()
    with pytest.raises(SandboxError, match="is not running"):
        other.status()
    other.stop()
    other.clean()
    assert not other.state.exists()


def test_a_folder_that_htcondor_cannot_use_is_refused_with_its_name(hostile_path: Path) -> None:
    with pytest.raises(SandboxError, match=r"a hostile  path.*takes no spaces"):
        CondorPool(hostile_path)
