"""How a `Campaign` begins from another one or from runs made by hand, and how it ends."""

__all__ = ["CampaignLifecycle"]

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .campaign_handle import CampaignHandle

if TYPE_CHECKING:
    from .lifecycle.adoption import AdoptionPlan
    from .lifecycle.archive import Archive
    from .lifecycle.archive_plan import ArchivePlan
    from .lifecycle.retirement import RetirementPlan
    from .lifecycle.start_over import StartOverPlan


class CampaignLifecycle(CampaignHandle):
    """Starting over, adopting, retiring, archiving."""

    @staticmethod
    def plan_start_over(
        file: str | Path = "campaign.yaml",
        to: str | Path | None = None,
        *,
        runs: str | Path = "runs",
        name: str | None = None,
        database: str | None = None,
        keep_templates: bool = False,
        day_obs: int | str | None = None,
        check: bool = True,
    ) -> "StartOverPlan":
        """Decide how the same campaign starts over in an empty APDB, beside the old one.

        ``execute()`` of the returned plan writes a new campaign file, and gives its path.

        Parameters
        ----------
        file
            The campaign file.
        to
            The new one, in the same folder; with ``-v2`` in its name, or the next number that is free, by default.
        runs
            The folder of all campaigns' runs.
        name
            The new campaign's name; the old one with ``-v2``, or the next number that is free, by default.
        database
            The URL of its APDB's database; that of the old one, or a new SQLite file beside it, by default.
        keep_templates
            Whether it takes the templates of the old one.
        day_obs
            The night, where the campaign file names one.
        check
            Whether repository and database are asked for what is there.

        Raises
        ------
        ApcampaignError
            If it cannot be found out. Why it would be refused is in the plan's ``obstacles``.
        """
        from .lifecycle.start_over import StartOverRequest, plan_start_over

        request = StartOverRequest(
            source=Path(file),
            file=None if to is None else Path(to),
            name=name,
            database=database,
            keep_templates=keep_templates,
            day_obs=None if day_obs is None else str(day_obs),
            check=check,
        )
        return plan_start_over(request, Path(runs))

    def plan_adoption(self, *folders: str | Path) -> "AdoptionPlan":
        """Decide how runs of ``bps submit`` become runs of the campaign; ``execute()`` of the plan does just that.

        Parameters
        ----------
        folders
            Their submit directories, as ``bps submit`` has printed them.

        Raises
        ------
        ApcampaignError
            If it cannot be found out. Why one of them cannot be adopted is in the plan's ``obstacles``.
        """
        from .lifecycle.adoption import plan_adoption

        return plan_adoption(self._workspace, [Path(folder) for folder in folders])

    def plan_retirement(
        self,
        *,
        intermediates: bool = False,
        runs: Sequence[str] = (),
        everything: bool = False,
        types: Sequence[str] = (),
        keep: Sequence[str] = (),
        keep_apdb: bool = False,
        archive: str | Path | None = None,
    ) -> "RetirementPlan":
        """See what the campaign holds, and decide what is removed; ``execute()`` of the returned plan removes it.

        Parameters
        ----------
        intermediates, runs, everything
            Which of these is removed: intermediate datasets, some runs by the ends of their collections' names, or
            all; nothing if none is given.
        types, keep
            Dataset types that are intermediate too, and those that are not, as patterns.
        keep_apdb
            Whether the APDB stays where everything else is removed.
        archive
            The file into which the campaign's records are packed before.

        Raises
        ------
        ApcampaignError
            If it cannot be found out. Why it would be refused is in the plan's ``obstacles``.
        """
        from .ledger import RetirementScope
        from .lifecycle.retirement import RetirementRequest, plan_retirement

        chosen = {
            RetirementScope.INTERMEDIATES: intermediates,
            RetirementScope.RUNS: bool(runs),
            RetirementScope.EVERYTHING: everything,
        }
        request = RetirementRequest(
            scope=next((scope for scope, wanted in chosen.items() if wanted), None),
            runs=tuple(runs),
            dataset_types=tuple(types),
            keep=tuple(keep),
            keep_apdb=keep_apdb,
        )
        return plan_retirement(self._workspace, request, None if archive is None else Path(archive))

    def plan_archive(self, file: str | Path) -> "ArchivePlan":
        """See what `archive` would pack; ``execute()`` of the plan does it. Parameters and errors as there."""
        from .lifecycle.archive_plan import plan_archive

        return plan_archive(self._workspace, Path(file))

    def archive(self, file: str | Path) -> "Archive":
        """Pack the campaign's records, configurations, report and summary into a file.

        Parameters
        ----------
        file
            Where; ending in ``.tar.gz`` or ``.tar.zst``.

        Raises
        ------
        ApcampaignError
            If the campaign has submitted nothing, or the file cannot be written.
        """
        from .lifecycle.archive import write_archive

        return write_archive(self._workspace, Path(file))
