"""Folders that appear completely or not at all."""

__all__ = ["appearing"]

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ...common.files import make_folder, naming


@contextmanager
def appearing(folder: Path) -> Iterator[Path]:
    """Give a new folder, which becomes ``folder`` when the block has ended, and goes away if it raises."""
    make_folder(folder.parent)
    staging = folder.parent / f".{folder.name[:100]}.{secrets.token_hex(4)}"
    staging.mkdir(mode=0o755)
    try:
        yield staging
        for path in (*staging.iterdir(), staging):
            _flush(path)
        with naming(folder):
            staging.rename(folder)
        _flush(folder.parent)
    except BaseException:
        with suppress(OSError):  # the first error tells more
            shutil.rmtree(staging)
        raise


def _flush(path: Path) -> None:
    """Make sure that what was written survives a crash of the machine."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
