"""Recognising a process later: by its ID together with its start time.

An ID that the kernel has given to another program since is thus never mistaken for ours. Names are never used.
"""

__all__ = ["ProcessRecord"]

import contextlib
import json
import os
import signal
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple

from ...common.files import write_atomically


@dataclass(frozen=True)
class ProcessRecord:
    """A process, distinguished from all others that had or will have its ID."""

    pid: int
    started: str
    """The kernel's boot ID and the clock ticks since boot; only compared."""
    ends: float | None = field(default=None, compare=False)
    """When it ends by itself, in seconds since 1970 (UTC); `None` for never."""

    @classmethod
    def of(cls, pid: int) -> "ProcessRecord | None":
        """Describe a living process; `None` if there is none with this ID."""
        stat = _stat(pid)
        return None if stat is None or stat.is_zombie else cls(pid, f"{_boot_id()}:{stat.ticks}")

    @classmethod
    def load(cls, path: Path) -> "ProcessRecord | None":
        """Read what `save` wrote; `None` if there is no readable record."""
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
            ends = fields.get("ends")
            return cls(int(fields["pid"]), str(fields["started"]), None if ends is None else float(ends))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def save(self, path: Path) -> None:
        """Write the record atomically."""
        write_atomically(path, json.dumps(asdict(self)) + "\n")

    def is_alive(self) -> bool:
        """Tell whether this process still runs (a zombie does not)."""
        if self.of(self.pid) == self:
            return True
        if (stat := _stat(self.pid)) is not None and stat.is_zombie and self._is(stat):
            # A child of this process stays a zombie until its exit code is read.
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self.pid, os.WNOHANG)
        return False

    def _is(self, stat: "_Stat") -> bool:
        return self.started == f"{_boot_id()}:{stat.ticks}"

    def tree(self) -> "list[ProcessRecord]":
        """List this process and its descendants, parents first; empty if it has ended."""
        if not self.is_alive():
            return []
        children: dict[int, list[int]] = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and (stat := _stat(int(entry.name))) is not None:
                children.setdefault(stat.parent, []).append(int(entry.name))
        found = [self.pid]
        for pid in found:
            found.extend(children.get(pid, []))
        return [record for pid in found if (record := self.of(pid)) is not None]

    @classmethod
    def all_with(cls, folders: Sequence[Path], setting: str) -> "list[ProcessRecord]":
        """List the processes whose program is in a folder and whose environment has a setting.

        Parameters
        ----------
        folders
            The folders in which the program may be.
        setting
            A variable and its value, such as ``"HOME=/root"``.
        """
        found = []
        for entry in Path("/proc").iterdir():
            # Other users' processes cannot be read, and some end meanwhile.
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and (entry / "exe").readlink().parent in folders:
                    record = cls.of(int(entry.name))
                    settings = (entry / "environ").read_bytes().split(b"\0")
                    if record is not None and os.fsencode(setting) in settings:
                        found.append(record)
        return found

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, unless the process has ended."""
        if self.is_alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


class _Stat(NamedTuple):
    parent: int
    ticks: int
    is_zombie: bool


def _stat(pid: int) -> _Stat | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The program's name in the second field may hold anything, including brackets and spaces.
    fields = text.rpartition(")")[2].split()
    return None if len(fields) < 20 else _Stat(int(fields[1]), int(fields[19]), fields[0] in ("Z", "X"))


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
