"""Faults of the operating system, planted at its calls, for commands that run in the process of the test."""

__all__ = ["KINDS", "SystemFaults", "damage"]

import builtins
import errno
import fcntl
import io
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

#: What the operating system may say to each call.
KINDS: dict[str, tuple[int, ...]] = {
    "open": (errno.EACCES, errno.EIO, errno.EMFILE, errno.ESTALE, errno.ENAMETOOLONG, errno.EISDIR),
    "write": (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS),
    "replace": (errno.EROFS, errno.EXDEV, errno.EACCES, errno.ENOSPC),
    "mkdir": (errno.EROFS, errno.EACCES, errno.ENOSPC, errno.ENOTDIR),
    "lock": (errno.ENOSYS, errno.ENOLCK, errno.EIO),
    "look": (errno.EACCES, errno.EIO, errno.ESTALE, errno.ELOOP),
    "list": (errno.EACCES, errno.EIO, errno.ESTALE),
    "start": (errno.ENOENT, errno.EACCES, errno.EAGAIN, errno.ENOMEM),
}


@dataclass
class SystemFaults:
    """The calls of the operating system below some folder, one of which fails.

    Parameters
    ----------
    folder
        What is done elsewhere, such as importing, does not fail.
    """

    folder: Path
    calls: list[str] = field(default_factory=list)
    _fail_at: int | None = None
    _number: int = 0

    @contextmanager
    def failing(self, at: int | None = None, number: int = 0) -> Iterator[None]:
        """Record calls, and let the one in this place of their order fail with this error number."""
        self.calls, self._fail_at, self._number = [], at, number
        planted = {
            "open": [(builtins, "open"), (io, "open"), (os, "open")],
            "write": [(os, "fsync"), (os, "write"), (os, "ftruncate")],
            "replace": [(os, "replace"), (os, "rename")],
            "mkdir": [(os, "mkdir")],
            "lock": [(fcntl, "flock")],
            "look": [(os, "stat"), (os, "lstat")],
            "list": [(os, "scandir"), (os, "listdir")],
            "start": [(subprocess, "Popen")],
        }
        with _Patches() as patches:
            for kind, places in planted.items():
                for module, name in places:
                    patches.plant(module, name, self._wrap(kind, getattr(module, name)))
            yield

    def _wrap(self, kind: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def planted(*args: Any, **kwargs: Any) -> Any:
            first = args[0] if args else kwargs.get("path", kwargs.get("file", "."))
            named = isinstance(first, str | os.PathLike)
            if not named or kind == "start" or Path(first).absolute().is_relative_to(self.folder):
                self.calls.append(kind)
                if self._fail_at is not None and len(self.calls) == self._fail_at + 1:
                    name = str(first) if named else None
                    raise OSError(self._number, os.strerror(self._number), *([name] if name else []))
            return call(*args, **kwargs)

        return planted


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
