"""The report: one HTML page of what a campaign does and what came of it.

The flow: `ReportReader` asks the ledger, the runs' files, the repository and the APDB, and gives a `ReportData`,
notes of what could not be had; `render_report` draws it, which needs none of them; `write_report` does both, and
`watch_report` again and again until the campaign has ended.
"""

from .figure import Column, Figure, Panel, Table
from .gather import ReportReader
from .headline import campaign_state, headline
from .model import ReportData
from .render import render_report
from .write import default_report, watch_report, write_report

__all__ = [
    "Column",
    "Figure",
    "Panel",
    "ReportData",
    "ReportReader",
    "Table",
    "campaign_state",
    "default_report",
    "headline",
    "render_report",
    "watch_report",
    "write_report",
]
