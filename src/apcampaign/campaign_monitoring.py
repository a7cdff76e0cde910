"""What `Campaign` tells while it runs, and after."""

__all__ = ["CampaignMonitoring"]

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .campaign_handle import CampaignHandle

if TYPE_CHECKING:
    from .ledger import RunRecord
    from .monitor import CampaignStatus, Failures


class CampaignMonitoring(CampaignHandle):
    """Runs, status, failures."""

    def runs(self, run: str | None = None) -> "list[tuple[RunRecord, str | None]]":
        """List all runs, or one (as for `status`), and the state of each as its WMS names it, if that can tell.

        Those that were removed come first; their state is ``retired``.
        """
        from .monitor import run_state

        ledger = self.ledger()
        if run:
            return [(found := ledger.find(run), run_state(found))]
        states = [(record, run_state(record)) for record in ledger.runs]
        return [*((record, "retired") for record in ledger.retired), *states]

    def status(self, run: str | None = None) -> "CampaignStatus":
        """See how far the campaign is, also while it runs.

        Parameters
        ----------
        run
            Look at this run, though newer ones may have replaced it: ``diffim/20260905T031200Z``, or its RUN
            collection. By default the runs that count.

        Raises
        ------
        LedgerError
            If it has no runs, or none of that name, or they cannot be read.
        """
        from .monitor import CampaignReader

        return CampaignReader(self._workspace.paths, run).read()

    def watch(self, run: str | None = None, *, notify: bool = False) -> "Iterator[CampaignStatus]":
        """Look at the campaign as often as the caller asks for the next status, until it has ended.

        Parameters
        ----------
        run
            As for `status`.
        notify
            Whether the people whom the campaign names are notified of trouble.
        """
        from .monitor import CampaignReader
        from .monitor.notify import TroubleNotifier

        reader, trouble = CampaignReader(self._workspace.paths, run), TroubleNotifier(self.settings)
        while True:
            status = reader.read()
            if notify and status.active:
                trouble.look(status.jobs)
            yield status
            if not status.active:
                return

    def failures(self, run: str | None = None, *, quanta: bool = False) -> "Failures":
        """Group what failed or is held by its root cause, with remedies.

        Parameters
        ----------
        run
            As for `status`.
        quanta
            Whether to look at the quanta too, which finds those that failed or made nothing in jobs that
            succeeded.
        """
        from .monitor import CampaignReader, find_failures

        found = CampaignReader(self._workspace.paths, run).read_jobs()
        return find_failures(
            found.jobs, nodes=found.nodes, states=found.states, quanta_of=found.records if quanta else ()
        )
