"""Files that nobody else can write to, and that are written completely or not at all."""

__all__ = [
    "find_files",
    "keep_others_out",
    "list_tree",
    "look_into_own",
    "make_folder",
    "naming",
    "open_own",
    "try_lock",
    "write_atomically",
    "write_new",
]

import contextlib
import errno
import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path, PurePath

from .errors import FileError

_NOT_WRITABLE_BY_OTHERS = 0o022
_NO_LOCKS = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK)


def keep_others_out() -> None:
    """Let this process, and what it starts, make no file that others may write to, whatever its umask was."""
    os.umask(os.umask(0o077) | _NOT_WRITABLE_BY_OTHERS)


def make_folder(path: Path) -> None:
    """Make a folder, and those above it that are missing, to which nobody else may write.

    Raises
    ------
    OSError
        If that is not possible, such as below a file; it names the path.
    """
    missing = []
    for folder in (path, *path.parents):
        with contextlib.suppress(FileNotFoundError):
            if stat.S_ISDIR(folder.stat().st_mode):
                break
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
        missing.append(folder)
    for folder in reversed(missing):
        folder.mkdir(mode=0o755, exist_ok=True)


def find_files(folder: Path, pattern: str) -> list[Path]:
    """Find what is below a folder and matches a pattern, such as ``*/run.yaml``, in the order of names.

    `pathlib.Path.glob` takes a folder that cannot be read for an empty one: of a campaign nothing would then seem
    to have been submitted.

    Parameters
    ----------
    folder
        Where to look; what is not there holds nothing.
    pattern
        Names of folders and of a file, of which each may have wildcards, but for ``**``.

    Raises
    ------
    OSError
        If a folder that is there cannot be read.
    """
    found = [folder]
    for part in PurePath(pattern).parts:
        found = [path for place in found for path in _match(place, part)]
    return sorted(found)


def list_tree(folder: Path) -> list[Path]:
    """List all files and folders below a folder, in the order of names; links to folders are not followed.

    Raises
    ------
    OSError
        If one of the folders cannot be read.
    """

    def refuse(error: OSError) -> None:
        raise error

    return sorted(
        Path(place) / name
        for place, folders, files in os.walk(folder, onerror=refuse)
        for name in (*folders, *files)
    )


def _match(folder: Path, pattern: str) -> Iterator[Path]:
    """Find what one folder holds of a name, or of names with wildcards."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        if set("*?[") & set(pattern):
            yield from (path for path in folder.iterdir() if fnmatchcase(path.name, pattern))
        else:
            (folder / pattern).lstat()
            yield folder / pattern


def open_own(path: Path, *, mode: int = 0o644) -> int:
    """Open a file of ours to read it and to append to it, and make it if it is not there.

    Somebody else may write to the folder: a symbolic link that is in its place is not followed.

    Parameters
    ----------
    path
        The file; its folder must be there.
    mode
        Permission bits of a new file, before the process's umask.

    Returns
    -------
    handle
        Its file descriptor, which programs that are started do not inherit.

    Raises
    ------
    FileError
        If there is a symbolic link, a pipe or anything else that is no ordinary file.
    OSError
        If it cannot be opened.
    """
    # Without O_NONBLOCK a pipe could make this wait for ever.
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    return _open_regular(path, flags, mode)


def look_into_own(path: Path) -> int:
    """Open a file of ours to read it only; else as `open_own`, and it is not made."""
    return _open_regular(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)


def _open_regular(path: Path, flags: int, mode: int = 0o644) -> int:
    try:
        handle = os.open(path, flags, mode)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _no_file(path, "a symbolic link, which may lead to any other file") from error
        raise
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise _no_file(path, "no ordinary file")
    return handle


def try_lock(handle: int, path: Path) -> bool:
    """Take the lock of a file, unless somebody else holds it.

    The lock is the kernel's (``flock``): it ends with the process that holds it, however that ends, so that there
    is no stale one.

    Parameters
    ----------
    handle, path
        The open file, and its name for errors.

    Returns
    -------
    taken
        Whether the lock is ours now.

    Raises
    ------
    FileError
        If the file system knows no locks.
    OSError
        If it cannot be locked for another reason.
    """
    with naming(path):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            raise FileError(
                f"{path} cannot be locked: its file system knows no locks ({error.strerror})",
                remedy="use a folder on another file system, or have it mounted with locks (flock of Lustre, "
                "local_lock of NFS)",
            ) from error
    return True


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Name a file in the errors of the operating system that name none: of writing, and of a staged file."""
    try:
        yield
    except OSError as error:
        if error.errno is not None:
            error.filename = str(path)
        raise


def write_atomically(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Write a text file so that a reader sees the old one or the new one, never a part.

    Parameters
    ----------
    path
        The file. Its folder is made if it is not there.
    text
        The new content, written as UTF-8.
    mode
        Permission bits of the new file, before the process's umask.

    Raises
    ------
    OSError
        If the folder cannot be written to; the old file is then untouched.
    """
    make_folder(path.parent)
    with _stage(path, text, mode) as staging:
        staging.replace(path)


def write_new(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Write a text file that must not be there, completely or not at all; parameters as `write_atomically`.

    Raises
    ------
    FileExistsError
        If it is there.
    OSError
        If the folder cannot be written to.
    """
    with _stage(path, text, mode) as staging:
        path.hardlink_to(staging)  # unlike renaming, this replaces nothing


@contextlib.contextmanager
def _stage(path: Path, text: str, mode: int) -> Iterator[Path]:
    """Write a text beside the file that it is to become, which the block makes of it."""
    with naming(path):
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:100]}.")
        staging = Path(name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            staging.chmod(mode & ~_umask())
            yield staging
        finally:
            with contextlib.suppress(OSError):  # another error tells more
                staging.unlink(missing_ok=True)


def _no_file(path: Path, what: str) -> FileError:
    return FileError(
        f"{path} is {what}", expected="a file of this campaign", remedy="see whose it is, and remove it"
    )


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
