"""As whom a server runs: HTCondor and PostgreSQL both refuse to work for root.

An ordinary user is himself. For root, and for a user number that has no name, there are two ways:

``namespace``
    A user namespace in which the caller appears as an ordinary user. On disk and to the kernel all remains
    his, so software below ``/root`` works and his own files can be written; nothing is chowned.
``setuid``
    For root where the kernel or a container forbids namespaces: really another user, who must be able to
    read the software and to write the server's folder.
"""

__all__ = ["Identity"]

import functools
import os
import pwd
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ...common.errors import SandboxError
from .processes import run


@dataclass(frozen=True)
class Identity:
    """The user a server believes to be, and how it gets to believe it."""

    kind: Literal["self", "namespace", "setuid"]
    name: str
    uid: int
    gid: int

    @classmethod
    def choose(cls, *, allow_namespace: bool = True) -> "Identity":
        """Take the first way that works here.

        Parameters
        ----------
        allow_namespace
            False to have root really become another user.

        Raises
        ------
        SandboxError
            If root has no ordinary user to turn into.
        """
        uid = os.geteuid()
        name = _name_of(uid)
        if uid != 0 and name is not None:
            return cls("self", name, uid, os.getegid())
        entry = _ordinary_user()
        if allow_namespace and _namespaces_work(entry.pw_uid, entry.pw_gid):
            return cls("namespace", entry.pw_name, entry.pw_uid, entry.pw_gid)
        if uid != 0:
            # Some container platforms give out numbers without names; servers may refuse them.
            return cls("self", str(uid), uid, os.getegid())
        return cls("setuid", entry.pw_name, entry.pw_uid, entry.pw_gid)

    def command(self, command: Sequence[str]) -> list[str]:
        """Put before a command what makes it run as this user; the process number stays the same."""
        if self.kind == "namespace":
            return ["unshare", "-U", f"--map-user={self.uid}", f"--map-group={self.gid}", "--", *command]
        if self.kind == "setuid":
            return ["setpriv", f"--reuid={self.uid}", f"--regid={self.gid}", "--clear-groups", "--", *command]
        return list(command)

    def take(self, folder: Path) -> None:
        """Let this user own a folder with all that is in it, where that is needed.

        Raises
        ------
        SandboxError
            If he could not get to the folder.
        """
        if self.kind != "setuid":
            return
        self.require(folder.parent)
        for path in (folder, *folder.rglob("*")):
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def require(self, path: Path) -> None:
        """Check that this user can get to a folder or program.

        Raises
        ------
        SandboxError
            If not, naming the path and what to do.
        """
        if self.kind != "setuid":
            return
        try:
            run(self.command(["test", "-x", str(path)]), seconds=10)
        except SandboxError as exc:
            raise SandboxError(
                f"as root the server must run as user {self.name!r} here (user namespaces are not allowed), "
                f"and {self.name!r} cannot get to {path}; run this as an ordinary user, or use a folder "
                "that everybody can enter"
            ) from exc


def _name_of(uid: int) -> str | None:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None


def _ordinary_user() -> pwd.struct_passwd:
    # The first login user by Debian's and Red Hat's habit, else one that every system has. Not `nobody`:
    # in a namespace every other user of the machine looks like him.
    for name in (_name_of(1000), "daemon", "bin"):
        try:
            entry = pwd.getpwnam(name or "")
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return entry
    raise SandboxError(
        "servers refuse to run as root, and this system has neither a user with uid 1000 nor 'daemon' nor "
        "'bin'; run this as an ordinary user"
    )


@functools.cache
def _namespaces_work(uid: int, gid: int) -> bool:
    try:
        run(["unshare", "-U", f"--map-user={uid}", f"--map-group={gid}", "--", "true"], seconds=10)
    except SandboxError:
        return False
    return True
