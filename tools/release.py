"""Prepare a release, and try it: nothing is uploaded, tagged or pushed.

    release.py --set VERSION [--date YYYY-MM-DD]    write the version where it stands, and date the changelog
    release.py                                      build, check and install what would be released

The version stands in ``setup.cfg`` and ``CITATION.cff``, and that of a release in ``CHANGELOG.md`` too, with
its date. The second form builds the source distribution and the wheel in ``dist/``, compares the first with
what git has, lets ``twine`` check both, installs the wheel into a new environment, and says what is left to do.
Exits with 1 if this is no release yet.
"""

import argparse
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_UNRELEASED = "## Unreleased"
_RELEASE = re.compile(r"\d+\.\d+\.\d+")
#: What a source distribution has besides what git has.
_ADDED = re.compile(r"PKG-INFO|apcampaign\.egg-info/.*|src/apcampaign\.egg-info/.*")


@dataclass(frozen=True)
class Facts:
    """What the files and git say about the version.

    Parameters
    ----------
    version
        That of ``setup.cfg``.
    cited, cited_on
        Version and date of ``CITATION.cff``; no date if it has none.
    heading
        The newest heading of the changelog.
    changes
        What is not committed, as git lists it.
    tagged
        The commit that the version's tag is at, if there is one.
    head
        The commit that is checked out.
    """

    version: str
    cited: str
    cited_on: str | None
    heading: str
    changes: Sequence[str]
    tagged: str | None
    head: str

    @property
    def tag(self) -> str:
        """The tag of the version."""
        return f"v{self.version}"


def find_obstacles(facts: Facts) -> list[str]:
    """Tell what keeps this from being a release."""
    found = []
    if not _RELEASE.fullmatch(facts.version):
        found.append(f"{facts.version} is no release: make version VERSION=0.2.0 writes one")
    if facts.cited != facts.version:
        found.append(f"CITATION.cff names version {facts.cited}, and setup.cfg {facts.version}")
    dated = re.fullmatch(r"## (\S+) \((\d{4}-\d{2}-\d{2})\)", facts.heading)
    if not dated or dated[1] != facts.version:
        found.append(
            f"the changelog begins with «{facts.heading}» instead of «## {facts.version} (YYYY-MM-DD)»"
        )
    elif facts.cited_on != dated[2]:
        found.append(f"CITATION.cff was released on {facts.cited_on}, and the changelog on {dated[2]}")
    if facts.changes:
        found.append(f"{len(facts.changes)} files are not committed: {', '.join(facts.changes[:3])} …")
    if facts.tagged and facts.tagged != facts.head:
        found.append(f"the tag {facts.tag} is at another commit: {facts.tagged[:12]}")
    return found


def read_facts() -> Facts:
    """Read what files and git say."""
    version = _find(r"^version = (.+)$", "setup.cfg") or ""
    return Facts(
        version=version,
        cited=_find(r"^version: (.+)$", "CITATION.cff") or "",
        cited_on=_find(r"^date-released: (.+)$", "CITATION.cff"),
        heading=_find(r"^(## .+)$", "CHANGELOG.md") or "",
        changes=[line[3:] for line in _git("status", "--porcelain").splitlines()],
        tagged=_git("rev-parse", "--quiet", "--verify", f"v{version}^{{commit}}") or None,
        head=_git("rev-parse", "HEAD"),
    )


def set_version(version: str, day: str) -> None:
    """Write a version where it stands; the changelog gets its date, or a heading for what comes next."""
    released = bool(_RELEASE.fullmatch(version))
    _replace("setup.cfg", r"^version = .+$", f"version = {version}")
    dated = f"\ndate-released: {day}" if released else ""
    _replace("CITATION.cff", r"^version: .+(\ndate-released: .+)?$", f"version: {version}{dated}")
    log = (ROOT / "CHANGELOG.md").read_text()
    if released:
        _replace("CHANGELOG.md", rf"^{_UNRELEASED}$", f"## {version} ({day})")
    elif f"{_UNRELEASED}\n" not in log:
        _replace("CHANGELOG.md", r"^(?=## )", f"{_UNRELEASED}\n\n")


