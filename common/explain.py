"""What any exception means to whoever runs a command: a sentence with the value, the reason and the next step."""

__all__ = ["DEBUG", "explain", "explain_briefly"]

import errno
import os
import shutil
import stat
import subprocess
import traceback
from pathlib import Path

from .condor import advise
from .errors import ApcampaignError, ApdbError, FileError, RepositoryError, SchedulerError, UnexpectedError
from .identity import user_name
from .secrets import redact
from .text import format_size

#: The variable that asks for tracebacks.
DEBUG = "APCAMPAIGN_DEBUG"

_LONGEST_NAME = 255  # bytes of a part of a path, on all file systems in use
_SHOWN = 40  # bytes before what is no text
_CORRECT = "correct it, or remove it if it is cut off"
_OTHER_RUNS = "use another folder for the runs (--runs FOLDER)"
_REPORT = "run it again with --debug before the command's name, and report what that shows"


def explain(error: Exception) -> ApcampaignError:
    """Turn what the operating system or a library raises into an error that a user can act on.

    Parameters
    ----------
    error
        Any exception; one that is ours is returned as it is.
    """
    if isinstance(error, ApcampaignError):
        return error
    if isinstance(error, OSError) and error.errno is not None:
        return _explain_system(error)
    if isinstance(error, subprocess.TimeoutExpired):
        return FileError(
            f"{_program(error.cmd)} has not ended within {error.timeout:.0f} s",
            remedy="try again when this machine or its file systems are less busy",
        )
    if isinstance(error, subprocess.CalledProcessError):
        return FileError(
            f"{_program(error.cmd)} failed with exit code {error.returncode}: {_last(error.stderr)}",
            remedy="call it by itself to see all that it says, put that right, and try again",
        )
    if isinstance(error, UnicodeError):
        return _explain_text(error)
    if isinstance(error, MemoryError):
        return FileError(
            "there is not enough memory", remedy="run it on a machine with more, or with fewer data"
        )
    if isinstance(error, ModuleNotFoundError):
        return UnexpectedError(
            f"the Python package {error.name} is missing",
            remedy="`setup lsst_distrib`, or `make dev`",
        )
    if isinstance(error, ImportError):
        return UnexpectedError(
            f"a Python package cannot be loaded: {_one_line(error)}",
            remedy="see whether there is memory for it (`ulimit -v`), and whether the environment is whole "
            "(`setup lsst_distrib`, or `make dev`)",
        )
    return _explain_library(error) or _unexpected(error)


def explain_briefly(error: Exception) -> str:
    """Say in a clause what was raised, for where something is left out because of it."""
    explained = explain(error)
    if isinstance(explained, UnexpectedError):
        return f"{type(error).__name__}: {_one_line(error)}"
    return explained.what


def _explain_library(error: Exception) -> ApcampaignError | None:
    """Explain an error by where it comes from, without importing that."""
    package = type(error).__module__.partition(".")[0]
    if package == "yaml":
        return FileError(f"a file is not YAML: {_one_line(error)}", remedy=_CORRECT)
    if package == "json":
        return FileError(f"a file is not JSON: {_one_line(error)}", remedy=_CORRECT)
    if package == "pydantic_core":
        return FileError(
            f"the content of a file cannot be used: {_one_line(error)}", remedy="correct it, or remove it"
        )
    if package == "lsst":
        return RepositoryError(
            f"{type(error).__name__}: {_one_line(error)}",
            remedy="see with `apcampaign check` whether repository and pipelines are as they should be; else "
            f"{_REPORT}",
        )
    if package in ("htcondor2", "classad2"):
        return SchedulerError(f"HTCondor says: {_one_line(error)}", remedy=advise())
    if package in ("sqlalchemy", "sqlite3", "psycopg2"):
        said = redact(str(getattr(error, "orig", None) or error)).strip().partition("\n")[0]
        if "database is locked" in said:
            return ApdbError(
                "a database file is locked: another process has been writing to it for too long",
                remedy="see with `fuser FILE` who does, and try again",
            )
        return ApdbError(
            f"a database says: {said}",
            remedy="see with `apcampaign check` whether those of the repository and of the APDB answer, and try "
            "again",
        )
    return None


def _explain_text(error: UnicodeError) -> FileError:
    """Explain what cannot be read as text, or written, by what is there: the error names no file."""
    place = ""
    if isinstance(error, UnicodeDecodeError):
        before = bytes(error.object[: error.start]).rpartition(b"\n")[2][-_SHOWN:]
        place = f", after {redact(before.decode(errors='replace'))!r}" if before else ", where it begins"
    return FileError(
        f"a text cannot be read or written: {error}{place}",
        expected="UTF-8",
        remedy=f"write the file that holds it as UTF-8; to see which it is {_REPORT.partition(',')[0]}",
    )


def _explain_system(error: OSError) -> FileError:
    """Explain an error of the operating system."""
    reason = error.strerror or os.strerror(error.errno or 0)
    if not isinstance(error.filename, str | bytes):
        return FileError(f"the operating system says: {reason}", remedy=_remedy(error.errno, None))
    path = Path(os.fsdecode(error.filename))
    handler = _BY_NUMBER.get(error.errno or 0)
    if handler is None:
        return FileError(f"{path}: {reason}", remedy=_remedy(error.errno, path))
    return handler(path, reason)


