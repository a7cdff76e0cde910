"""Folder of a sandbox or a demo with its servers: how a shell uses it, and what of it runs."""

__all__ = ["DEMO_SANDBOX", "SandboxFolder", "ServerStatus"]

import shlex
import shutil
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..common.errors import SandboxError
from ..common.files import write_atomically
from ..common.own_servers import ENVIRONMENT_FILE, SANDBOX
from .create import Sandbox, open_sandbox
from .servers import CondorPool, PoolSettings, PostgresServer

#: Where the demo has its sandbox; that of ``sandbox create`` is the folder itself.
DEMO_SANDBOX = "dc2"
_CONDOR, _POSTGRES = "condor", "postgres"

_HEAD = """\
# Lets a shell use the campaign and the servers of {folder}, from any folder and as often as you like:
#   . {quoted}
# The servers need not run: `apcampaign sandbox start` starts them. No password is in here.
"""
_PATH = """\
for _folder in {folders}; do
    case ":$PATH:" in
        *":$_folder:"*) ;;
        *) PATH="$_folder:$PATH" ;;
    esac
done
unset _folder
export PATH
"""


@dataclass(frozen=True, kw_only=True)
class ServerStatus:
    """Whether a server of a sandbox runs.

    Parameters
    ----------
    name
        What it is.
    pid
        Its process; `None` if it does not run.
    ends
        When it stops by itself, in seconds since 1970 (UTC); `None` for never.
    place
        How it is reached, as far as that is known.
    log
        Its log file, or the folder of its logs.
    """

    name: str
    pid: int | None
    ends: float | None
    place: str
    log: Path

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values, for JSON."""
        return {
            "name": self.name,
            "running": self.pid is not None,
            "pid": self.pid,
            "ends": self.ends,
            "place": self.place,
            "log": str(self.log),
        }


@dataclass(frozen=True)
class SandboxFolder:
    """A folder that `apcampaign demo` or `apcampaign sandbox create` has made.

    Parameters
    ----------
    folder
        The absolute path.
    sandbox
        The miniature in it.
    """

    folder: Path
    sandbox: Sandbox

    @classmethod
    def open(cls, folder: Path) -> "SandboxFolder":
        """Open an existing one.

        Raises
        ------
        SandboxError
            If the folder holds no sandbox.
        """
        folder = folder.resolve()
        sandbox = open_sandbox(folder) or open_sandbox(folder / DEMO_SANDBOX)
        if sandbox is None:
            raise SandboxError(
                f"there is no sandbox in {folder}",
                expected="a folder that `apcampaign demo` or `apcampaign sandbox create` has made",
                remedy="name its folder, or make one with `apcampaign sandbox create FOLDER`",
            )
        return cls(folder, sandbox)

    @property
    def campaign(self) -> Path:
        """The campaign file."""
        return self.folder / "campaign.yaml"

    @property
    def runs(self) -> Path:
        """The folder of the campaign's runs."""
        return self.folder / "runs"

    @property
    def environment_file(self) -> Path:
        """What a shell reads to use it."""
        return self.folder / ENVIRONMENT_FILE

    @property
    def has_pool(self) -> bool:
        """Whether it has had an HTCondor pool."""
        return CondorPool.reopen(self.folder / _CONDOR) is not None

    def pool(
        self, *, cpus: int | None = None, tuned: bool | None = None, time_to_live: int | None = None
    ) -> CondorPool:
        """Give its HTCondor pool.

        Parameters
        ----------
        cpus, tuned
            As for `CondorPool`; by default as before, or two cores and a fast one.
        time_to_live
            As for `CondorPool`.
        """
        state = self.folder / _CONDOR
        before = CondorPool.reopen(state)
        settings = before.settings if before else PoolSettings(cpus=2)
        return CondorPool(
            state,
            cpus=settings.cpus if cpus is None else cpus,
            memory=settings.memory,
            tuned=settings.tuned if tuned is None else tuned,
            time_to_live=time_to_live,
        )

    def database(self, *, time_to_live: float | None = None) -> PostgresServer:
        """Give its PostgreSQL server; parameters as for `PostgresServer`."""
        return PostgresServer(self.folder / _POSTGRES, time_to_live=time_to_live)

    def environment(self) -> dict[str, str]:
        """Give the variables with which a shell uses it, all but ``PATH``."""
        variables = {
            SANDBOX: str(self.folder),
            "APCAMPAIGN_CAMPAIGN": str(self.campaign),
            "APCAMPAIGN_RUNS": str(self.runs),
            **self.sandbox.environment,
        }
        if pool := CondorPool.reopen(self.folder / _CONDOR):
            variables["CONDOR_CONFIG"] = str(pool.config)
        return variables

    def write_environment(self) -> Path:
        """Write the file that lets a shell use it, and give its path.

        It is for sh, bash and zsh, and holds absolute paths: a shell does not tell a file that it reads where
        that is.
        """
        file = self.environment_file
        lines = [f"export {name}={shlex.quote(value)}\n" for name, value in self.environment().items()]
        head = _HEAD.format(folder=self.folder, quoted=shlex.quote(str(file))) if _is_line(file) else ""
        folders = shlex.join(map(str, self._programs()))
        write_atomically(file, head + "".join(lines) + _PATH.format(folders=folders))
        return file

    def _programs(self) -> list[Path]:
        """List the folders of programs, those that are to be found first last."""
        pool = CondorPool.reopen(self.folder / _CONDOR)
        found = [*pool.programs] if pool else []
        if (own := _find_command()) is not None:
            found.append(own.parent)
        return found

    def status(self) -> tuple[ServerStatus, ...]:
        """Tell which of the servers that it has had run."""
        found = []
        server = self.database()
        if server.data.is_dir():
            process = server.process if server.is_running() else None
            found.append(
                ServerStatus(
                    name="PostgreSQL",
                    pid=process.pid if process else None,
                    ends=process.ends if process else None,
                    place=server.url("apdb") if server.has_port() else "",
                    log=server.log,
                )
            )
        if pool := CondorPool.reopen(self.folder / _CONDOR):
            process = pool.process
            found.append(
                ServerStatus(
                    name="HTCondor",
                    pid=process.pid if process else None,
                    ends=process.ends if process else None,
                    place=f"{pool.settings.cpus} slots, CONDOR_CONFIG={pool.config}",
                    log=pool.log,
                )
            )
        return tuple(found)

    def stop(self) -> None:
        """Stop its servers, and the jobs that run; databases and the queue are kept."""
        if pool := CondorPool.reopen(self.folder / _CONDOR):
            pool.stop()
        self.database().stop()


def _is_line(path: Path) -> bool:
    """Tell whether a path can be in a comment."""
    return str(path).isprintable()


def _find_command() -> Path | None:
    """Find the command that this is run by, so that a new shell has the same."""
    own = Path(sysconfig.get_path("scripts")) / "apcampaign"
    if own.exists():
        return own
    found = shutil.which("apcampaign")
    return None if found is None else Path(found).absolute()