def build(folder: Path) -> tuple[Path, Path]:
    """Build source distribution and wheel, with the build tools that constraints.txt pins."""
    for old in folder.glob("apcampaign-*"):
        old.unlink()
    pinned = {**os.environ, "PIP_CONSTRAINT": str(ROOT / "constraints.txt")}
    _run(sys.executable, "-m", "build", "--outdir", str(folder), str(ROOT), env=pinned)
    (source,), (wheel,) = folder.glob("apcampaign-*.tar.gz"), folder.glob("apcampaign-*.whl")
    return source, wheel


def compare_with_git(source: Path) -> list[str]:
    """Tell which files only git, or only a source distribution has."""
    with tarfile.open(source) as archive:
        names = {name.partition("/")[2] for name in archive.getnames() if archive.getmember(name).isfile()}
    packed = {name for name in names if not _ADDED.fullmatch(name)}
    tracked = set(_git("ls-files").splitlines())
    return [
        *(f"{name} is not in {source.name}" for name in sorted(tracked - packed)),
        *(f"{name} is in {source.name} and not in git" for name in sorted(packed - tracked)),
    ]


def install(wheel: Path) -> str:
    """Install a wheel into a new environment, and ask it for its version."""
    with tempfile.TemporaryDirectory(prefix="apcampaign-release-") as folder:
        python = Path(folder, "venv", "bin", "python")
        _run(sys.executable, "-m", "venv", str(python.parents[1]))
        pinned = ["--constraint", str(ROOT / "constraints.txt")]
        _run(str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *pinned, str(wheel))
        told = subprocess.run(
            [python.with_name("apcampaign"), "--version"],
            cwd=folder,
            check=True,
            capture_output=True,
            text=True,
        )
    return told.stdout.strip()


def main() -> int:
    """Do what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--set", metavar="VERSION")
    parser.add_argument("--date", default=date.today().isoformat(), metavar="YYYY-MM-DD")
    given = parser.parse_args()
    if given.set is not None:
        if not re.fullmatch(rf"{_RELEASE.pattern}(\.dev\d+)?", given.set):
            parser.error(f"{given.set!r} is no version such as 0.2.0, or 0.3.0.dev0 for what comes after it")
        set_version(given.set, given.date)
        return 0
    facts = read_facts()
    print(f"building apcampaign {facts.version} in {ROOT / 'dist'}", flush=True)
    source, wheel = build(ROOT / "dist")
    _run(sys.executable, "-m", "twine", "check", "--strict", str(source), str(wheel))
    obstacles = [*find_obstacles(facts), *compare_with_git(source)]
    told = install(wheel)
    print(f"installed {wheel.name} alone: {told}")
    if facts.version not in told.partition("\n")[0]:
        obstacles.append(f"the wheel calls itself «{told}»")
    for obstacle in obstacles:
        print(f"no release: {obstacle}")
    if not obstacles:
        print(_next_steps(facts, source, wheel))
    return int(bool(obstacles))


def _next_steps(facts: Facts, source: Path, wheel: Path) -> str:
    steps = [f"{source.name} and {wheel.name} are good. Left to do, by you:"]
    if not facts.tagged:
        steps.append(f"  git tag -a {facts.tag} -m 'apcampaign {facts.version}'")
    steps += [
        f"  git push origin HEAD {facts.tag}",
        f"  {sys.executable} -m twine upload dist/{source.name} dist/{wheel.name}",
    ]
    return "\n".join(steps)


def _find(pattern: str, name: str) -> str | None:
    found = re.search(pattern, (ROOT / name).read_text(), flags=re.MULTILINE)
    return found[1] if found else None


def _replace(name: str, pattern: str, text: str) -> None:
    old = (ROOT / name).read_text()
    new, number = re.subn(pattern, text, old, count=1, flags=re.MULTILINE)
    if not number:
        sys.exit(f"{name} has nothing like {pattern}")
    (ROOT / name).write_text(new)


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.rstrip("\n")


def _run(*command: str, env: dict[str, str] | None = None) -> None:
    """Run a command, and show what it says if it fails only: a build names each file several times."""
    done = subprocess.run(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{done.stdout}\n{' '.join(command)} ended with {done.returncode}")


if __name__ == "__main__":
    sys.exit(main())
