"""What `Campaign` tells of its results."""

__all__ = ["CampaignResults"]

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from .campaign_handle import CampaignHandle

if TYPE_CHECKING:
    from .monitor.campaign_summary import CampaignSummary
    from .report import Appendix, Completeness, ReportData, Truth
    from .report.comparison import Comparison, Scorer, Tolerances


class CampaignResults(CampaignHandle):
    """Summary, report, comparison."""

    def summary(self) -> "CampaignSummary":
        """Summarise the results: quanta, difference images, rows of the APDB and their verification.

        Raises
        ------
        LedgerError
            If it has no runs.
        ApcampaignError
            If the repository or the APDB cannot be read.
        """
        from .monitor.summary import summarise

        return summarise(self._workspace)

    def completeness(self) -> "Completeness":
        """Compare the sources that were injected into the science images with the DiaSources in the APDB.

        Raises
        ------
        SettingsError
            If it injects none.
        ApcampaignError
            If the repository or the APDB cannot be read, or nothing has been submitted.
        """
        from .report import read_completeness

        return read_completeness(self._workspace)

    def write_report(
        self,
        file: str | Path | None = None,
        *,
        run: str | None = None,
        appendix: "Appendix | None" = None,
        truth: "Truth | None" = None,
    ) -> Path:
        """Write one HTML page of what the campaign did and of its results.

        Parameters
        ----------
        file
            Where it goes; that of `report_file` by default.
        run
            As for `status`.
        appendix
            Draws more figures, from the campaign's settings and the configuration of its APDB.
        truth
            Finds the true light curves of DiaObjects, where the sky is a simulated one.

        Returns
        -------
        file
            Where it is.

        Raises
        ------
        LedgerError
            If the campaign has no runs.
        """
        from .report import ReportReader, write_report

        reader = ReportReader(self._workspace, appendix, truth, run)
        target = Path(file) if file else self.report_file(run)
        path, _ = write_report(self._workspace, target, reader=reader)
        return path

    def report_file(self, run: str | None = None) -> Path:
        """Name the file of the report: in the campaign's folder, or in that of a run."""
        paths = self._workspace.paths
        return paths.report if run is None else paths.run(self.ledger().find(run)).report

    def watch_report(
        self,
        file: str | Path | None = None,
        *,
        run: str | None = None,
        interval: int = 30,
        appendix: "Appendix | None" = None,
        truth: "Truth | None" = None,
    ) -> "Iterator[ReportData]":
        """Write the report repeatedly until the campaign has ended, and notify of trouble.

        Parameters
        ----------
        file, run, appendix, truth
            As for `write_report`.
        interval
            Seconds between two.
        """
        from .report import ReportReader, watch_report

        target = Path(file) if file else self.report_file(run)
        reader = ReportReader(self._workspace, appendix, truth, run)
        return watch_report(self._workspace, target, reader=reader, interval=interval)

    def compare(
        self,
        other: CampaignHandle,
        *,
        run: str | None = None,
        other_run: str | None = None,
        tolerances: "Tolerances | None" = None,
        scorer: "Scorer | None" = None,
    ) -> "Comparison":
        """Compare it with another campaign, or one of its submissions with another one. Changes nothing.

        Parameters
        ----------
        other
            The other campaign; may be this one, with other runs.
        run, other_run
            The name of a run of each side, as for `status`, or when several were prepared; by default all that
            count.
        tolerances
            What counts as the same.
        scorer
            Scores each side, where the sky is a simulated one.

        Raises
        ------
        LedgerError
            If one of them has no such runs. What else cannot be read is in ``unread`` of the result.
        """
        from .report.comparison import ComparableReader, compare

        one = ComparableReader(self._workspace, run, scorer)
        another = ComparableReader(other.workspace, other_run, scorer)
        return compare(one.read(), another.read(), tolerances)
