"""Forecast of what a campaign will take, before it is submitted: quanta, jobs, core-hours, disk, time.

The flow: `make_forecast` plans the campaign's runs and counts their quanta in the repository as the preflight
does (`Workload`); `load_costs` reads what earlier runs took, which `record_costs` leaves in their folders, as
`Costs`, with defaults where nothing was measured; `forecast_jobs` turns both into jobs. The result is a
`Forecast` for a number of slots (`count_slots`); `draw_mermaid` and `draw_dot` draw it.
"""

from .diagram import draw_dot, draw_mermaid
from .forecast import make_forecast
from .measured_costs import record_costs
from .model import Forecast, JobForecast, RunForecast

__all__ = [
    "Forecast",
    "JobForecast",
    "RunForecast",
    "draw_dot",
    "draw_mermaid",
    "make_forecast",
    "record_costs",
]
