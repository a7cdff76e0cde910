"""Plan of an archive: which files are packed. Nothing is written."""

__all__ = ["ArchivePlan", "plan_archive"]

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..common.errors import ApcampaignError
from ..common.text import count, format_size
from ..ledger import Workspace
from .archive import Archive, check_archive_file, list_packed, require_records, write_archive


@dataclass(frozen=True, kw_only=True)
class ArchivePlan:
    """What is packed, and into which file.

    Parameters
    ----------
    workspace, file
        The campaign, and where it is packed.
    files
        The bytes of each file that is packed, by its name in the campaign's folder, of graphs all of them; besides
        these ``summary.json``, and ``report.html`` if there is none, made when it is executed.
    obstacles
        Why it would be refused.
    """

    workspace: Workspace
    file: Path
    files: Mapping[str, int]
    obstacles: tuple[ApcampaignError, ...] = ()

    def describe(self) -> list[str]:
        """Say it in lines."""
        files, size = count(len(self.files), "file"), format_size(sum(self.files.values()))
        lines = [
            f"pack {files} of campaign {self.workspace.campaign.name}, {size} uncompressed, into {self.file}"
        ]
        lines += [f"  {name}" for name in self.files]
        lines.append("plus summary.json, and report.html if there is none, made when it runs")
        if self.file.exists() and not self.obstacles:
            lines.append(f"replace the older archive {self.file}")
        return [*lines, *(f"it would be refused: {error}" for error in self.obstacles)]

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values, for JSON."""
        return {
            "campaign": self.workspace.campaign.name,
            "file": str(self.file),
            "files": dict(self.files),
            "obstacles": [str(error) for error in self.obstacles],
        }

    def execute(self) -> Archive:
        """Do it; raises as `write_archive`."""
        return write_archive(self.workspace, self.file)


def plan_archive(workspace: Workspace, file: Path) -> ArchivePlan:
    """Look at what would be packed into an archive. Changes nothing.

    Parameters
    ----------
    workspace, file
        As for `write_archive`.

    Raises
    ------
    LedgerError
        If the campaign has submitted nothing, or its records cannot be read.
    """
    require_records(workspace)
    folder = workspace.paths.folder
    return ArchivePlan(
        workspace=workspace,
        file=file,
        files={
            path.relative_to(folder).as_posix(): path.stat().st_size for path in list_packed(workspace.paths)
        },
        obstacles=tuple(check_archive_file(workspace, file)),
    )
