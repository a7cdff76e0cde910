"""User that a server runs as: HTCondor and PostgreSQL both refuse to run as root.

An ordinary user remains the same. For root, and for a user ID without a name, there are two ways:

``namespace``
    A user namespace in which the caller appears as an ordinary user. On disk and for the kernel nothing
    changes, so software below ``/root`` works and root's files can be written; no owner is changed.
``setuid``
    For root where the kernel or a container forbids namespaces: another user, who must be able to read the
    software and to write to the server's folder.
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
    """The user that a server runs as, and the way in which it does."""

    kind: Literal["self", "namespace", "setuid"]
    name: str
    uid: int
    gid: int

    @classmethod
    def choose(cls, *, allow_namespace: bool = True) -> "Identity":
        """Choose the first way that works here.

        Parameters
        ----------
        allow_namespace
            False to make root become another user.

        Raises
        ------
        SandboxError
            If there is no ordinary user that root can become.
        """
        uid = os.geteuid()
        name = _name_of(uid)
        if uid != 0 and name is not None:
            return cls("self", name, uid, os.getegid())
        entry = _ordinary_user()
        if allow_namespace and _namespaces_work(entry.pw_uid, entry.pw_gid):
            return cls("namespace", entry.pw_name, entry.pw_uid, entry.pw_gid)
        if uid != 0:
            # Some container platforms use IDs without names; servers may refuse them.
            return cls("self", str(uid), uid, os.getegid())
        return cls("setuid", entry.pw_name, entry.pw_uid, entry.pw_gid)

    def command(self, command: Sequence[str]) -> list[str]:
        """Prefix a command so that it runs as this user; its process ID stays the same."""
        if self.kind == "namespace":
            return ["unshare", "-U", f"--map-user={self.uid}", f"--map-group={self.gid}", "--", *command]
        if self.kind == "setuid":
            return ["setpriv", f"--reuid={self.uid}", f"--regid={self.gid}", "--clear-groups", "--", *command]
        return list(command)

    def take(self, folder: Path) -> None:
        """Make this user the owner of a folder and its content, if necessary.

        Raises
        ------
        SandboxError
            If the user has no access to the folder.
        """
        if self.kind != "setuid":
            return
        self.require(folder.parent)
        for path in (folder, *folder.rglob("*")):
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def require(self, path: Path) -> None:
        """Check that this user has access to a folder or program.

        Raises
        ------
        SandboxError
            If not.
        """
        if self.kind != "setuid":
            return
        try:
            run(self.command(["test", "-x", str(path)]), seconds=10)
        except SandboxError as exc:
            raise SandboxError(
                f"root must run the server as user {self.name!r} here (user namespaces are not allowed), "
                f"who has no access to {path}",
                remedy="run this as an ordinary user, or use a folder that everybody can enter",
            ) from exc


def _name_of(uid: int) -> str | None:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None


def _ordinary_user() -> pwd.struct_passwd:
    # The first login user on Debian and Red Hat, or else one that every system has. Not `nobody`: in a
    # namespace every other user of the machine appears as `nobody`.
    for name in (_name_of(1000), "daemon", "bin"):
        try:
            entry = pwd.getpwnam(name or "")
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return entry
    raise SandboxError(
        "servers refuse to run as root, and this system has neither a user with uid 1000 nor 'daemon' nor 'bin'",
        remedy="run this as an ordinary user",
    )


@functools.cache
def _namespaces_work(uid: int, gid: int) -> bool:
    try:
        run(["unshare", "-U", f"--map-user={uid}", f"--map-group={gid}", "--", "true"], seconds=10)
    except SandboxError:
        return False
    return True
