"""Report: one HTML page of the progress and the results of a campaign.

The flow: `ReportReader` reads the ledger, the runs' files, the repository and the APDB into a `ReportData`,
with notes of what could not be read; `render_report` draws that, which needs none of them: figures and tables
(`draw_figures`), and the numbers that come first (`headline`). `write_report` does both, and `watch_report`
repeatedly until the campaign has ended.
"""

from .figure import Column, Figure, Panel, Table
from .headline import campaign_state, headline
from .model import ReportData
from .reader import Appendix, ReportReader
from .render import render_report
from .write import watch_report, write_report

__all__ = [
    "Appendix",
    "Column",
    "Figure",
    "Panel",
    "ReportData",
    "ReportReader",
    "Table",
    "campaign_state",
    "headline",
    "render_report",
    "watch_report",
    "write_report",
]
