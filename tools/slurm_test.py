"""Run a campaign on a real Slurm: ``tools/slurm_test.py``, which `make slurm-test` calls.

Slurm and MUNGE come from the packages of this machine's Debian, which are unpacked into the user's cache; nothing
is installed. The daemons (munged, slurmctld, slurmd) run as whoever calls this, without systemd, on the loopback
interface, with all of their files in one folder, and are ended by their process ids. The campaign is the smallest
one of the sandbox, both steps, with SQLite.
"""

import argparse
import contextlib
import getpass
import json
import os
import platform
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml
from apcampaign.bps import load_site
from apcampaign.common.errors import SandboxError
from apcampaign.sandbox.create import create_sandbox
from apcampaign.sandbox.servers.debian import DebianSuite
from apcampaign.sandbox.servers.process_record import ProcessRecord
from apcampaign.sandbox.servers.processes import end, limited, locked, run, spawn, wait_until
from apcampaign.sandbox.survey import SandboxSize

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))
from operators import COARSE, COARSE_DIFFIM  # noqa: E402

COMMAND = Path(sys.executable).parent / "apcampaign"
PACKAGES = ("slurmctld", "slurmd", "slurm-client", "slurm-wlm-basic-plugins", "munge")
#: Seconds after which the daemons end by themselves, should this be killed.
LIFETIME = 1800
CONFIG = """\
ClusterName=sandbox
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
# Otherwise the daemons listen on all interfaces.
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={state}/munge.socket
CredType=cred/munge
PluginDir={plugins}
StateSaveLocation={state}/controller
SlurmdSpoolDir={state}/node
SlurmctldPidFile={state}/slurmctld.pid
SlurmdPidFile={state}/slurmd.pid
SlurmctldLogFile={state}/slurmctld.log
SlurmdLogFile={state}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=1,sched_interval=2
ReturnToService=2
NodeName=localhost NodeAddr=127.0.0.1 NodeHostname={host} CPUs={cpus} RealMemory=1000 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
#: Rubin's class, but for the address: workers are on this machine, and nothing is to listen elsewhere.
SITE_CLASS = """\
from lsst.ctrl.bps.parsl.sites import Slurm


class LoopbackSlurm(Slurm):
    def get_address(self):
        return "127.0.0.1"
"""


def find_software() -> Path:
    """Unpack Slurm and MUNGE into the user's cache, if they are not there."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "apcampaign" / "slurm"
    suite = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    prefix = cache / suite
    with locked(cache / "lock", seconds=300, doing="fetching Slurm"):
        if (prefix / "complete").exists():
            return prefix
        print(f"fetching Slurm from Debian {suite}", flush=True)
        shutil.rmtree(prefix, ignore_errors=True)
        prefix.mkdir(parents=True)
        with tempfile.TemporaryDirectory(prefix="apcampaign-apt-") as scratch:
            debian = DebianSuite(suite, Path(scratch))
            debian.update()
            # The libraries that are here are those of the same release, and are used.
            needed = {name for package in PACKAGES for name in debian.libraries_of(package)}
            missing = sorted(name for name in needed if not is_installed(name))
            debian.unpack([*PACKAGES, *missing], prefix)
        (prefix / "complete").touch()
    return prefix


def is_installed(package: str) -> bool:
    """Tell whether the system has a package."""
    shown = subprocess.run(
        ["dpkg-query", "-W", "-f", "${db:Status-Status}", package],
        capture_output=True,
        text=True,
        check=False,
    )
    return shown.stdout.strip() == "installed"


