"""The private HTCondor pool: runs jobs and DAGs, and goes without a trace."""

import contextlib
import os
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
from apcampaign.common.errors import SandboxError
from apcampaign.sandbox.servers import CondorPool, CondorSoftware, Identity, system_condor_works
from apcampaign.sandbox.servers.process_record import ProcessRecord
from apcampaign.sandbox.servers.processes import wait_until

pytestmark = pytest.mark.htcondor

# A local-universe job that does what a chain does: it looks at the queue, and makes and submits more work.
_PREPARE = """
import subprocess, sys
from pathlib import Path
import apcampaign.sandbox
def run(*arguments):
    subprocess.run(arguments, check=True, timeout=60)
run("condor_q")
Path("inner.dag").write_text("JOB one job.sub\\nJOB two job.sub\\n")
run("condor_submit_dag", "-no_submit", "-f", "inner.dag")
run("condor_submit", "job.sub")
Path("prepared").write_text(sys.executable)
"""

_JOB = """
executable = /bin/sh
arguments = "-c 'echo ran; echo $HOME'"
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
    for arguments in (pool.command(command), ["condor_wait", "-wait", str(seconds), log]):
        done = subprocess.run(
            arguments,
            env=environ,
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds + 30,
        )
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)


def _write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)


def test_a_job_runs_and_returns_its_output(condor_pool: CondorPool, tmp_path: Path) -> None:
    _write(tmp_path, job_sub=_JOB)
    _submit_and_wait(condor_pool, tmp_path, ["condor_submit", "job.sub"], "job.log")
    (output,) = tmp_path.glob("*.out")
    said, home = output.read_text().splitlines()
    assert said == "ran"
    if Identity.choose().kind == "namespace":
        # Root's own, where database clients look for passwords; not that of the user he seems to be.
        assert Path(home) == Path.home()


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
    assert condor_pool.run(question, seconds=30).split() == ["4", "65536"]


@pytest.mark.postgres
def test_a_job_gets_into_the_private_postgresql_with_nothing_but_its_url(
    condor_pool: CondorPool, postgres_url: str, tmp_path: Path
) -> None:
    code = "import sys, psycopg2; print(psycopg2.connect(sys.argv[1]).info.user)"
    (tmp_path / "ask.py").write_text(code)
    job = f"executable = {sys.executable}\narguments = {tmp_path}/ask.py {postgres_url}\n"
    _write(tmp_path, job_sub=f"{job}output = job.out\nerror = job.err\nlog = job.log\nqueue\n")
    _submit_and_wait(condor_pool, tmp_path, ["condor_submit", "job.sub"], "job.log")
    assert (tmp_path / "job.out").read_text() == "apcampaign\n", (tmp_path / "job.err").read_text()


def _listening(pids: set[int]) -> set[str]:
    """Find the local addresses of the TCP sockets, of IPv4 and IPv6, that processes listen on, in hexadecimal."""
    inodes = set()
    for pid in pids:
        for handle in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                inodes.add(str(handle.readlink()))
    rows = [
        line.split()
        for name in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]
    ]
    return {row[1].partition(":")[0] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in inodes}


def test_it_listens_on_the_loopback_interface_only(condor_pool: CondorPool) -> None:
    record = ProcessRecord.load(condor_pool.state / "master.json")
    assert record is not None
    assert _listening({member.pid for member in record.tree()}) == {"0100007F"}


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
        interval = ["condor_config_val", "NEGOTIATOR_INTERVAL"]
        assert int(other.run(interval, seconds=30)) > int(condor_pool.run(interval, seconds=30)) == 1
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


def test_a_pool_whose_master_was_killed_starts_again_with_its_queue(
    condor_pool: CondorPool, tmp_path: Path
) -> None:
    pool = CondorPool(tmp_path / "state", time_to_live=5)
    with pool:
        _write(tmp_path, job_sub=_JOB)
        held = ["-append", "hold = true", "-append", f"initialdir = {tmp_path}"]
        pool.run(["condor_submit", *held, str(tmp_path / "job.sub")], seconds=30)
        record = ProcessRecord.load(pool.state / "master.json")
        assert record is not None
        family = record.tree()
        os.kill(record.pid, signal.SIGKILL)
        assert wait_until(lambda: not pool.is_running(), seconds=10)
        pool.start()
        assert not any(member.is_alive() for member in family)
        assert pool.run(["condor_q", "-af", "JobStatus"], seconds=30).split() == ["5"]


def test_a_folder_that_htcondor_cannot_use_is_refused_with_its_name(hostile_path: Path) -> None:
    with pytest.raises(SandboxError, match=r"a hostile  path.*takes no spaces"):
        CondorPool(hostile_path)


def test_an_unprivileged_user_can_run_one(condor_pool: CondorPool, tmp_path: Path) -> None:
    """In a namespace of this user's, where he has no rights but his files'."""
    identity = Identity.choose()
    if identity.kind != "namespace":
        pytest.skip("the other tests of this session do that, or namespaces are not allowed")
    code = f"""
