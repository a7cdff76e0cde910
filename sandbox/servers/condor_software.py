"""HTCondor's programs from Debian's packages, in a folder of their own, without touching the system.

The packages are fetched through a private apt state (own lists and cache, no installed packages), with the
system's mirror, proxies and keys, and unpacked into a prefix. ``patchelf`` then makes every program there use
the prefix's C library and libraries, so that the system's may be older: no container, no wrapper, no
``LD_LIBRARY_PATH``. Jobs are programs of the system and use the system's libraries.
"""

__all__ = ["CondorSoftware", "check_path", "is_plain", "system_condor_works"]

import os
import re
import shutil
import socket
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...common.errors import SandboxError
from ...common.files import write_atomically
from ...common.progress import show_progress
from .debian import DebianSuite
from .identity import Identity
from .processes import locked, run

# The first has the release of the PyPI bindings, the second that of Debian's latest stable release.
_SUITES = ("sid", "trixie")

# To be raised when the installation changes, so that older prefixes are not used.
_LAYOUT = 1
_REMEDY = "install HTCondor with the system's package manager"
_DAEMONS = ("master", "shared_port", "collector", "negotiator", "schedd", "startd", "shadow", "starter")
_TOOLS = ("condor_dagman", "condor_q", "condor_status", "condor_submit", "condor_submit_dag")
# Parts of Debian's packages that are not needed here.
_CHAFF = ("share/doc", "share/man", "share/locale", "share/lintian", "share/bash-completion", "lib/systemd")


def _default_root() -> Path:
    """Give the cache folder for HTCondor's releases, one folder each: usually the user's own cache."""
    if Identity.choose().kind == "setuid":
        # A user other than root must be able to read it.
        return Path("/var/cache/apcampaign/condor")
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path("~/.cache").expanduser())
    return Path(cache) / "apcampaign" / "condor"


def system_condor_works(seconds: float = 15) -> bool:
    """Tell whether this machine has an HTCondor that runs jobs here, so that no private pool is needed.

    On a submit host of a cluster jobs may wait for ever: at some, nodes have to be asked for first.

    Parameters
    ----------
    seconds
        Time-out for each answer.
    """
    try:
        run(["condor_q", "-totals"], seconds=seconds)
        machines = run(["condor_status", "-af", "Machine"], seconds=seconds)
    except SandboxError:
        return False
    here = {"localhost", socket.gethostname().partition(".")[0].casefold()}
    return any(name.partition(".")[0].casefold() in here for name in machines.split())


@dataclass(frozen=True)
class CondorSoftware:
    """An unpacked HTCondor, which cannot be moved: its programs hold absolute paths."""

    prefix: Path
    version: str
    """Release, such as ``25.14.1``."""

    @property
    def bin(self) -> Path:
        """The users' programs."""
        return self.prefix / "usr" / "bin"

    @property
    def sbin(self) -> Path:
        """The daemons and the administrators' programs."""
        return self.prefix / "usr" / "sbin"

    @property
    def libexec(self) -> Path:
        """The programs that daemons call."""
        path = self.prefix / "usr" / "libexec" / "condor"
        return path if path.is_dir() else self.prefix / "usr" / "lib" / "condor" / "libexec"

    @classmethod
    def at(cls, prefix: Path) -> "CondorSoftware | None":
        """Give the installation in a prefix; `None` if there is no complete one that runs."""
        try:
            version = _marker(prefix).read_text(encoding="ascii").strip()
            run([str(prefix / "usr/bin/condor_version")], seconds=30, environ={"CONDOR_CONFIG": "/dev/null"})
        except (OSError, SandboxError):
            return None
        return cls(prefix, version)

    @classmethod
    def find(cls, prefix: Path | None = None) -> "CondorSoftware | None":
        """Find an existing installation.

        Parameters
        ----------
        prefix
            Where it must be; by default the newest one in the user's cache folder.
        """
        if prefix is not None:
            return cls.at(Path(prefix).absolute())
        folders = sorted(_default_root().glob(f"*-{_LAYOUT}"), key=_release, reverse=True)
        return next((software for folder in folders if (software := cls.at(folder)) is not None), None)

    @classmethod
    def install(cls, prefix: Path | None = None, suites: Sequence[str] = _SUITES) -> "CondorSoftware":
        """Give the existing installation, or install HTCondor (half a minute with a good connection).

        Several processes may call this at once: one installs, and the others wait.

        Parameters
        ----------
        prefix
            Where to unpack, 64 MB; a folder of the user's cache by default.
        suites
            Debian suites to take it from, in order of preference.

        Raises
        ------
        SandboxError
            If no suite provides an HTCondor that runs, with the reason for each suite.
        """
        prefix = None if prefix is None else check_path(prefix)
        if (software := cls.find(prefix)) is not None:
            return software
        if prefix is not None:
            _check_ours(prefix)
        root = check_path(_default_root())
        lock = root / "lock" if prefix is None else prefix.with_name(f"{prefix.name}.lock")
        with locked(lock, seconds=600, doing="installing HTCondor"):
            if (software := cls.find(prefix)) is not None:
                return software
            reasons = []
            for suite in suites:
                try:
                    with show_progress(f"fetching HTCondor from Debian {suite}"):
                        return _install(suite, prefix, root)
                except SandboxError as exc:
                    reasons.append(f"Debian {suite}: {exc}")
        raise SandboxError(
            "HTCondor is not installed on this machine and cannot be fetched:\n" + "\n".join(reasons),
            remedy="install it with the system's package manager, or fix this and try again",
        )