def free_port() -> int:
    """Give a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running_slurm(prefix: Path, state: Path) -> Iterator[Mapping[str, str]]:
    """Run a Slurm of one node, and give the variables with which its commands are used."""
    libraries = sorted({str(file.parent) for file in (prefix / "usr" / "lib").rglob("*.so*")})
    (plugins,) = {file.parent for file in prefix.rglob("auth_munge.so")}
    for name in ("controller", "node"):
        (state / name).mkdir()
    (state / "munge.key").write_bytes(secrets.token_bytes(128))
    (state / "munge.key").chmod(0o600)
    host = socket.gethostname().partition(".")[0]
    ports = {"controller": free_port(), "node": free_port()}
    config = CONFIG.format(
        host=host, user=getpass.getuser(), state=state, plugins=plugins, cpus=os.cpu_count(), **ports
    )
    (state / "slurm.conf").write_text(config)
    environment = {
        **os.environ,
        "PATH": f"{prefix / 'usr/bin'}:{prefix / 'usr/sbin'}:{os.environ['PATH']}",
        "LD_LIBRARY_PATH": ":".join(libraries),
        "SLURM_CONF": str(state / "slurm.conf"),
    }
    munged = [
        "munged",
        "--foreground",
        "--force",
        f"--key-file={state}/munge.key",
        f"--socket={state}/munge.socket",
    ]
    munged += [
        f"--pid-file={state}/munged.pid",
        f"--log-file={state}/munged.log",
        f"--seed-file={state}/seed",
    ]
    daemons = (
        munged,
        ["slurmctld", "-D", "-i"],
        # The path of the other program is compiled into slurmd.
        ["slurmd", "-D", "-N", "localhost", "-d", find_program("slurmstepd", environment)],
    )
    records: list[ProcessRecord] = []
    try:
        for command in daemons:
            program = find_program(command[0], environment)
            line = limited([program, *command[1:]], seconds=LIFETIME, number=signal.SIGTERM)
            records.append(spawn(line, log=state / f"{command[0]}.out", environ=environment))
            if command is munged and not wait_until((state / "munge.socket").exists, seconds=10):
                raise SandboxError(f"munged did not start; see {state}/munged.out")
        if not wait_until(lambda: is_idle(environment), seconds=30, interval=0.5):
            raise SandboxError(f"Slurm did not start; see {state}/slurmctld.log and {state}/slurmd.log")
        yield environment
    finally:
        # Their processes would outlive the daemons.
        run(["scancel", f"--user={getpass.getuser()}"], seconds=10, environ=environment, check=False)
        wait_until(lambda: not list_jobs(environment), seconds=20, interval=0.5)
        for record in reversed(records):
            end(record, [(signal.SIGTERM, 10)])


def find_program(name: str, environment: Mapping[str, str]) -> str:
    """Find a daemon, which Debian has under another name than Slurm, for its alternatives."""
    path = environment["PATH"]
    return shutil.which(f"{name}-wlm", path=path) or shutil.which(name, path=path) or name


def list_jobs(environment: Mapping[str, str]) -> str:
    """List what is in Slurm's queue."""
    return run(["squeue", "-h"], seconds=10, environ=environment, check=False)


def is_idle(environment: Mapping[str, str]) -> bool:
    """Tell whether the node takes jobs."""
    return "idle" in run(["sinfo", "-h", "-o", "%T"], seconds=10, environ=environment, check=False)


def run_campaign(folder: Path, environment: Mapping[str, str]) -> bool:
    """Run both steps, and tell whether all of it is there."""
    sandbox = create_sandbox(folder / "dc2", SandboxSize(visits=2, detectors=(94,)))
    (folder / "loopback_slurm.py").write_text(SITE_CLASS)
    site = dict(load_site("slurm").settings)
    site["site"]["slurm"] |= {"class": "loopback_slurm.LoopbackSlurm", "walltime": "00:20:00"}
    (folder / "site.yaml").write_text(yaml.safe_dump(site))
    campaign = {
        **sandbox.campaign(),
        "site": "site.yaml",
        "templates": COARSE,
        "diffim": COARSE_DIFFIM,
        "apdb": {"url": f"sqlite:///{folder}/apdb.db"},
    }
    (folder / "campaign.yaml").write_text(yaml.safe_dump(campaign))
    variables = {**environment, **sandbox.environment, "PYTHONPATH": str(folder)}
    for words in (["apdb", "init"], ["submit", "--foreground"]):
        subprocess.run([COMMAND, *words], cwd=folder, env=variables, check=True)
    summary = subprocess.run(
        [COMMAND, "summary", "--json"], cwd=folder, env=variables, stdout=subprocess.PIPE, check=False
    )
    content = json.loads(summary.stdout)
    log = (folder / "slurm" / "slurmctld.log").read_text()
    print(f"Slurm jobs: {log.count('_slurm_rpc_submit_batch_job')}; rows: {content['apdb_rows']}")
    return bool(content["good"]) and "_slurm_rpc_submit_batch_job" in log


def main() -> int:
    """Run the test, and keep its folder if it fails."""
    parser = argparse.ArgumentParser(description="Run the sandbox's smallest campaign on a real Slurm.")
    parser.add_argument("--folder", type=Path, help="Where everything goes; it is kept then.")
    given = parser.parse_args().folder
    folder = Path(tempfile.mkdtemp(prefix="apcampaign-slurm-")) if given is None else given.resolve()
    if folder.exists() and any(folder.iterdir()):
        parser.error(f"{folder} is not empty")
    begun = time.monotonic()
    state = folder / "slurm"
    state.mkdir(parents=True, mode=0o700)
    with running_slurm(find_software(), state) as environment:
        good = run_campaign(folder, environment)
    took = f"{time.monotonic() - begun:.0f} s"
    if good and given is None:
        shutil.rmtree(folder)
    print(f"{'complete' if good else 'NOT complete'} after {took}" + ("" if good else f"; see {folder}"))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
