"""Faults of the operating system and of databases, planted at their calls, for commands in this process."""

__all__ = ["KINDS", "Call", "SystemFaults", "damage"]

import builtins
import errno
import fcntl
import glob
import io
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

type Fault = int | str

#: What each call may come to: an error number, or a word for what else becomes of it.
KINDS: dict[str, tuple[Fault, ...]] = {
    "open": (errno.EACCES, errno.EIO, errno.EMFILE, errno.ESTALE, errno.ENAMETOOLONG, errno.EISDIR),
    "fill": ("full",),
    "write": (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS),
    "replace": (errno.EROFS, errno.EXDEV, errno.EACCES, errno.ENOSPC),
    "remove": (errno.EROFS, errno.EACCES, errno.EBUSY, errno.EIO),
    "mkdir": (errno.EROFS, errno.EACCES, errno.ENOSPC, errno.ENOTDIR),
    "lock": (errno.ENOSYS, errno.ENOLCK, errno.EIO),
    "look": (errno.EACCES, errno.EIO, errno.ESTALE, errno.ELOOP),
    "list": (errno.EACCES, errno.EIO, errno.ESTALE),
    "start": (errno.ENOENT, errno.EACCES, errno.EAGAIN, errno.ENOMEM, "fails", "says nothing", "never ends"),
    "statement": ("locked", "disk", "damaged", "read-only"),
}
_DATABASE = {
    "locked": sqlite3.OperationalError("database is locked"),
    "disk": sqlite3.OperationalError("disk I/O error"),
    "damaged": sqlite3.DatabaseError("database disk image is malformed"),
    "read-only": sqlite3.OperationalError("attempt to write a readonly database"),
}
_INSTEAD = {"fails": ["false"], "says nothing": ["true"], "never ends": ["sleep", "1000"]}
_ROOT = Path(__file__).resolve().parents[2]
_OURS = tuple(f"{package.parent}/" for package in _ROOT.glob("*/__init__.py"))


class Call(NamedTuple):
    """A call: of which kind, of which file or program (if one is named), and the line of ours that led to it."""

    kind: str
    path: str
    line: str


