"""What all parts of `Campaign` know: the campaign's settings, its files and the records of its runs."""

__all__ = ["CampaignHandle", "StepName", "selected_steps"]

from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from .bps import CampaignConfig, Step
    from .ledger import Ledger, Workspace

type StepName = Literal["templates", "diffim"]


class CampaignHandle:
    """The campaign's settings, files and run records.

    Parameters
    ----------
    workspace
        The campaign and its files.
    """

    def __init__(self, workspace: "Workspace"):
        self._workspace = workspace

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, files in {str(self.folder)!r})"

    @property
    def name(self) -> str:
        """Its name."""
        return self.settings.name

    @property
    def settings(self) -> "CampaignConfig":
        """The campaign file's content, with everything that overrides it."""
        return self._workspace.campaign

    @property
    def folder(self) -> Path:
        """The folder of its files."""
        return self._workspace.paths.folder

    @property
    def workspace(self) -> "Workspace":
        """The campaign, its site and its files, for the packages below."""
        return self._workspace

    def ledger(self) -> "Ledger":
        """Read the records of everything that has been submitted."""
        return self._workspace.read_ledger()


def selected_steps(step: StepName | None) -> "list[Step] | None":
    """Name the steps that were asked for; None for all of the campaign."""
    from .bps import Step

    return None if step is None else [Step(step)]
