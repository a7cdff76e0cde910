"""The forecast: what a campaign will take, before it is submitted.

The flow: `learn` reads what earlier runs took from the pages that `remember_costs` left beside them, as `Costs`,
with guesses where there is nothing; `make_forecast` counts quanta and jobs in the repository, as preflight does,
and gives a `Forecast` for a number of slots (`count_slots`); `draw_mermaid` and `draw_dot` make a picture of it.
"""

from .costs import Costs, TaskCost
from .forecast import make_forecast
from .learning import learn, remember_costs
from .model import Forecast, JobForecast, StepForecast
from .picture import draw_dot, draw_mermaid
from .slots import count_slots

__all__ = [
    "Costs",
    "Forecast",
    "JobForecast",
    "StepForecast",
    "TaskCost",
    "count_slots",
    "draw_dot",
    "draw_mermaid",
    "learn",
    "make_forecast",
    "remember_costs",
]
