"""Workspace: a campaign with its site and its files, the first argument of most functions above."""

__all__ = ["Workspace"]

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from ..bps import CampaignConfig, Site, load_campaign, load_site
from ..common.errors import ApdbError
from .copies import check_campaign_copy
from .ledger import Ledger, read_ledger
from .paths import CampaignPaths, DagPaths, RunPaths


@dataclass(frozen=True)
class Workspace:
    """A campaign and its surroundings. It is not changed; nothing in it is a record of what was done.

    Parameters
    ----------
    campaign
        The campaign, with everything that overrides its file.
    runs
        The folder of all campaigns' runs.
    """

    campaign: CampaignConfig
    runs: Path

    @classmethod
    def open(
        cls,
        file: Path,
        runs: Path,
        *,
        flags: Mapping[tuple[str, ...], Any] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Self:
        """Open the workspace of a campaign file.

        Parameters
        ----------
        file
            The campaign file.
        runs
            The folder of all campaigns' runs.
        flags, environment
            What overrides the file, as for `apcampaign.bps.load_campaign`.

        Raises
        ------
        SettingsError
            If the file cannot be read or used.
        """
        return cls(load_campaign(file, flags=flags, environment=environment), runs)

    def as_submitted(self, files: RunPaths | DagPaths) -> "Workspace":
        """Give the workspace with the campaign as it was when a run or a campaign DAG was submitted.

        Raises
        ------
        LedgerError
            If that copy of the campaign cannot be read.
        SettingsError
            If what it names, such as a site, is not there any more.
        """
        return Workspace.of_copy(files, self.runs)

    @classmethod
    def of_copy(cls, files: RunPaths | DagPaths, runs: Path) -> Self:
        """Open the workspace of a campaign as it was submitted; errors as `as_submitted`."""
        check_campaign_copy(files.campaign)
        return cls.open(files.campaign, runs, environment={})

    @cached_property
    def paths(self) -> CampaignPaths:
        """The campaign's files."""
        return CampaignPaths(self.runs, self.campaign.name)

    @cached_property
    def site(self) -> Site:
        """Where its jobs run; its file is read when it is first asked for."""
        return load_site(self.campaign.site)

    def read_ledger(self) -> Ledger:
        """Read what it has submitted; raises as `apcampaign.ledger.read_ledger`."""
        return read_ledger(self.paths)

    @property
    def planned_apdb_config(self) -> str:
        """The configuration of its APDB, whether or not it has been made."""
        return self.campaign.apdb.config or str(self.paths.apdb_config)

    def find_apdb_config(self) -> str:
        """Find the configuration of its APDB.

        Raises
        ------
        ApdbError
            If its APDB has not been made.
        """
        if self.campaign.apdb.config is None and not self.paths.apdb_config.exists():
            raise ApdbError(
                f"campaign {self.campaign.name} has no APDB yet: there is no {self.paths.apdb_config}",
                remedy="make it with `apcampaign apdb init --db postgresql://user@host/database`",
            )
        return self.planned_apdb_config
