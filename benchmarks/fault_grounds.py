"""Folders with small campaigns on which commands are tried (see `faults`)."""

__all__ = ["SIZE", "Ground", "make_grounds"]

import json
import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import yaml
from apcampaign.sandbox.create import Sandbox, create_sandbox
from apcampaign.sandbox.survey import SandboxSize
from fault_runs import environment, run_command

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from raw_runs import leave_raw_runs  # noqa: E402
from retired_ground import make_ground  # noqa: E402

SIZE = SandboxSize(visits=2, detectors=(94,))


@dataclass(frozen=True)
class Ground:
    """A folder with a campaign, as it is to be before each run of a command."""

    name: str
    folder: Path
    make: Callable[[Path], None]

    @property
    def work(self) -> Path:
        return self.folder / "work" / self.name

    @property
    def kept(self) -> Path:
        return self.folder / "kept" / self.name

    def prepare(self) -> None:
        if not self.kept.exists():
            shutil.rmtree(self.work, ignore_errors=True)
            self.work.mkdir(parents=True)
            self.make(self.work)
            shutil.copytree(self.work, self.kept, symlinks=True)
        self.restore()

    def look(self) -> dict[Path, tuple[int, int]]:
        """Give all files with their sizes and times, and all folders."""
        return {path.relative_to(self.work): _stamp(path) for path in self.work.rglob("*")}

    def restore(self, but: Path | None = None) -> None:
        """Make it what it was, copying what has changed only; all but one file."""
        kept = {path.relative_to(self.kept): path for path in self.kept.rglob("*")}
        self.work.mkdir(parents=True, exist_ok=True)
        for path in sorted(self.work.rglob("*"), reverse=True):
            if path == but:
                continue
            source = kept.get(path.relative_to(self.work))
            if source is None or _stamp(source)[0] != _stamp(path)[0] or _stamp(source) != _stamp(path):
                if path.is_dir() and not path.is_symlink():
                    if source is None or not source.is_dir():
                        shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)
        for name, source in sorted(kept.items()):
            target = self.work / name
            if source.is_dir() and not source.is_symlink():
                target.mkdir(exist_ok=True)
            elif target != but and not target.exists():
                shutil.copy2(source, target, follow_symlinks=False)


def _stamp(path: Path) -> tuple[int, int]:
    with suppress(OSError):
        if path.is_symlink() or not path.is_dir():
            status = path.lstat()
            return status.st_size, status.st_mtime_ns
    return -1, 0


def make_grounds(folder: Path) -> dict[str, Ground]:
    """Give the grounds by name; each is made when it is prepared first."""
    makers = {"recorded": make_recorded, "small": make_small, "raw": make_raw, "sandbox": make_sandbox}
    return {name: Ground(name, folder, make) for name, make in makers.items()}


def make_recorded(folder: Path) -> None:
    """A templates run with failures, as HTCondor has left it."""
    shutil.copytree(ROOT / "tests/support/recorded/troubled", folder / "runs" / "troubled")
    _write_campaign(
        folder, name="troubled", butler="/nowhere/repo", inCollection="2.2i/defaults", site="local"
    )


def make_small(folder: Path) -> None:
    """Two campaigns that have ended, with datasets in a repository and rows in an APDB."""
    make_ground(folder, {name: f"sqlite:///{folder}/{name}.db" for name in ("mine", "theirs")})
    (folder / "mine.yaml").rename(folder / "campaign.yaml")


def make_raw(folder: Path) -> None:
    """Two runs of ``bps submit``."""
    found = leave_raw_runs(folder)
    (folder / "places.json").write_text(
        json.dumps({"templates": str(found.templates), "diffim": str(found.diffim)})
    )


def make_sandbox(folder: Path) -> None:
    """A miniature DC2, with a campaign that has not begun."""
    sandbox = create_sandbox(folder / "dc2", SIZE)
    content = {**sandbox.campaign(), "site": "parsl-local", "apdb": {"url": f"sqlite:///{folder}/apdb.db"}}
    (folder / "campaign.yaml").write_text(yaml.safe_dump(content))
    # One that BPS cannot prepare, since its jobs would take longer than all that a command does itself.
    (folder / "broken-pipeline.yaml").write_text("description: broken\nimports: [nowhere.yaml]\n")
    content["templates"] = {"pipeline": str(folder / "broken-pipeline.yaml")}
    (folder / "broken.yaml").write_text(yaml.safe_dump({**content, "name": "broken"}))
    with environment(Sandbox(folder / "dc2", SIZE).environment):
        run_command(folder, ("generate",))
    (folder / "places.json").write_text(json.dumps({"repo": str(sandbox.butler)}))


def _write_campaign(folder: Path, **content: object) -> None:
    apdb = {"url": f"sqlite:///{folder}/apdb.db"}
    (folder / "campaign.yaml").write_text(yaml.safe_dump({"tracts": [3828], "apdb": apdb, **content}))
