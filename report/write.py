"""Writing of a report, once or repeatedly while the campaign is active."""

__all__ = ["watch_report", "write_report"]

import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ..common.files import write_atomically
from ..common.progress import show_progress
from ..common.reading import read_text
from ..ledger import Workspace
from ..monitor.campaign_summary import CampaignSummary
from ..monitor.notify import TroubleNotifier
from .model import ReportData
from .reader import ReportReader
from .render import render_report
from .supersede import fuller_file, read_earlier, what_is_lost

_log = logging.getLogger(__name__)
_REST = 3  # the pause after a report is at least this many times as long as the report took


def write_report(
    workspace: Workspace,
    file: Path | None = None,
    *,
    refresh: int | None = None,
    reader: ReportReader | None = None,
    summary: CampaignSummary | None = None,
) -> tuple[Path, ReportData]:
    """Write the report of a campaign. An earlier one that shows more is kept beside it, and this is noted on it.

    Parameters
    ----------
    workspace
        The campaign.
    file
        Where the report goes; next to the runs by default.
    refresh
        Seconds after which the page reloads itself, while the campaign is active.
    reader
        Reads what the report shows; to be given where more than one is written.
    summary
        The results of a campaign that has ended, where the caller has them already.

    Returns
    -------
    file, data
        Where it is, and what it shows.

    Raises
    ------
    LedgerError
        If the campaign has no runs.
    OSError
        If the file cannot be written.
    """
    file = file or workspace.paths.report
    data = (reader or ReportReader(workspace)).read(summary=summary)
    data = _keep_fuller(file, data)
    with show_progress("drawing the report"):
        write_atomically(file, render_report(data, refresh=refresh))
    return file, data


def _keep_fuller(file: Path, data: ReportData) -> ReportData:
    """Keep an earlier report that shows more than this one beside it, and note that on this one."""
    kept = fuller_file(file)
    earlier, fuller = read_earlier(file), read_earlier(kept)
    lost = what_is_lost(earlier, data) if earlier else ()
    if lost and not (fuller and set(what_is_lost(fuller, data)) >= set(lost)):
        write_atomically(kept, read_text(file))
        _log.warning("the report lacks %s: the earlier one is kept as %s", ", ".join(lost), kept)
        fuller = earlier
    if fuller is None:
        return data
    lost = what_is_lost(fuller, data)
    if not lost:
        kept.unlink(missing_ok=True)
        return data
    note = f"the report of {fuller.when} has {', '.join(lost)}, and is kept as `{kept.name}`"
    return replace(data, notes=(*data.notes, note))


def watch_report(
    workspace: Workspace,
    file: Path | None = None,
    *,
    reader: ReportReader | None = None,
    interval: int = 30,
) -> Iterator[ReportData]:
    """Write the report repeatedly until the campaign has ended, and send notifications of trouble.

    Parameters
    ----------
    workspace, file, reader
        As for `write_report`.
    interval
        Seconds between two; more where reading takes long, so that it is idle most of the time.

    Yields
    ------
    data
        What each of them shows; the last one is final. Raises as `write_report`.
    """
    reader, trouble = reader or ReportReader(workspace), TroubleNotifier(workspace.campaign)
    while True:
        begin = time.monotonic()
        _, data = write_report(workspace, file, refresh=interval, reader=reader)
        took = time.monotonic() - begin
        if not data.final:
            trouble.look(data.jobs)
        yield data
        if data.final:
            return
        time.sleep(max(interval, _REST * took))
