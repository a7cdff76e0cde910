"""Servers of this machine that `apcampaign sandbox` has made and that do not run: what starts them again.

They are known by what they leave in their folders; `sandbox.servers` starts and stops them. A remedy that names a
command is of use only where the server that does not answer is one of these.
"""

__all__ = [
    "ENVIRONMENT_FILE",
    "PASSFILE",
    "POOL_FACTS",
    "POOL_RECORD",
    "PORT",
    "SANDBOX",
    "SERVER_RECORD",
    "find_stopped_database",
    "find_stopped_pool",
]

import json
import os
import shlex
from pathlib import Path

#: The variable that names the folder of the sandbox that a shell uses, and the file that sets it.
SANDBOX = "APCAMPAIGN_SANDBOX"
ENVIRONMENT_FILE = "env.sh"
#: In the folder of an HTCondor pool: what is known of it, and its process.
POOL_FACTS, POOL_RECORD = "pool.json", "master.json"
#: In the folder of a PostgreSQL server: its password file, its port, and its process.
PASSFILE, PORT, SERVER_RECORD = "pgpass", "port", "server.json"

_BOOT = Path("/proc/sys/kernel/random/boot_id")


def find_stopped_pool() -> str:
    """Give the command that starts the HTCondor pool of this shell; empty if it runs or is not one of ours."""
    config = os.environ.get("CONDOR_CONFIG", "")
    here = Path.cwd()
    if not config:
        # A new shell in a sandbox's folder.
        is_ours = (here / "condor" / POOL_FACTS).is_file() and (here / ENVIRONMENT_FILE).is_file()
        return f". ./{ENVIRONMENT_FILE} && apcampaign sandbox start" if is_ours else ""
    folder = Path(config).parent
    if not (folder / POOL_FACTS).is_file() or _runs(folder / POOL_RECORD):
        return ""
    return _start_sandbox(folder) or f"apcampaign sandbox condor --state {shlex.quote(str(folder))} start"


def find_stopped_database(passfile: str, port: int | None) -> str:
    """Give the command that starts the PostgreSQL server of a URL; empty if it runs or is not one of ours.

    Parameters
    ----------
    passfile
        The password file that the URL names.
    port
        The port that it names.
    """
    folder = Path(passfile).parent
    try:
        is_ours = Path(passfile).name == PASSFILE and int((folder / PORT).read_text(encoding="ascii")) == port
    except (OSError, ValueError):
        return ""
    return "" if not is_ours or _runs(folder / SERVER_RECORD) else _start_sandbox(folder)


def _start_sandbox(server: Path) -> str:
    """Give the command that starts the servers of the sandbox that has one in a folder of it, if there is one."""
    folder = server.parent
    if not (folder / ENVIRONMENT_FILE).is_file():
        return ""
    is_known = os.environ.get(SANDBOX) == str(folder) or (SANDBOX not in os.environ and Path.cwd() == folder)
    return "apcampaign sandbox start" + ("" if is_known else f" {shlex.quote(str(folder))}")


def _runs(record: Path) -> bool:
    """Tell whether the process of a record is there, since this machine was started."""
    try:
        process = json.loads(record.read_text(encoding="utf-8"))
        boot = _BOOT.read_text(encoding="ascii").strip()
        return str(process["started"]).startswith(boot) and Path(f"/proc/{int(process['pid'])}").exists()
    except (OSError, ValueError, KeyError, TypeError):
        return False