def check_path(path: Path) -> Path:
    """Give an absolute path that HTCondor's configuration can hold.

    Raises
    ------
    SandboxError
        If the path has characters with a special meaning there.
    """
    path = Path(path).absolute()
    if not is_plain(str(path)):
        raise SandboxError(
            f"HTCondor cannot work in the folder {str(path)!r}: its configuration takes no spaces, quotes or "
            "other special characters in paths",
            remedy="choose another folder",
        )
    return path


def is_plain(text: str) -> bool:
    """Tell whether a text has no special characters of HTCondor's configuration."""
    return re.fullmatch(r"[\w./@+=~-]+", text) is not None


def _marker(prefix: Path) -> Path:
    return prefix / "VERSION"


def _release(folder: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", folder.name)]


def _install(suite: str, prefix: Path | None, root: Path) -> CondorSoftware:
    with tempfile.TemporaryDirectory(prefix="apcampaign-apt-") as scratch:
        debian = DebianSuite(suite, Path(scratch))
        debian.update()
        version = debian.version("condor").split("+")[0].split("-")[0]
        if prefix is None:
            prefix = root / f"{version}-{debian.architecture}-{_LAYOUT}"
        staging = prefix.with_name(f"{prefix.name}.new")
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True)
        try:
            debian.unpack([*debian.libraries_of("condor"), "condor", "patchelf"], staging)
            for part in _CHAFF:
                shutil.rmtree(staging / "usr" / part, ignore_errors=True)
            _adapt(staging, prefix)
            _check_ours(prefix)
            shutil.rmtree(prefix, ignore_errors=True)
            staging.replace(prefix)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    _verify(prefix)
    write_atomically(_marker(prefix), f"{version}\n")
    software = CondorSoftware.at(prefix)
    if software is None:
        raise SandboxError(f"the HTCondor unpacked in {prefix} does not run", remedy=_REMEDY)
    return software


def _check_ours(prefix: Path) -> None:
    # Only an earlier installation may be removed.
    is_ours = (prefix / "usr/sbin/condor_master").exists()
    if prefix.exists() and not is_ours and (not prefix.is_dir() or any(prefix.iterdir())):
        raise SandboxError(
            f"{prefix} holds something other than HTCondor", remedy="choose a folder that is empty or missing"
        )


def _libraries(prefix: Path) -> Path:
    # Debian's folder for this machine's architecture.
    found = sorted(prefix.glob("usr/lib/*/libc.so.6"))
    if not found:
        raise SandboxError("the packages have no C library in usr/lib", remedy=_REMEDY)
    return found[0].parent


def _loader(prefix: Path) -> Path:
    found = sorted(_libraries(prefix).glob("ld-linux*.so.*"))
    if not found:
        raise SandboxError("the packages have no dynamic loader", remedy=_REMEDY)
    return found[0]


def _programs(prefix: Path) -> list[Path]:
    folders = ("usr/bin", "usr/sbin", "usr/libexec/condor", "usr/lib/condor/libexec")
    found = []
    for path in (path for folder in folders for path in sorted((prefix / folder).glob("*"))):
        if path.is_symlink() or not path.is_file() or ".so" in path.name or path.name == "patchelf":
            continue
        with path.open("rb") as stream:
            if stream.read(4) == b"\x7fELF":
                found.append(path)
    return found


def _adapt(staging: Path, prefix: Path) -> None:
    # The interpreter and the library path are those in the final place.
    libraries, loader = _libraries(staging), _loader(staging)
    final = prefix / libraries.relative_to(staging)
    # DT_RPATH, not DT_RUNPATH: it also serves the libraries' own needs and dlopen, and beats LD_LIBRARY_PATH.
    arguments = ["--set-interpreter", str(final / loader.name), "--force-rpath"]
    arguments += ["--set-rpath", f"{prefix}/usr/lib:{final}"]
    tool = [str(loader), "--library-path", str(libraries), str(staging / "usr/bin/patchelf")]
    run([*tool, *arguments, *(str(program) for program in _programs(staging))], seconds=300)


def _verify(prefix: Path) -> None:
    # Every daemon must find all its libraries, and inside the prefix.
    programs = [prefix / "usr/sbin" / f"condor_{name}" for name in _DAEMONS if name != "shared_port"]
    programs += [prefix / "usr/bin" / name for name in _TOOLS]
    for program in programs:
        listing = run([str(_loader(prefix)), "--list", str(program)], seconds=30, check=False)
        lines = [line for line in listing.splitlines() if "=>" in line]
        strange = [line.strip() for line in lines if f"=> {prefix}/" not in line and "linux-vdso" not in line]
        if strange or not lines:
            raise SandboxError(
                f"{program.name} lacks libraries: {', '.join(strange) or 'it cannot be read'}", remedy=_REMEDY
            )
