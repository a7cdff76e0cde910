"""Forecast of a campaign as tables."""

__all__ = ["draw_forecast", "show_forecast"]

from typing import TYPE_CHECKING

from .console import make_console

if TYPE_CHECKING:
    from rich.console import Group

    from ...submit.forecast import Forecast, RunForecast
    from .table import Table

_GUESS = "guess"


def show_forecast(forecast: "Forecast") -> None:
    """Print a human-readable forecast."""
    make_console().print(draw_forecast(forecast))


def draw_forecast(forecast: "Forecast") -> "Group":
    """Draw a forecast: a table for each run, what all of it takes, and what is assumed."""
    from rich.console import Group
    from rich.text import Text

    marks: dict[str, str] = {}
    parts: list[Table | Text] = []
    for each in forecast.runs:
        parts += [_draw_run(each, marks), Text(each.describe(forecast.slots))]
    return Group(
        *parts,
        *(Text(f"{mark} measured in {source}") for source, mark in marks.items()),
        *map(Text, forecast.parts),
        Text(forecast.describe()),
        *(Text(note) for note in forecast.notes),
    )


def _draw_run(each: "RunForecast", marks: dict[str, str]) -> "Table":
    """Draw the jobs of a run; sources of durations are numbered in ``marks``, over all runs."""
    from rich.text import Text

    from .table import Table

    selected = ", ".join(f"{count:,} {name}" for name, count in each.selection.items())
    table = Table(title=f"{each.run.name}: {selected}", title_justify="left")
    table.add_column("label")
    for title in ("jobs", "quanta", "s/job", "core-hours", "GiB", "memory request", "source"):
        table.add_column(title, justify="left" if title == "source" else "right")
    for job in each.jobs:
        sources = [
            source if source == _GUESS else marks.setdefault(source, f"[{len(marks) + 1}]")
            for source in job.origins
        ]
        table.add_row(
            job.label,
            f"{job.jobs:,}",
            f"{sum(job.quanta.values()):,}",
            f"{job.seconds:,.0f}",
            f"{job.core_hours:,.2f}",
            f"{job.disk / 1024:,.2f}",
            f"{job.memory:,} MiB" if job.memory else "–",
            Text(" ".join(sources)),
        )
    return table
