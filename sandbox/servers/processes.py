"""Server processes that outlive the command that started them: spawn, find again, wait for, end.

A process is known by its number *and* the time it began, so that a number which the kernel has given to
another program since is never mistaken for ours. Names are never used.
"""

__all__ = ["LIFETIME_GRACE", "ProcessRecord", "end", "limited", "locked", "run", "spawn", "wait_until"]

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

from ...common.errors import SandboxError
from ...common.files import write_atomically

# Seconds a server gets to shut down when its time to live is over, before it is killed.
LIFETIME_GRACE = 60


@dataclass(frozen=True)
class ProcessRecord:
    """A process, told apart from all others that had or will have its number."""

    pid: int
    started: str
    """Kernel boot and clock ticks since then; opaque, only compared."""

    @classmethod
    def of(cls, pid: int) -> "ProcessRecord | None":
        """Describe a living process; `None` if there is none with this number."""
        stat = _stat(pid)
        return None if stat is None or stat.is_zombie else cls(pid, f"{_boot_id()}:{stat.ticks}")

    @classmethod
    def load(cls, path: Path) -> "ProcessRecord | None":
        """Read what `save` wrote; `None` if there is no readable record."""
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
            return cls(int(fields["pid"]), str(fields["started"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def save(self, path: Path) -> None:
        """Write the record, whole or not at all."""
        write_atomically(path, json.dumps(asdict(self)) + "\n")

    def is_alive(self) -> bool:
        """Tell whether this very process still runs (a zombie does not)."""
        if self.of(self.pid) == self:
            return True
        if (stat := _stat(self.pid)) is not None and stat.is_zombie and self._is(stat):
            # A child of ours stays a zombie until somebody asks for its exit code.
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self.pid, os.WNOHANG)
        return False

    def _is(self, stat: "_Stat") -> bool:
        return self.started == f"{_boot_id()}:{stat.ticks}"

    def tree(self) -> "list[ProcessRecord]":
        """List this process and everything below it, parents first; empty if it has ended."""
        if not self.is_alive():
            return []
        children: dict[int, list[int]] = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and (stat := _stat(int(entry.name))) is not None:
                children.setdefault(stat.parent, []).append(int(entry.name))
        found = [self.pid]
        for pid in found:
            found.extend(children.get(pid, []))
        return [record for pid in found if (record := self.of(pid)) is not None]

    @classmethod
    def all_with(cls, folders: Sequence[Path], setting: str) -> "list[ProcessRecord]":
        """List the processes whose program lies in a folder and whose environment has a setting.

        Parameters
        ----------
        folders
            Where the program's file is, one of them.
        setting
            A variable and its value, such as ``"HOME=/root"``.
        """
        found = []
        for entry in Path("/proc").iterdir():
            # Other users' processes cannot be looked at, and some end meanwhile.
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and (entry / "exe").readlink().parent in folders:
                    record = cls.of(int(entry.name))
                    settings = (entry / "environ").read_bytes().split(b"\0")
                    if record is not None and os.fsencode(setting) in settings:
                        found.append(record)
        return found

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, unless the process has ended."""
        if self.is_alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


class _Stat(NamedTuple):
    parent: int
    ticks: int
    is_zombie: bool


def _stat(pid: int) -> _Stat | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The program's name in the second field may hold anything, brackets and spaces included.
    fields = text.rpartition(")")[2].split()
    return None if len(fields) < 20 else _Stat(int(fields[1]), int(fields[19]), fields[0] in ("Z", "X"))


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def spawn(command: Sequence[str], *, log: Path, environ: Mapping[str, str] | None = None) -> ProcessRecord:
    """Start a program in a session of its own, detached from the terminal and from this process.

    Parameters
    ----------
    command
        Program and arguments; the program is looked up on ``PATH``.
    log
        File that gets what it prints, appended. Its folder is made if it is not there.
    environ
        Its whole environment; this process's by default.

    Raises
    ------
    SandboxError
        If the program cannot be started.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    program = shutil.which(command[0])
    if program is None:
        raise SandboxError(f"the program {command[0]!r} is not there or cannot be run; is it installed?")
    if not Path("/proc/self/stat").exists():
        raise SandboxError("/proc is not mounted; servers cannot be found again without it")
    actions: list[tuple[int, int, str, int, int] | tuple[int, int, int]] = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    # What a caller handed down, such as a pipe that somebody reads to its end, is not for a server to keep.
    actions += [(os.POSIX_SPAWN_CLOSE, handle) for handle in _inherited()]  # type: ignore[misc]
    try:
        pid = os.posix_spawn(
            program,
            list(command),
            dict(os.environ if environ is None else environ),
            file_actions=actions,
            setsid=True,
            # Python ignores these two, and a child would inherit that.
            setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],
        )
    except OSError as exc:
        raise SandboxError(f"{program} cannot be started: {exc}") from exc
    # A program that has already ended gets a record that equals no living process.
    return ProcessRecord.of(pid) or ProcessRecord(pid, "ended")


def _inherited() -> list[int]:
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            if int(entry.name) > 2 and os.get_inheritable(int(entry.name)):
                found.append(int(entry.name))
    return found


def run(
    command: Sequence[str],
    *,
    seconds: float,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str = "",
    check: bool = True,
) -> str:
    """Run a helper program to its end and give back what it printed.

    Raises
    ------
    SandboxError
        If it is not there, fails (unless ``check`` is false), or takes longer than ``seconds``.
    """
    name = Path(command[0]).name
    try:
        result = subprocess.run(
            list(command),
            env=None if environ is None else dict(environ),
            cwd=cwd,
            input=stdin,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except FileNotFoundError as exc:
        raise SandboxError(f"the program {command[0]!r} is not there; is it installed?") from exc
    except OSError as exc:
        raise SandboxError(f"{command[0]} cannot be run: {exc}") from exc
    except subprocess.TimeoutExpired as exc:
        raise SandboxError(f"{name} has not finished within {seconds:.0f} s: {' '.join(command)}") from exc
    if check and result.returncode:
        said = (result.stderr.strip() or result.stdout.strip())[-2000:]
        raise SandboxError(f"{name} failed with exit code {result.returncode}: {said}")
    return result.stdout


def wait_until(condition: Callable[[], bool], *, seconds: float, interval: float = 0.05) -> bool:
    """Ask again and again until a condition holds; `False` if it does not within ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(interval)
    return True


def end(record: ProcessRecord, signals: Sequence[tuple[signal.Signals, float]]) -> None:
    """End a process and everything below it.

    Parameters
    ----------
    record
        The process; nothing happens if it has ended.
    signals
        What to send it, politest first, each with the seconds to wait for its end. What is left
        after the last, and children that outlived it, are killed.

    Raises
    ------
    SandboxError
        If something survives even that.
    """
    family = set(record.tree())
    for number, seconds in signals:
        if not record.is_alive():
            break
        record.signal(number)
        wait_until(lambda: not record.is_alive(), seconds=seconds)
        # What was started in the meantime belongs to it too.
        family.update(record.tree())
    # Children that are on their way out need no violence.
    wait_until(lambda: not any(member.is_alive() for member in family - {record}), seconds=1)
    for member in family:
        member.signal(signal.SIGKILL)
    if not wait_until(lambda: not any(member.is_alive() for member in family), seconds=10):
        left = ", ".join(str(member.pid) for member in family if member.is_alive())
        raise SandboxError(f"these processes do not end, even when killed: {left}; look at them with ps")


def limited(command: Sequence[str], *, seconds: float | None, number: signal.Signals) -> list[str]:
    """Put a time to live before a command: after ``seconds`` it gets the signal, then is killed."""
    if seconds is None:
        return list(command)
    return [
        "timeout",
        "--foreground",
        f"--signal={number.value}",
        f"--kill-after={LIFETIME_GRACE}",
        f"{seconds:.3f}",
        *command,
    ]


@contextlib.contextmanager
def locked(path: Path, *, seconds: float, doing: str) -> Iterator[None]:
    """Keep other processes of this machine out of a piece of work.

    Parameters
    ----------
    path
        The lock file. It stays; the kernel frees the lock when the holder ends, however it ends.
    seconds
        How long to wait for another holder.
    doing
        What the lock protects, for the error's text.

    Raises
    ------
    SandboxError
        If another process holds it for longer.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:

        def taken() -> bool:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        if not wait_until(taken, seconds=seconds):
            raise SandboxError(
                f"another process has been {doing} for {seconds:.0f} s (lock {path}); wait for it or end it"
            )
        yield
    finally:
        os.close(handle)
