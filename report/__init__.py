"""Report: one HTML page of the progress and the results of a campaign.

The flow: `ReportReader` reads the ledger, the runs' files, the repository and the APDB into a `ReportData`,
with notes of what could not be read; `render_report` draws that, which needs none of them: figures and tables
(`draw_figures` lists those of the modules ``figures_…``; ``assets/page.html.j2`` places each), and the
numbers that come first (`headline`). `write_report` does both, and keeps an earlier report that shows more
(`supersede`); `watch_report` does so repeatedly until the campaign has ended.

What a campaign with injected sources has found of them, `read_completeness` reads, as a value for other uses too.
"""

from .completeness import Completeness
from .completeness_reader import read_completeness
from .figure import Column, Figure, Panel, Table, log_axis
from .headline import campaign_state, headline
from .model import ReportData
from .reader import Appendix, ReportReader, Truth
from .render import render_report
from .sky_model import TruePoint
from .write import watch_report, write_report

__all__ = [
    "Appendix",
    "Column",
    "Completeness",
    "Figure",
    "Panel",
    "ReportData",
    "ReportReader",
    "Table",
    "TruePoint",
    "Truth",
    "campaign_state",
    "headline",
    "log_axis",
    "read_completeness",
    "render_report",
    "watch_report",
    "write_report",
]
