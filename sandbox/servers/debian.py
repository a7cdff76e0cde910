"""Packages of a Debian suite, fetched by apt without a trace in the system's own apt and dpkg."""

__all__ = ["DebianSuite"]

import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from ...common.errors import SandboxError
from .processes import run

_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# The system's apt settings for downloads: proxies, retries, checks.
_FOREIGN = re.compile(r"Acquire::(?!IndexTargets|Languages|CompressionTypes|Changelogs|cdrom|GzipIndexes)\S")

_CONFIG = """\
// The system's settings may hold hooks that change the system, so they are not read.
Dir::Etc::main "/dev/null";
Dir::Etc::parts "/dev/null";
Dir::Etc::sourcelist "{folder}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State "{folder}/state";
// Nothing is installed.
Dir::State::status "{folder}/status";
Dir::Cache "{folder}/cache";
Dir::Log "{folder}";
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
// The folder belongs to whoever runs this.
APT::Sandbox::User "root";
Debug::NoLocking "1";
Acquire::Languages "none";
Acquire::Retries "3";
Acquire::http::Timeout "30";
"""


class DebianSuite:
    """The packages of a Debian suite for this machine's architecture.

    Parameters
    ----------
    name
        The suite, such as ``sid``.
    folder
        Scratch folder for apt's files; the caller removes it.

    Raises
    ------
    SandboxError
        If this machine has no apt and dpkg.
    """

    def __init__(self, name: str, folder: Path) -> None:
        for program in ("apt-get", "apt-cache", "apt-config", "dpkg", "dpkg-deb"):
            if shutil.which(program) is None:
                raise SandboxError(
                    f"the program {program} is missing, and fetching HTCondor needs Debian or a derivative",
                    remedy="install HTCondor with the system's package manager",
                )
        self.name = name
        self.folder = folder
        self.architecture = run(["dpkg", "--print-architecture"], seconds=30).strip()
        self._environ = {**os.environ, "APT_CONFIG": str(folder / "apt.conf"), "LC_ALL": "C"}

    def update(self) -> None:
        """Fetch the suite's list of packages.

        Raises
        ------
        SandboxError
            If it cannot be fetched, or its signature cannot be checked.
        """
        for part in ("state/lists/partial", "cache/archives/partial", "debs"):
            (self.folder / part).mkdir(parents=True)
        (self.folder / "status").touch()
        (self.folder / "sources.list").write_text(
            f"deb [signed-by={self._keyring()}] {_mirror()} {self.name} main\n", encoding="utf-8"
        )
        settings = run(["apt-config", "--format", '%f "%v";%n', "dump", "Acquire"], seconds=30)
        foreign = "".join(f"{line}\n" for line in settings.splitlines() if _FOREIGN.match(line))
        config = _CONFIG.format(folder=self.folder, architecture=self.architecture)
        (self.folder / "apt.conf").write_text(config + foreign, encoding="utf-8")
        self._run("apt-get", "-qq", "update", "-o", "APT::Update::Error-Mode=any")

    def version(self, package: str) -> str:
        """Give the version of a package.

        Raises
        ------
        SandboxError
            If the suite does not have it.
        """
        found = re.search(r"Candidate: (?:\d+:)?(\d\S*)", self._run("apt-cache", "policy", package))
        if found is None:
            raise SandboxError(f"Debian {self.name} has no package {package!r} for {self.architecture}")
        return found.group(1)

    def libraries_of(self, package: str) -> list[str]:
        """List the packages of shared libraries that a package needs, directly or indirectly.

        What only its scripts and services need (interpreters, daemons) is left out.
        """
        kinds = ["recommends", "suggests", "conflicts", "breaks", "replaces", "enhances"]
        arguments = ["depends", "--recurse", *(f"--no-{kind}" for kind in kinds), package]
        needs: dict[str, list[str]] = {}
        current: list[str] = []
        for line in self._run("apt-cache", *arguments).splitlines():
            if line and not line[0].isspace():
                current = needs.setdefault(line.strip(), [])
            elif match := re.match(r"[ |]*(?:Pre)?Depends: ([a-z0-9][a-z0-9+.-]*)", line):
                current.append(match.group(1))
        found: list[str] = []
        for name in (queue := [package]):
            for need in needs.get(name, []):
                if _is_library(need) and need not in found:
                    found.append(need)
                    queue.append(need)
        return found

    def unpack(self, packages: Iterable[str], target: Path) -> None:
        """Download packages and unpack them into a folder; none of their scripts is run.

        Raises
        ------
        SandboxError
            If one cannot be downloaded.
        """
        debs = self.folder / "debs"
        self._run("apt-get", "-qq", "download", *packages, cwd=debs)
        for deb in sorted(debs.glob("*.deb")):
            run(["dpkg-deb", "-x", str(deb), str(target)], seconds=120)

    def _run(self, *command: str, cwd: Path | None = None) -> str:
        return run(command, seconds=300, environ=self._environ, cwd=cwd)

    def _keyring(self) -> Path:
        if _KEYRING.exists():
            return _KEYRING
        # A derivative of Debian: its own repository, which the system trusts, has Debian's keys as a package.
        folder = self.folder / "keyring"
        folder.mkdir()
        try:
            run(["apt-get", "-qq", "download", "debian-archive-keyring"], seconds=300, cwd=folder)
            for deb in folder.glob("*.deb"):
                run(["dpkg-deb", "-x", str(deb), str(folder)], seconds=60)
            return next(folder.rglob("debian-archive-keyring.gpg"))
        except (SandboxError, StopIteration) as exc:
            raise SandboxError(
                f"Debian's keys are missing ({_KEYRING})", remedy="apt-get install debian-archive-keyring"
            ) from exc


def _is_library(package: str) -> bool:
    return re.match(r"zlib|lib(?!js-|python|perl)(?!.*-perl$)", package) is not None


def _mirror() -> str:
    # The one that the system uses, if it is a Debian: it may be the only one that can be reached.
    arguments = ["--format", "$(REPO_URI)", "Created-By: Packages", "Label: Debian"]
    listing = run(["apt-get", "indextargets", *arguments], seconds=30, check=False)
    if not (mirrors := listing.split()):
        raise SandboxError(
            "apt has no Debian repository here", remedy="run `apt-get update` once as root, then try again"
        )
    return mirrors[0]