import os
from pathlib import Path
from apcampaign.sandbox.servers import CondorPool, Identity
assert Identity.choose().kind == "self", Identity.choose()
with CondorPool(Path({str(tmp_path / "state")!r}), time_to_live=5) as pool:
    print(pool.user, os.getuid(), pool.is_ready())
"""
    command = identity.command([sys.executable, "-c", code])
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.stdout.split() == [identity.name, str(identity.uid), "True"], done.stderr


@pytest.mark.slow
def test_an_installation_is_made_once_and_others_are_kept_out(
    condor_pool: CondorPool, public_path: Path, unavailable: Callable[[object], NoReturn]
) -> None:
    prefix = public_path / "condor"
    code = f"""
from pathlib import Path
from apcampaign.sandbox.servers import CondorSoftware
print(CondorSoftware.install(Path({str(prefix)!r})).version)
"""
    # Two at once.
    both = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    versions = {process.communicate(timeout=300)[0].strip() for process in both}
    software = CondorSoftware.find(prefix)
    if software is None:
        unavailable("HTCondor cannot be fetched from here")
    assert versions == {software.version}

    pool = CondorPool(public_path / "state", prefix=prefix, time_to_live=5)
    with pool:
        pool.run(["condor_q"], seconds=30)
        if os.geteuid() == 0:
            # The folder is closed to others; a stranger who got at the configuration is still refused.
            pool.state.chmod(0o755)
            stranger = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "condor_q"]
            with pytest.raises(SandboxError, match=r"DENIED|denied"):
                pool.run(stranger, seconds=30)
    if os.geteuid() == 0:
        identity = Identity.choose(allow_namespace=False)
        other = CondorPool(public_path / "other", prefix=prefix, time_to_live=5, identity=identity)
        with other:
            (public_path / "open").mkdir()
            (public_path / "open").chmod(0o777)
            _write(public_path / "open", job_sub=_JOB)
            _submit_and_wait(other, public_path / "open", ["condor_submit", "job.sub"], "job.log")
            (output,) = (public_path / "open").glob("*.out")
            assert output.stat().st_uid == identity.uid != 0


def test_a_folder_with_other_things_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("x")
    with pytest.raises(SandboxError, match="holds something other than HTCondor"):
        CondorSoftware.install(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]


def test_a_working_htcondor_is_recognised(condor_pool: CondorPool, tmp_path: Path) -> None:
    code = "from apcampaign.sandbox.servers import system_condor_works as works; print(works())"
    assert condor_pool.run([sys.executable, "-c", code], seconds=60) == "True\n"
    hanging = tmp_path / "condor_q"
    hanging.write_text("#!/bin/sh\nexec sleep 60\n")
    hanging.chmod(0o755)
    path = os.environ["PATH"]
    code = "from apcampaign.sandbox.servers import system_condor_works as works; print(works(seconds=0.5))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PATH": f"{tmp_path}:{path}"},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert done.stdout == "False\n"


@pytest.mark.parametrize(
    ("machine", "works"), [("node7.cluster.org", False), ("localhost", True), (socket.gethostname(), True)]
)
def test_a_submit_host_whose_jobs_run_elsewhere_is_not_taken_for_a_machine_with_htcondor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, machine: str, works: bool
) -> None:
    for name in ("condor_q", "condor_status"):
        (tmp_path / name).write_text(f"#!/bin/sh\necho {machine}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert system_condor_works() is works


def test_the_door_starts_uses_and_removes_a_pool(condor_pool: CondorPool, tmp_path: Path) -> None:
    state = tmp_path / "state"
    door = Path(__file__).parents[2] / "scripts" / "condor-pool"

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(door), "--state", str(state), "--cpus", "3", "--time-to-live", "5", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)

    assert "not running" in call("status").stderr
    assert call("start").returncode == 0
    assert call("start").returncode == 0
    assert call("run", "condor_status", "-af", "TotalCpus").stdout.split() == ["3.0"]
    assert "slot1@" in call("status").stdout
    script = f'eval "$({shlex.join([str(door), "--state", str(state), "env"])})" && condor_q -totals'
    assert subprocess.run(["sh", "-c", script], capture_output=True, check=False, timeout=60).returncode == 0
    assert call("stop").returncode == 0
    assert call("run", "condor_q", "-totals").returncode != 0
    assert call("clean").returncode == 0
    assert not state.exists()
    failed = call("status")
    assert (failed.returncode, failed.stdout) == (1, "")
    assert "\napcampaign: the pool of" in failed.stderr
