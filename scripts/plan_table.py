"""A forecast as tables."""

__all__ = ["draw_forecast"]

from typing import TYPE_CHECKING

from .console import make_console

if TYPE_CHECKING:
    from ..submit.forecast import Forecast


def draw_forecast(forecast: "Forecast") -> None:
    """Print a forecast for a person: a table a step, and what all of it takes."""
    from rich.table import Table

    from ..submit.report.headline import duration

    console = make_console()
    sources: dict[str, str] = {}
    for step in forecast.steps:
        selected = ", ".join(f"{count:,} {name}" for name, count in step.selection.items())
        table = Table(title=f"{step.step}: {selected}", title_justify="left")
        table.add_column("jobs of")
        for title in ("jobs", "quanta", "s a job", "core-hours", "GiB", "asks for", "times"):
            table.add_column(title, justify="left" if title == "times" else "right")
        for job in step.jobs:
            marks = [
                "guess" if source == "guess" else sources.setdefault(source, f"[{len(sources) + 1}]")
                for source in job.sources
            ]
            memory = f"{job.memory:,} MiB" if job.memory else "–"
            table.add_row(
                job.label,
                f"{job.jobs:,}",
                f"{sum(job.quanta.values()):,}",
                f"{job.seconds:,.0f}",
                f"{job.core_hours:,.2f}",
                f"{job.disk / 1024:,.2f}",
                memory,
                " ".join(marks).replace("[", r"\["),
            )
        console.print(table)
        least, most = step.wall_seconds(forecast.slots)
        console.print(
            f"{step.step}: {step.quanta:,} quanta in {sum(job.jobs for job in step.jobs):,} jobs at most; "
            f"{duration(least)} to {duration(most)} on {forecast.slots:,} slots"
        )
    for source, mark in sources.items():
        console.print(f"{mark} measured in {source}", markup=False)
    least, most = forecast.wall_seconds
    console.print(
        f"campaign {forecast.campaign}: {forecast.core_hours:,.1f} core-hours, {forecast.disk / 1024:,.1f} GiB; "
        f"{duration(least)} to {duration(most)}, beside the building of the quantum graphs"
    )
