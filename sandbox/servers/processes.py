"""Server processes that outlive the command that started them: spawn, wait for, end, limit, lock."""

__all__ = ["end", "limited", "locked", "run", "spawn", "wait_until"]

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ...common.errors import SandboxError
from ...common.files import make_folder, open_own, try_lock
from .process_record import ProcessRecord

# Seconds that a server gets to shut down at the end of its time to live, before it is killed.
_LIFETIME_GRACE = 60
_CHECK = "check that the program can be executed"


def spawn(
    command: Sequence[str],
    *,
    log: Path,
    environ: Mapping[str, str] | None = None,
    seconds: float | None = None,
) -> ProcessRecord:
    """Start a program in its own session, detached from the terminal and from this process.

    Parameters
    ----------
    command
        Program and arguments; the program is looked up on ``PATH``.
    log
        File to which its output is appended. Its folder is created if necessary.
    environ
        Its complete environment; that of this process by default.
    seconds
        After which the program ends by itself, for the record; `None` for never.

    Raises
    ------
    SandboxError
        If the program cannot be started.
    """
    make_folder(log.parent)
    program = shutil.which(command[0])
    if program is None:
        raise _missing(command[0])
    if not Path("/proc/self/stat").exists():
        raise SandboxError(
            "/proc is not mounted, and servers cannot be found again without it", remedy="mount it"
        )
    actions: list[tuple[int, int, str, int, int] | tuple[int, int, int]] = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    # A server must not keep what was inherited, such as a pipe that another process reads to its end.
    actions += [(os.POSIX_SPAWN_CLOSE, handle) for handle in _inherited()]  # type: ignore[misc]
    try:
        pid = os.posix_spawn(
            program,
            list(command),
            dict(os.environ if environ is None else environ),
            file_actions=actions,
            setsid=True,
            # Python ignores these two, and a child would inherit this.
            setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],
        )
    except OSError as exc:
        raise SandboxError(f"{program} cannot be started: {exc}", remedy=_CHECK) from exc
    # A program that has already ended gets a record that equals no living process.
    record = ProcessRecord.of(pid) or ProcessRecord(pid, "ended")
    return record if seconds is None else replace(record, ends=time.time() + seconds)


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
    """Run a program to its end and return what it printed.

    Raises
    ------
    SandboxError
        If it is missing, fails (unless ``check`` is false), or takes longer than ``seconds``.
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
        raise _missing(command[0]) from exc
    except OSError as exc:
        raise SandboxError(f"{command[0]} cannot be run: {exc}", remedy=_CHECK) from exc
    except subprocess.TimeoutExpired as exc:
        raise SandboxError(f"{name} has not finished within {seconds:.0f} s: {' '.join(command)}") from exc
    if check and result.returncode:
        said = (result.stderr.strip() or result.stdout.strip())[-2000:]
        raise SandboxError(f"{name} failed with exit code {result.returncode}: {said}")
    return result.stdout


def wait_until(condition: Callable[[], bool], *, seconds: float, interval: float = 0.05) -> bool:
    """Poll a condition until it holds; return `False` if it does not within ``seconds``."""
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
        The signals to send, the gentlest first, each with the seconds to wait for the end. What is left
        after the last, and children that outlived it, are killed.

    Raises
    ------
    SandboxError
        If a process survives even that.
    """
    family = set(record.tree())
    for number, seconds in signals:
        if not record.is_alive():
            break
        record.signal(number)
        wait_until(lambda: not record.is_alive(), seconds=seconds)
        # Processes started in the meantime belong to it too.
        family.update(record.tree())
    # Children that are ending by themselves need not be killed.
    wait_until(lambda: not any(member.is_alive() for member in family - {record}), seconds=1)
    for member in family:
        member.signal(signal.SIGKILL)
    if not wait_until(lambda: not any(member.is_alive() for member in family), seconds=10):
        left = ", ".join(str(member.pid) for member in family if member.is_alive())
        raise SandboxError(
            f"these processes do not end, even when killed: {left}", remedy="look at them with ps"
        )


def _missing(program: str) -> SandboxError:
    return SandboxError(f"the program {program!r} is missing or cannot be run", remedy="install it")


def limited(command: Sequence[str], *, seconds: float | None, number: signal.Signals) -> list[str]:
    """Prefix a command with a time to live: after ``seconds`` it gets the signal, and is killed later."""
    if seconds is None:
        return list(command)
    return [
        "timeout",
        "--foreground",
        f"--signal={number.value}",
        f"--kill-after={_LIFETIME_GRACE}",
        f"{seconds:.3f}",
        *command,
    ]


@contextlib.contextmanager
def locked(path: Path, *, seconds: float, doing: str) -> Iterator[None]:
    """Hold a lock against other processes of this machine.

    Parameters
    ----------
    path
        The lock file, which is not removed; the kernel frees the lock when its holder ends, in any way.
    seconds
        How long to wait for another holder.
    doing
        What the lock protects, for the message of the error.

    Raises
    ------
    SandboxError
        If another process holds it for longer.
    """
    make_folder(path.parent)
    handle = open_own(path, mode=0o600)
    try:
        if not wait_until(lambda: try_lock(handle, path), seconds=seconds):
            raise SandboxError(
                f"another process has been {doing} for {seconds:.0f} s (lock {path})",
                remedy="wait for it or end it",
            )
        yield
    finally:
        os.close(handle)
