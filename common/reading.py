"""Reading of files in folders that others may write to: a pipe in the place of one would make this wait for ever.

An error is that of a file that cannot be read, an `OSError`. What an operator names may be a pipe.
"""

__all__ = ["check_ordinary", "open_binary", "open_text", "read_bytes", "read_text"]

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO, TextIO


def open_binary(path: Path) -> BinaryIO:
    """Open a file to read bytes.

    Raises
    ------
    OSError
        If it cannot be opened, or is a pipe or anything else that is no ordinary file.
    """
    return open(path, "rb", opener=_open)


def open_text(path: Path, *, errors: str = "strict") -> TextIO:
    """Open a file to read UTF-8; raises as `open_binary`."""
    return open(path, encoding="utf-8", errors=errors, opener=_open)


def read_bytes(path: Path) -> bytes:
    """Read a file; raises as `open_binary`."""
    with open_binary(path) as stream:
        return stream.read()


def read_text(path: Path, *, errors: str = "strict") -> str:
    """Read a file of UTF-8; raises as `open_binary`, and UnicodeDecodeError."""
    with open_text(path, errors=errors) as stream:
        return stream.read()


def check_ordinary(path: Path) -> None:
    """Refuse a file that others are to read, as `open_binary` would; not one that is not there."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return  # whoever reads it says so
    _check(mode, str(path))


def _open(path: str, flags: int) -> int:
    handle = os.open(path, flags | os.O_NONBLOCK)
    try:
        _check(os.fstat(handle).st_mode, os.fspath(path))
    except OSError:
        os.close(handle)
        raise
    return handle


def _check(mode: int, path: str) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if not stat.S_ISREG(mode):
        raise OSError(errno.ENXIO, "it is no ordinary file, such as a pipe", path)
