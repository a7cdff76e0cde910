"""Human-readable score of a campaign on the simulated sky."""

__all__ = ["show_score"]

from typing import TYPE_CHECKING

from .console import make_console

if TYPE_CHECKING:
    from ...sandbox.score import Score


def show_score(result: "Score") -> None:
    """Print a human-readable score."""
    from ...sandbox.score import GOALS
    from .table import Table

    console = make_console()
    table = Table("what", "value", "goal")
    for name, (least, most) in GOALS.items():
        style = "bold red" if name in result.missed else None
        table.add_row(name, f"{getattr(result, name):.3f}", f"{least:g} to {most:g}", style=style)
    console.print(table)
    bins = Table("S/N from", "true changes", "found", "DiaSources", "true")
    for row in result.by_snr:
        bins.add_row(*(f"{value:g}" for value in row))
    console.print(bins)
    console.print("all goals reached" if result.good else f"NOT reached: {', '.join(result.missed)}")