@dataclass
class SystemFaults:
    """The calls of the operating system below some folder and the statements of databases, one of which fails.

    Parameters
    ----------
    folder
        What is done elsewhere, such as importing, does not fail.
    """

    folder: Path
    calls: list[Call] = field(default_factory=list)
    _fail_at: int | None = None
    _fault: Fault = 0

    @contextmanager
    def failing(self, at: int | None = None, fault: Fault = 0) -> Iterator[None]:
        """Record calls, and let the one in this place of their order come to this fault."""
        self.calls, self._fail_at, self._fault = [], at, fault
        planted: dict[str, list[tuple[Any, str]]] = {
            "open": [(builtins, "open"), (io, "open"), (os, "open")],
            "write": [(os, "fsync"), (os, "write"), (os, "ftruncate")],
            "replace": [(os, "replace"), (os, "rename")],
            "remove": [(os, "unlink"), (os, "remove"), (os, "rmdir")],
            "mkdir": [(os, "mkdir")],
            "lock": [(fcntl, "flock")],
            "look": [(os, "stat"), (os, "lstat")],
            "list": [(os, "scandir"), (os, "listdir")],
            "start": [(subprocess, "Popen")],
        }
        with _Patches() as patches, self._failing_statements():
            for kind, places in planted.items():
                for module, name in places:
                    patches.plant(module, name, self._wrap(kind, getattr(module, name)))
            globber = getattr(glob, "_StringGlobber", None)  # pathlib's, which has its own reference
            if hasattr(globber, "scandir"):
                patches.plant(globber, "scandir", staticmethod(os.scandir))
            yield

    def _wrap(self, kind: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def planted(*args: Any, **kwargs: Any) -> Any:
            first = args[0] if args else kwargs.get("path", kwargs.get("file", "."))
            named = isinstance(first, str | os.PathLike)
            if not named or kind == "start" or Path(first).absolute().is_relative_to(self.folder):
                # For a program its name, for a descriptor nothing.
                path = str(first) if named else str(first[0]) if kind == "start" else ""
                if self._comes(kind, path):
                    return self._fail(kind, call, args, kwargs, path if named else None)
                if kind == "open" and _writes(args, kwargs) and self._comes("fill", path):
                    call(*args, **kwargs).close()
                    return call("/dev/full", *args[1:], **kwargs)
            return call(*args, **kwargs)

        return planted

    def _comes(self, kind: str, path: str) -> bool:
        """Record a call; tell whether it is the one that fails."""
        self.calls.append(Call(kind, path, _find_line()))
        return self._fail_at is not None and len(self.calls) == self._fail_at + 1

    def _fail(
        self,
        kind: str,
        call: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        name: str | None,
    ) -> Any:
        # A second run may have other calls: its call in this place need not be one that the fault is for.
        number = self._fault if isinstance(self._fault, int) else errno.EIO
        if self._fault not in _INSTEAD or kind != "start":
            raise OSError(number, os.strerror(number), *([name] if name else []))
        kept = {key: value for key, value in kwargs.items() if key not in ("args", "executable")}
        process = call(_INSTEAD[str(self._fault)], *args[1:], **kept)
        if self._fault == "never ends":
            process.communicate = _run_out_of_time(process.communicate, 1)
            process.wait = _run_out_of_time(process.wait, 0)
        return process

    @contextmanager
    def _failing_statements(self) -> Iterator[None]:
        from sqlalchemy import Engine, event

        def execute(_cursor: Any, statement: str, *_: Any) -> None:
            if self._comes("statement", statement.split(None, 1)[0]):
                raise _DATABASE.get(str(self._fault), _DATABASE["disk"])

        names = ("do_execute", "do_executemany", "do_execute_no_params")
        for name in names:
            event.listen(Engine, name, execute)
        try:
            yield
        finally:
            for name in names:
                event.remove(Engine, name, execute)


def _writes(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    mode = args[1] if len(args) > 1 else kwargs.get("mode", "r")
    return isinstance(mode, str) and any(letter in mode for letter in "wax")


def _run_out_of_time(call: Callable[..., Any], place: int) -> Callable[..., Any]:
    """Let a call that has a time-out come to it at once."""

    def timed(*args: Any, timeout: float | None = None) -> Any:
        seconds = timeout if timeout is not None else args[place] if len(args) > place else None
        if seconds is not None:
            raise subprocess.TimeoutExpired(_INSTEAD["never ends"], seconds)
        return call(*args)

    return timed


def _find_line() -> str:
    """Find the line of the package that the call below comes from."""
    frame = sys._getframe(2)
    while frame is not None:
        if frame.f_code.co_filename.startswith(_OURS):
            return f"{frame.f_code.co_filename.removeprefix(f'{_ROOT}/')}:{frame.f_lineno}"
        if frame.f_back is None:
            break
        frame = frame.f_back
    return ""


class _Patches:
    def __enter__(self) -> "_Patches":
        self._patches: list[Any] = []
        return self

    def plant(self, module: Any, name: str, replacement: Any) -> None:
        self._patches.append(patch := mock.patch.object(module, name, replacement))
        patch.start()

    def __exit__(self, *_: object) -> None:
        for patch in reversed(self._patches):
            patch.stop()


def damage(file: Path) -> Iterator[str]:
    """Damage a file in one way after the other, as a full disk, a hand or a network file system may."""
    whole = file.read_bytes()
    contents = {
        "empty": b"",
        "cut off": whole[: len(whole) // 2],
        "binary": b"\x80\x81\xff\x00\x1b[2J" * 40,
        "a list": b"[1, 2]\n",
        "null": b"null\n",
        "another mapping": b'{"jobs": {"x": [3]}, "step": 7}\n',
        "not YAML": b"a: [1\nb: }\n",
        "lines cut off": b"".join(line[: len(line) // 2] + b"\n" for line in whole.splitlines()),
    }
    try:
        for kind, content in contents.items():
            file.write_bytes(content)
            yield kind
        file.unlink()
        yield "gone"
        file.mkdir()
        yield "a folder"
        file.rmdir()
        os.mkfifo(file)
        yield "a pipe"
        file.unlink()
        file.symlink_to(file.with_name("nowhere"))
        yield "a link to nowhere"
        file.unlink()
        file.symlink_to(file)
        yield "a link to itself"
        file.unlink()
    finally:
        if file.is_dir() and not file.is_symlink():
            shutil.rmtree(file)
        file.unlink(missing_ok=True)
        file.write_bytes(whole)