def _full(path: Path, reason: str) -> FileError:
    folder = _existing(path)
    try:
        usage = shutil.disk_usage(folder)
        free = f"{format_size(usage.free)} of {format_size(usage.total)} are free for {user_name()}"
    except OSError:
        free = "nothing is known of its size"
    return FileError(
        f"{path} cannot be written: {reason}; in {folder} {free}", remedy=f"free some space, or {_OTHER_RUNS}"
    )


def _read_only(path: Path, reason: str) -> FileError:
    return FileError(f"{path} cannot be written: {reason}", remedy=_OTHER_RUNS)


def _denied(path: Path, reason: str) -> FileError:
    found = _existing(path)
    try:
        status = found.stat()
    except OSError:
        described = "whose owner cannot be told"
    else:
        described = f"of {user_name(status.st_uid)}, {stat.filemode(status.st_mode)}"
    which = "it is" if found == path else f"{found} is"
    return FileError(
        f"{path}: {reason}; {which} {described}, and you are {user_name(os.geteuid())}",
        expected="a file and folder that you may read and write",
        remedy=f"ask its owner, or {_OTHER_RUNS}",
    )


def _missing(path: Path, reason: str) -> FileError:
    found = _existing(path)
    return FileError(f"there is no {path}: {found} is there", remedy="correct the path")


def _no_folder(path: Path, reason: str) -> FileError:
    file = next((part for part in (path, *path.parents) if part.is_file()), path)
    return FileError(f"{path}: {file} is a file", expected="a folder", remedy="name another, or move it away")


def _no_file(path: Path, reason: str) -> FileError:
    return FileError(f"{path} is a folder", expected="a file", remedy="name another, or move it away")


def _exists(path: Path, reason: str) -> FileError:
    return FileError(f"{path} is there already", remedy="name another, or move it away")


def _too_long(path: Path, reason: str) -> FileError:
    longest = max((os.fsencode(part) for part in path.parts), key=len, default=b"")
    if len(longest) <= _LONGEST_NAME:
        shown = str(path) if len(str(path)) <= _LONGEST_NAME else f"{str(path)[:60]}…"
        return FileError(
            f"the path of a file is too long for its file system: {shown} has "
            f"{len(os.fsencode(path)):,} bytes, and {len(longest)} in its longest part",
            expected="at most 4,095 and 255 on most",
            remedy=f"use shorter names, or {_OTHER_RUNS}",
        )
    return FileError(
        f"the name of a file is too long: {os.fsdecode(longest[:60])}… has {len(longest)} bytes",
        expected=f"at most {_LONGEST_NAME} in each part of a path, and 4,095 in all",
        remedy="use shorter names",
    )


def _loop(path: Path, reason: str) -> FileError:
    return FileError(f"{path}: {reason}", remedy="see where this symbolic link leads, and remove it")


_BY_NUMBER = {
    errno.ENOSPC: _full,
    errno.EDQUOT: _full,
    errno.EROFS: _read_only,
    errno.EACCES: _denied,
    errno.EPERM: _denied,
    errno.ENOENT: _missing,
    errno.ENOTDIR: _no_folder,
    errno.EISDIR: _no_file,
    errno.EEXIST: _exists,
    errno.ENAMETOOLONG: _too_long,
    errno.ELOOP: _loop,
}
_REMEDIES = {
    errno.ENOSPC: f"free some space, or {_OTHER_RUNS}",
    errno.EDQUOT: f"free some space, or {_OTHER_RUNS}",
    errno.EROFS: _OTHER_RUNS,
    errno.ENXIO: "see whose it is, and remove it",
    errno.EFBIG: "allow larger files with `ulimit -f unlimited`",
    errno.EMFILE: "allow more open files with `ulimit -n 4096`",
    errno.ENFILE: "close programs, since this machine has no more files to open",
    errno.ENOMEM: "run it on a machine with more memory",
    errno.EAGAIN: "close programs (`ulimit -u` tells how many you may run)",
}


def _remedy(number: int | None, path: Path | None) -> str:
    """Give the next step, for what the operating system says about some file or none."""
    whose = (
        f"whoever administers the file system of {_existing(path)}"
        if path
        else "whoever administers this machine"
    )
    return _REMEDIES.get(number or 0, f"try again, and if it says so again tell {whose}")


def _existing(path: Path) -> Path:
    """Find the path, or the nearest folder above it that is there."""
    for found in (path, *path.absolute().parents):
        try:
            if found.exists():
                return found
        except OSError:
            continue
    return Path("/")


def _unexpected(error: Exception) -> UnexpectedError:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [
        frame for frame in frames if "apcampaign" in frame.filename or "site-packages" not in frame.filename
    ]
    place = f" ({Path(ours[-1].filename).name}:{ours[-1].lineno})" if ours else ""
    return UnexpectedError(
        f"something failed that was not expected: {type(error).__name__}: {_one_line(error)}{place}",
        remedy=_REPORT,
    )


def _one_line(error: Exception) -> str:
    return redact(" ".join(str(error).split()))[:300]


def _program(command: object) -> str:
    return os.fsdecode(command[0] if isinstance(command, list | tuple) and command else str(command))


def _last(said: object) -> str:
    text = said.decode(errors="replace") if isinstance(said, bytes) else str(said or "")
    return text.strip().rpartition("\n")[2]
