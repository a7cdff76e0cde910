"""Writing a report, once or again and again while the campaign goes on."""

__all__ = ["default_report", "watch_report", "write_report"]

import time
from collections.abc import Callable
from pathlib import Path

from ...bps import Campaign
from ...common.files import write_atomically
from ..notices import Notice, TroubleWatch
from ..paths import CampaignPaths
from ..summary import Summary
from .gather import ReportReader
from .model import ReportData
from .render import render_report


def default_report(paths: CampaignPaths) -> Path:
    """Name the file of a campaign's report."""
    return paths.folder / "report.html"


def write_report(
    campaign: Campaign,
    paths: CampaignPaths,
    file: Path | None = None,
    *,
    refresh: int | None = None,
    reader: ReportReader | None = None,
    summary: Summary | None = None,
) -> tuple[Path, ReportData]:
    """Write the report of a campaign.

    Parameters
    ----------
    campaign, paths
        The campaign and its files.
    file
        Where the report goes; beside the runs by default.
    refresh
        Seconds after which the page shall load itself again, while the campaign goes on.
    reader
        To be used again and again, where more than one is written.
    summary
        What came of a campaign that has ended, where the caller has asked already.

    Returns
    -------
    file, data
        Where it is, and what it tells.

    Raises
    ------
    SubmissionError
        If no step has a run.
    OSError
        If the file cannot be written.
    """
    file = file or default_report(paths)
    data = (reader or ReportReader(campaign, paths)).read(summary=summary)
    write_atomically(file, render_report(data, refresh=refresh))
    return file, data


def watch_report(
    campaign: Campaign,
    paths: CampaignPaths,
    file: Path | None = None,
    *,
    reader: ReportReader | None = None,
    interval: int = 30,
    say: Callable[[ReportData], None] = lambda _: None,
    tell: Callable[[Notice], None] = lambda _: None,
) -> ReportData:
    """Write the report again and again until the campaign has ended.

    Parameters
    ----------
    campaign, paths, file, reader
        As for `write_report`.
    interval
        Seconds between two; more where gathering takes long, so that it is idle most of the time.
    say
        Takes what each report tells.
    tell
        Takes what somebody should be told at once.

    Returns
    -------
    data
        What the last one tells.
    """
    reader, trouble = reader or ReportReader(campaign, paths), TroubleWatch(campaign.name)
    while True:
        begin = time.monotonic()
        _, data = write_report(campaign, paths, file, refresh=interval, reader=reader)
        if not data.final and (notice := trouble.look(data.jobs)):
            tell(notice)
        say(data)
        if data.final:
            return data
        time.sleep(max(interval, 3 * (time.monotonic() - begin)))
