"""Daemons of a private HTCondor pool: the environment that they get, what they leave, and what they said last."""

__all__ = ["daemon_environ", "end_orphans", "forget_addresses", "last_words"]

import os
import signal
from pathlib import Path

from .condor_software import CondorSoftware
from .identity import Identity
from .process_record import ProcessRecord
from .processes import end

# The caller's variables that daemons get: no secrets, and no settings of another pool.
_KEPT = ("LANG", "LC_ALL", "TZ", "TMPDIR")
_ADDRESSES = (
    "log/.master_address",
    "log/.collector_address",
    "spool/.schedd_address",
    "lock/shared_port_ad",
)
_LOGS = ("master.out", "MasterLog", "CollectorLog", "SchedLog", "StartLog")


def daemon_environ(config: Path, software: CondorSoftware, identity: Identity) -> dict[str, str]:
    """Make the complete environment of the daemons."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return kept | {
        "CONDOR_CONFIG": str(config),
        "PATH": f"{software.bin}:{software.sbin}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        "USER": identity.name,
        "LOGNAME": identity.name,
        "HOME": os.environ.get("HOME", "/"),
    }


def forget_addresses(state: Path) -> None:
    """Remove the addresses that a pool has left which was killed: they would be taken for those of a new one."""
    for name in _ADDRESSES:
        (state / name).unlink(missing_ok=True)


def end_orphans(config: Path, software: CondorSoftware) -> None:
    """End daemons whose master was killed: they run on for a minute, and two schedds must not share a queue."""
    for orphan in ProcessRecord.all_with([software.sbin, software.libexec], f"CONDOR_CONFIG={config}"):
        end(orphan, [(signal.SIGQUIT, 5)])


def last_words(folder: Path) -> str:
    """Give the ends of their logs."""
    said = []
    for name in _LOGS:
        try:
            lines = (folder / name).read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            continue
        said += [f"{name}: {line}" for line in lines[-4:]]
    return "\n".join(said) or "(nothing)"
