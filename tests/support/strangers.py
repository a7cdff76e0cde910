"""Another user of this machine, for the tests of what such a one can do."""

__all__ = ["NEEDS_ROOT", "as_stranger"]

import os
from collections.abc import Callable

import pytest

#: Only root can become somebody else.
NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
_UID = 54321  # of nobody: this machine has no name for it


def as_stranger(action: Callable[[], object]) -> str:
    """Do something as a user without rights and without a name, and give what it raised, or what it returned."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setresgid(_UID, _UID, _UID)
            os.setresuid(_UID, _UID, _UID)
            for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
                os.environ.pop(name, None)
            said = str(action())
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        os.write(writing, said.encode(errors="replace")[:60000])
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as stream:
        said = stream.read()
    os.waitpid(child, 0)
    return said
