"""Counts of a preflight as tables; its findings are shown by `findings`."""

__all__ = ["draw_preflight", "show_preflight"]

from typing import TYPE_CHECKING

from .console import make_console

if TYPE_CHECKING:
    from rich.console import Group

    from ...submit.preflight import Preflight


def show_preflight(preflight: "Preflight") -> None:
    """Print human-readable what will be processed."""
    make_console().print(draw_preflight(preflight))


def draw_preflight(preflight: "Preflight") -> "Group":
    """Draw what the data query of each run selects, and its quanta by task."""
    from rich.console import Group
    from rich.text import Text

    from .table import Table

    parts: list[Table | Text] = []
    for name, counts in preflight.selections.items():
        selected = ", ".join(f"{dimension} {count:,}" for dimension, count in counts.items())
        table = Table("task", "quanta, at most", title=f"{name}: {selected}", title_justify="left")
        estimates = preflight.estimates.get(name, ())
        for estimate in estimates:
            table.add_row(estimate.label, f"{estimate.quanta:,}")
        table.add_row("all", f"{sum(estimate.quanta for estimate in estimates):,}", style="bold")
        parts.append(table)
    return Group(*parts, Text(f"checked in {preflight.seconds:.1f} s", style="dim"))
