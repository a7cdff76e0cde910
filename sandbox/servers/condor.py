"""Private HTCondor pool: all of its daemons in one folder of this machine, for one user."""

__all__ = ["CondorPool"]

import json
import os
import shutil
import signal
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Self

from ...common.errors import SandboxError
from ...common.files import make_folder, write_atomically
from ...common.own_servers import POOL_FACTS, POOL_RECORD
from ...common.progress import show_progress
from .condor_config import STATE_FOLDERS, PoolSettings, pool_config
from .condor_daemons import daemon_environ, end_orphans, forget_addresses, last_words
from .condor_software import CondorSoftware, check_path
from .identity import Identity
from .process_record import ProcessRecord
from .processes import end, locked, run, spawn, wait_until

# What `condor_status -any` lists once jobs can be submitted and matched.
_READY = {"Machine", "Negotiator", "Scheduler"}
_START = "start it with `apcampaign sandbox condor start`"


class CondorPool:
    """A real HTCondor pool on this machine, with all daemons of a large pool.

    The pool keeps running when this process ends, until `stop` or the end of its time to live; used as a
    context manager, it is stopped at the end of the block. The queue is kept for the next start.

    If root runs it, the daemons run as an ordinary user: where user namespaces are allowed, root appears as
    this user inside one. Root's clients outside can then use the pool, jobs read and write root's files, and
    HTCondor lists them as jobs of `user`.

    Parameters
    ----------
    state
        Folder of the pool: configuration, queue, logs, running jobs. On a local disk.
    prefix
        Where HTCondor is or will be unpacked; in the user's cache by default.
    cpus, memory
        The cores and MiB of memory that the pool advertises, whatever the machine has.
    tuned
        Whether to react fast; otherwise HTCondor's default settings apply, which suit a large pool.
    time_to_live
        Minutes after a start until the pool stops by itself; `None` for never.
    identity
        The user it runs as; chosen automatically by default.

    Raises
    ------
    SandboxError
        If the folder's name cannot be used.
    """

    def __init__(
        self,
        state: Path,
        *,
        prefix: Path | None = None,
        cpus: int = 16,
        memory: int = 65536,
        tuned: bool = True,
        time_to_live: int | None = None,
        identity: Identity | None = None,
    ) -> None:
        self.state = check_path(state)
        self.config = self.state / "condor_config"
        self.log = self.state / "log"
        self._prefix = prefix
        self._settings = PoolSettings(cpus=cpus, memory=memory, tuned=tuned)
        self._time_to_live = time_to_live
        self._wanted_identity = identity
        self._record = self.state / POOL_RECORD  # of the process
        self._facts = self.state / POOL_FACTS

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def user(self) -> str:
        """The user to whom jobs belong in HTCondor's listings."""
        return self._identity().name

    @classmethod
    def reopen(cls, state: Path) -> "CondorPool | None":
        """Give the pool that a folder has had, with what it advertised; `None` if it never had one."""
        try:
            facts = json.loads((state / POOL_FACTS).read_text(encoding="utf-8"))
            settings = PoolSettings(**facts.get("settings", {}))  # those of older pools were not kept
        except (OSError, ValueError, TypeError):
            return None
        return cls(state, **asdict(settings))

    def is_running(self) -> bool:
        """Tell whether the pool of this folder runs."""
        return self.process is not None

    @property
    def process(self) -> ProcessRecord | None:
        """The process of the pool that runs; `None` if it does not."""
        record = ProcessRecord.load(self._record)
        return record if record is not None and record.is_alive() else None

    @property
    def settings(self) -> PoolSettings:
        """What it advertises, and how fast it reacts."""
        return self._settings

    @property
    def programs(self) -> tuple[Path, ...]:
        """The folders of HTCondor's programs, for ``PATH``; raises as `environ`."""
        software = self._software()
        return software.bin, software.sbin

    def is_ready(self) -> bool:
        """Tell whether the pool accepts jobs and has a machine for them."""
        if not self.is_running():
            return False
        try:
            listing = self.run(["condor_status", "-any", "-af", "MyType"], seconds=10)
        except SandboxError:
            return False
        return set(listing.split()) >= _READY

    def start(self) -> None:
        """Install HTCondor if necessary, start the pool, and wait until it accepts jobs.

        Does nothing if the pool runs, whatever its settings are.

        Raises
        ------
        SandboxError
            If HTCondor cannot be installed, or the pool does not start; with the end of its logs.
        """
        if not self.is_running():
            # Before the lock is taken: it may take minutes, and has its own lock.
            CondorSoftware.install(self._prefix)
        make_folder(self.state.parent)
        self.state.mkdir(mode=0o700, exist_ok=True)
        with locked(self.state / "lock.start", seconds=120, doing=f"starting the pool of {self.state}"):
            if self.is_running():
                if not wait_until(self.is_ready, seconds=60, interval=0.2):
                    raise SandboxError(
                        f"the pool of {self.state} runs and does not answer", remedy=f"see {self.log}"
                    )
                return
            self._end()
            software = CondorSoftware.install(self._prefix)
            identity = self._wanted_identity or Identity.choose()
            identity.require(software.sbin / "condor_master")
            self._prepare(software, identity)
            self._launch(software, identity)
            try:
                with show_progress("starting HTCondor"):
                    wait_until(lambda: not self.is_running() or self.is_ready(), seconds=60, interval=0.1)
                    is_ready = self.is_ready()
            except BaseException:
                self._end()
                raise
            if not is_ready:
                said = last_words(self.log)
                self._end()
                raise SandboxError(
                    f"the HTCondor pool of {self.state} did not start; its logs end with:\n{said}"
                )

    def stop(self) -> None:
        """Stop the pool and its running jobs, and wait until all have ended; the queue is kept."""
        if not self.state.is_dir():
            return
        with (
            show_progress("stopping HTCondor"),
            locked(self.state / "lock.start", seconds=120, doing=f"stopping the pool of {self.state}"),
        ):
            self._end()

    def clean(self) -> None:
        """Stop the pool and remove its folder, including queue and logs."""
        self.stop()
        shutil.rmtree(self.state, ignore_errors=True)

    def environ(self) -> dict[str, str]:
        """Give the environment variables with which clients (``bps``, ``condor_q``, the bindings) use this pool.

        Raises
        ------
        SandboxError
            If the pool has never been started.
        """
        folders = [str(folder) for folder in self.programs]
        path = os.environ.get("PATH", os.defpath)
        rest = [folder for folder in path.split(os.pathsep) if folder not in folders]
        return {"CONDOR_CONFIG": str(self.config), "PATH": os.pathsep.join([*folders, *rest])}

    def command(self, command: Sequence[str]) -> list[str]:
        """Prefix a client's command so that it runs as a user whom the pool accepts.

        Only root without user namespaces needs that; otherwise the command is returned unchanged.
        """
        identity = self._identity()
        return identity.command(command) if identity.kind == "setuid" else list(command)

    def run(self, command: Sequence[str], *, seconds: float, stdin: str = "") -> str:
        """Run a client to its end and return what it printed.

        Raises
        ------
        SandboxError
            If it fails or takes longer than ``seconds``.
        """
        environ = {**os.environ, **self.environ()}
        program = shutil.which(command[0], path=environ["PATH"]) or command[0]
        return run(self.command([program, *command[1:]]), seconds=seconds, environ=environ, stdin=stdin)

    def status(self) -> str:
        """Describe the pool: daemons, slots and queue.

        Raises
        ------
        SandboxError
            If it does not run.
        """
        record = ProcessRecord.load(self._record)
        if record is None or not record.is_alive():
            raise SandboxError(f"the pool of {self.state} is not running", remedy=_START)
        software, identity = self._software(), self._identity()
        head = (
            f"HTCondor {software.version}, pid {record.pid}, jobs of {identity.name}, "
            f"CONDOR_CONFIG={self.config}\n"
        )
        listing = self.run(["condor_status", "-any"], seconds=30)
        queue = self.run(["condor_q", "-allusers", "-nobatch"], seconds=30)
        return head + listing + queue

    def _software(self) -> CondorSoftware:
        facts = self._load_facts()
        return CondorSoftware(Path(facts["prefix"]), facts["version"])

    def _identity(self) -> Identity:
        return Identity(**self._load_facts()["identity"])

    def _load_facts(self) -> dict:  # type: ignore[type-arg]
        try:
            facts = json.loads(self._facts.read_text(encoding="utf-8"))
        except (OSError, ValueError) as exc:
            raise SandboxError(f"there is no pool in {self.state} yet", remedy=_START) from exc
        return dict(facts)

    def _prepare(self, software: CondorSoftware, identity: Identity) -> None:
        for name, mode in STATE_FOLDERS.items():
            (self.state / name).mkdir(exist_ok=True)
            (self.state / name).chmod(mode)
        forget_addresses(self.state)
        home = os.environ.get("HOME", "")
        write_atomically(self.config, pool_config(self._settings, software, self.state, identity, home))
        facts = {
            "prefix": str(software.prefix),
            "version": software.version,
            "identity": asdict(identity),
            "settings": asdict(self._settings),
        }
        write_atomically(self._facts, json.dumps(facts) + "\n")
        identity.take(self.state)

    def _launch(self, software: CondorSoftware, identity: Identity) -> None:
        arguments = [str(software.sbin / "condor_master"), "-f"]
        if self._time_to_live is not None:
            arguments += ["-r", str(self._time_to_live)]
        seconds = None if self._time_to_live is None else 60 * self._time_to_live
        record = spawn(
            identity.command(arguments),
            log=self.log / "master.out",
            environ=daemon_environ(self.config, software, identity),
            seconds=seconds,
        )
        record.save(self._record)

    def _end(self) -> None:
        record = ProcessRecord.load(self._record)
        if record is not None:
            # Graceful, then fast.
            end(record, [(signal.SIGTERM, 20), (signal.SIGQUIT, 10)])
        if self._facts.exists():
            end_orphans(self.config, self._software())
        self._record.unlink(missing_ok=True)
